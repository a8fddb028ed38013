"""What a caller does with tasks: put them, ask something of them, and read how they are. No call waits for the work itself."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import socket
import sys
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr

from anytune.errors import ConfigError, NotFound, Unreachable
from anytune.local import durable
from anytune.local.folder import Folder, local_home
from anytune.local.launch import ensure_agent
from anytune.local.processes import Identity, alive
from anytune.local.task import Progress, Task, TaskState
from anytune.values import Address, Checkpoint, Event, Metric

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "address",
    "ask",
    "checkpoint",
    "ensure_agent",
    "events",
    "log_tail",
    "manifest",
    "metrics",
    "progress",
    "put",
    "remove",
    "result",
    "state",
    "task_folder",
    "tasks",
]

Wish = Literal["cancel", "pause", "resume", "stop"]


def put(task: Task) -> None:
    """Order a task, for good: it runs even if the caller ends now. Put again, the first one stands.

    The caller's environment is read now, by `task.passed_env`; a serving task gets its port and its token now.

    Raises:
        ConfigError: `env` sets a name that the agent sets, the extra `anytune[local]` is missing, or ANYTUNE_HOME is on a network file
            system.
    """
    _refuse_shared_home()
    if task.kind == "serve" and not task.argv and not all(map(find_spec, ("starlette", "uvicorn"))):
        raise ConfigError("Serving a model here needs starlette and uvicorn.", fix='pip install "anytune[local]"')
    reserved = sorted(name for name in task.env if name in {"ANYTUNE_REF", "ANYTUNE_TASK_DIR", "ANYTUNE_HOME"})
    if reserved:
        raise ConfigError(f"Task {task.id}: `env` sets {', '.join(reserved)}.", fix="The agent sets these names itself; leave them out.")
    place = Folder(task.id)
    if not place.exists:
        place.path.mkdir(mode=0o700, exist_ok=True)
        passed = {name: os.environ[name] for name in task.passed_env if name in os.environ}
        durable.write(place / "env.json", passed)
        if task.kind == "serve":
            durable.write(place / "endpoint.json", {"port": _free_port(), "token": secrets.token_urlsafe(32)})
            task = task if task.argv else task.model_copy(update={"argv": (sys.executable, "-P", "-m", "anytune.local.gate")})
        durable.write(place / "task.json", task.model_dump(mode="json"))
        durable.sync_folder(place.path.parent)
    ensure_agent()


def state(task_id: str) -> TaskState:
    """Give a task's state; starts an agent where there is something to do and none runs.

    Raises:
        NotFound: No such task.
    """
    place = _known(task_id)
    found = place.state() or TaskState(id=task_id)
    paused = found.status == "paused" and place.has("hold") and not place.has("cancel")
    if not found.ended and not paused:
        ensure_agent()
    return found


def tasks() -> list[TaskState]:
    """Give the states of all tasks, in the order of their ids; starts nothing."""
    names = sorted(path.name for path in (local_home() / "tasks").iterdir() if not path.name.startswith("."))
    places = [place for place in map(Folder, names) if place.exists]
    return [place.state() or TaskState(id=place.id) for place in places]


def manifest(task_id: str) -> Task:
    """Give a task as it was put.

    Raises:
        NotFound: No such task.
    """
    return _known(task_id).task()


def ask(task_id: str, wish: Wish) -> None:
    """Ask for something, for good; asking again, or asking an ended task, is no error.

    `cancel` and `stop` mean the same and are final. `pause` asks for a checkpoint and an end that `resume` undoes; a serving task has no
    pause.

    Raises:
        NotFound: No such task.
        ConfigError: A pause of a serving task.
    """
    place = _known(task_id)
    if wish in {"pause", "resume"} and place.has("endpoint.json"):
        raise ConfigError(f"Task {task_id} serves a model and cannot {wish}.", fix="Stop it, and deploy again later.")
    if wish == "pause":
        durable.touch(place / "hold")
    elif wish == "resume":
        durable.remove(place / "hold")
    else:
        durable.touch(place / "cancel")
    state(task_id)


def events(task_id: str, after: str | None = None) -> list[Event]:
    """Give the events after the one with the id `after`, oldest first. An id is the line's place in the file: twelve digits, sortable."""
    path = _known(task_id) / "events.jsonl"
    start = int(after) if after and after.isdecimal() else 0
    lines = durable.read_lines(path, start)
    return [_event(offset, record) for offset, record in lines if after is None or offset > start]


