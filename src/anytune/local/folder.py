"""One task's folder: which file means what. Everything is 0600 in a folder of 0700."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from anytune.errors import ConfigError, redact
from anytune.local import durable
from anytune.local.processes import Identity
from anytune.local.task import Task, TaskState
from anytune.paths import home
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anytune.values import Value

__all__ = ["BrokenTask", "Folder", "local_home"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


class BrokenTask(Exception):
    """A task's manifest cannot be read."""


def local_home() -> Path:
    """Give the agent's folder, `<ANYTUNE_HOME>/local`."""
    folder = home() / "local"
    for part in (folder, folder / "tasks", folder / "slots"):
        part.mkdir(mode=0o700, exist_ok=True)
    return folder


class Folder:
    """A task's folder; it may not exist yet.

    Raises:
        ConfigError: The id is no plain name.
    """

    def __init__(self, task_id: str, root: Path | None = None) -> None:
        """Check the id before it becomes a path."""
        if not _ID.fullmatch(task_id):
            raise ConfigError(f"{task_id[:80]!r} is not the id of a task.", fix="Ids have letters, digits, `-` and `_` only, 64 at most.")
        self.id = task_id
        self.path = (root or local_home()) / "tasks" / task_id

    def __truediv__(self, name: str) -> Path:
        """Give the path of a file in it."""
        return self.path / name

    @property
    def exists(self) -> bool:
        """Tell whether a task was put here."""
        return (self / "task.json").exists()

    def task(self) -> Task:
        """Read the manifest.

        Raises:
            BrokenTask: It is not there or cannot be used.
        """
        try:
            return Task.model_validate(_understood(Task, durable.read(self / "task.json")))
        except (OSError, ValueError, ValidationError) as error:
            raise BrokenTask(f"The manifest task.json of {self.id} cannot be read ({_brief(error)}).") from error

    def state(self) -> TaskState | None:
        """Read the state; None where there is none, or none that makes sense (its other files tell the truth then)."""
        try:
            content = durable.read(self / "state.json")
            return None if content is None else TaskState.model_validate(_understood(TaskState, content))
        except (ValueError, ValidationError):
            return None

    def write_state(self, state: TaskState) -> None:
        """Write the state for good, on a full disk too."""
        durable.write_last(self / "state.json", state.model_dump(mode="json", exclude_none=True))

    def child(self, state: TaskState) -> Identity | None:
        """Give the process that a state names; None where it names none."""
        if state.pid is None or state.starttime is None or state.boot_id is None:
            return None
        return Identity(pid=state.pid, starttime=state.starttime, boot_id=state.boot_id)

    def has(self, name: str) -> bool:
        """Tell whether a file is there: `cancel`, `hold`, `result.json`, …."""
        return (self / name).exists()

    def read(self, name: str) -> dict[str, Any] | None:
        """Read one of its JSON files; None where it is missing or broken."""
        try:
            return durable.read(self / name)
        except ValueError:
            return None

    def clear(self, *names: str) -> None:
        """Remove what an earlier start left."""
        for name in names:
            if self.has(name):
                durable.remove(self / name)

    def note(self, message: str, level: str = "info", **data: Any) -> None:
        """Append an event of the agent's own."""
        record = {"at": now().isoformat(), "message": redact(message), "level": level, "data": data}
        durable.append(self / "events.jsonl", record)

    def log_tail(self, lines: int = 20) -> str:
        """Give the last lines that the child, and its engine, printed."""
        found = durable.tail(self / "log.txt", lines)
        engine = durable.tail(self / "engine.log", lines)
        return redact("\n".join([*engine, *found][-lines:] if engine else found))

    def mark(self, run_dir: Path) -> int:
        """Give the step of the newest checkpoint, or -1: as the child reported, or as its run folder shows."""
        reported = (self.read("checkpoint.json") or {}).get("step")
        steps = [reported] if isinstance(reported, int) else []
        with contextlib.suppress(OSError):
            steps += list(_checkpoint_steps(run_dir))
        return max(steps, default=-1)

    def last_sign(self) -> float:
        """Give the time of the child's last sign of life, in seconds since the epoch; 0 where there is none."""
        found = 0.0
        for name in ("log.txt", "progress.json", "metrics.jsonl", "result.json", "failed.json", "paused.json"):
            with contextlib.suppress(OSError):
                found = max(found, (self / name).stat().st_mtime)
        return found


def _understood(kind: type[Value], content: dict[str, Any] | None) -> dict[str, Any] | None:
    """Leave out the fields that a newer anytune has added since: they have defaults there, and the rest is meant as it stands."""
    return None if content is None else {name: value for name, value in content.items() if name in kind.model_fields}


def _checkpoint_steps(run_dir: Path) -> Iterator[int]:
    for pattern in ("checkpoint-*", "*/checkpoint-*"):
        for path in run_dir.glob(pattern):
            if match := _CHECKPOINT.fullmatch(path.name):
                yield int(match[1])


def _brief(error: Exception) -> str:
    """Name the place and kind of a fault, never the content: manifests hold environments."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"`{'.'.join(map(str, first['loc'])) or 'task'}`: {first['msg']}"
    return str(error).split(": ", 1)[0][:200] if isinstance(error, ValueError) else f"{type(error).__name__}"