def metrics(task_id: str, after: int | None = None) -> list[Metric]:
    """Give the numbers of the steps after `after`, by step. A step that was done again after a restart shows its last numbers."""
    found: dict[int, Metric] = {}
    for _, record in durable.read_lines(_known(task_id) / "metrics.jsonl"):
        metric = Metric.model_validate(record)
        earlier = found[metric.step].values if metric.step in found else {}
        found[metric.step] = metric.model_copy(update={"values": earlier | metric.values})
    return [found[step] for step in sorted(found) if after is None or step > after]


def progress(task_id: str) -> Progress | None:
    """Give what the child said last of how far it is; None before it said anything."""
    said = _known(task_id).read("progress.json")
    return None if said is None else Progress.model_validate(said)


def checkpoint(task_id: str) -> Checkpoint | None:
    """Give the checkpoint that the child reported last."""
    said = _known(task_id).read("checkpoint.json")
    return None if said is None else Checkpoint(id=str(said["step"]), step=said["step"], model=said["path"], created_at=said["at"])


def result(task_id: str) -> dict[str, Any] | None:
    """Give what the child wrote by `Reporter.finish`; None before."""
    return _known(task_id).read("result.json")


def log_tail(task_id: str, lines: int = 20) -> str:
    """Give the last lines that the child printed, without what looks like a secret."""
    return _known(task_id).log_tail(lines)


def address(task_id: str) -> Address | None:
    """Give where a serving task answers, with its token; None while it is not ready.

    The token is given out anew for each request, and only while the gate lives that holds the port: after a crash or a reboot another
    program may listen there.
    """
    place = _known(task_id)
    ready, endpoint, gate = place.read("ready.json"), place.read("endpoint.json"), _gate(place)
    if ready is None or endpoint is None or gate is None:
        return None
    key = SecretStr(endpoint["token"])
    shown = partial(_shown, task_id, place.path.parents[1], gate, key)
    return Address(base_url=ready["base_url"], model=ready["model"], credential=key, token=shown)


def task_folder(task_id: str) -> Path:
    """Give a task's folder.

    Raises:
        NotFound: No such task.
    """
    return _known(task_id).path


def remove(task_id: str) -> None:
    """Forget an ended task: its folder goes, its `run_dir` stays.

    Raises:
        NotFound: No such task.
        ConfigError: It has not ended.
    """
    place = _known(task_id)
    if not (place.state() or TaskState(id=task_id)).ended:
        raise ConfigError(f"Task {task_id} has not ended.", fix="Cancel it first.")
    bin_path = place.path.with_name(f".removed-{task_id}-{secrets.token_hex(4)}")
    place.path.rename(bin_path)
    shutil.rmtree(bin_path)


def _refuse_shared_home() -> None:
    """Refuse a home that several machines may share: each of them would take the others' children for dead ones of its own."""
    from anytune.ledger.engine import network_file_system  # noqa: PLC0415 - SQLAlchemy, which the agent does not need

    folder = local_home()
    kind = network_file_system(folder)
    if kind:
        text = f"{folder} is on a network file system ({kind}): other machines may see it, and this one's processes are not theirs."
        raise ConfigError(text, fix="Set ANYTUNE_HOME to a folder on a disk of this machine.")


def _gate(place: Folder) -> Identity | None:
    """Give the gate of a serving task that is ready; None where it is not, or has died: as long as it lives, the port is its own."""
    found = place.state()
    gate = None if found is None or found.status != "ready" else place.child(found)
    return gate if gate is not None and alive(gate) else None


def _shown(task_id: str, root: Path, gate: Identity, key: SecretStr) -> str:
    """Give a gate's token for a request that is about to be sent.

    Raises:
        Unreachable: The gate is not there now; where its agent starts it again, the same port answers a little later.
    """
    if not alive(gate) and _gate(Folder(task_id, root)) is None:
        raise Unreachable(f"The endpoint of {task_id} is not running now.", fix="Wait until it is ready again, or deploy again.")
    return key.get_secret_value()


def _known(task_id: str) -> Folder:
    place = Folder(task_id)
    if not place.exists:
        raise NotFound(f"No task {task_id} on this machine.", fix="Check ANYTUNE_HOME: tasks live in it.")
    return place


def _event(offset: int, record: dict[str, Any]) -> Event:
    known = {name: record[name] for name in ("at", "message", "level", "data") if name in record}
    return Event.model_validate(known | {"id": f"{offset:012d}"})


def _free_port() -> int:
    """Choose a free loopback port below the range that outgoing connections use, so that a gate can come back to it."""
    for _ in range(50):
        port = random.randint(20000, 32000)  # noqa: S311 - to meet nobody, not to hide
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ConfigError("No free port between 20000 and 32000 on 127.0.0.1.", fix="Stop some deployments.")
