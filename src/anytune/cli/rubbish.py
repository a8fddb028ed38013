"""What lies in anytune's home and nobody needs any more. It looks; `anytune gc` deletes.

Folders are listed before the ledger is read: a row is committed before its folder is made, so a folder without a row has lost it, and is
not one that is only just beginning.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import select

from anytune import local
from anytune.ledger import server_tables
from anytune.values import Status, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.ledger import JobRow, Ledger
    from anytune.local import TaskState

__all__ = ["Rubbish", "find"]


class Rubbish(Value):
    """One thing that can go.

    Attributes:
        kind: `run` (a job's folder), `checkpoint`, `file` (a copy of training data, converted or fetched) or `task` (the agent's record).
        ref: The job's or deployment's id, or the file's sha256.
        why: Why nobody needs it.
    """

    kind: Literal["run", "checkpoint", "file", "task"]
    path: Path
    size_bytes: int
    ref: str
    why: str


def find(home: Path, ledger: Ledger) -> list[Rubbish]:
    """Give what can go, the largest first."""
    runs, files = _inside(home / "runs"), [file for name in ("files", "data", "datasets") for file in _inside(home / name)]
    tasks = {task.id: task for task in local.tasks()}
    here = _Here(ledger, tasks)
    found = [rubbish for folder in runs for rubbish in _of_run(folder, here)]
    found += [rubbish for file in files if (rubbish := _of_file(file, here))]
    found += [rubbish for task in tasks.values() if (rubbish := _of_task(task, here, home))]
    return sorted(found, key=lambda rubbish: -rubbish.size_bytes)


@dataclass
class _Here:
    """What is needed, read once."""

    ledger: Ledger
    tasks: dict[str, TaskState]
    jobs: dict[str, JobRow] = field(init=False)
    gone: set[str] = field(init=False)
    needed: set[Path] = field(init=False)
    offered: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = {row.id: row for row in self.ledger.jobs()}
        deployments = self.ledger.deployments(live=False)
        self.gone = {row.id for row in deployments if row.state == "gone"}
        self.needed = {path for row in deployments if row.state != "gone" for path in _paths([row.model, row.adapters])}
        self.offered = _offered(self.ledger)
        for row in self.jobs.values():
            if not row.status.terminal:
                self.needed |= {*_paths(row.model), *_paths(row.model_ref), *(file.path for file in row.data.values())}
        for task in self.tasks.values():
            if not task.ended:
                self.needed |= _of_living(task.id)

    def needs(self, path: Path) -> bool:
        """Tell whether something that lives needs this path, or something in it, or something around it."""
        return any(other == path or path in other.parents or other in path.parents for other in self.needed)

    def living(self, ref: str) -> bool:
        """Tell whether a job or a local process of this id has not ended."""
        row, task = self.jobs.get(ref), self.tasks.get(ref)
        return (row is not None and not row.status.terminal) or (task is not None and not task.ended)

    def foreign(self, folder: Path) -> bool:
        """Tell whether another ledger ordered this run, so that its row cannot be here."""
        ordered_by = _read(folder / "order.json").get("ledger")
        if ordered_by is None:  # an order that does not say it: believe the home's own ledger, and no other
            return bool(os.environ.get("ANYTUNE_LEDGER"))
        return bool(ordered_by != self.ledger.uuid)


def _of_run(folder: Path, here: _Here) -> Iterator[Rubbish]:
    ref, row = folder.name, here.jobs.get(folder.name)
    if here.living(ref) or (row is None and ref not in here.gone and here.foreign(folder)):
        return
    if row is not None and row.status is Status.SUCCEEDED:
        if ref in here.offered:
            return
        for pattern in ("checkpoint-*", "*/checkpoint-*"):
            for checkpoint in folder.glob(pattern):
                if checkpoint.is_dir() and not checkpoint.is_symlink() and not here.needs(checkpoint):
                    yield _rubbish("checkpoint", checkpoint, ref, f"{row.name} has succeeded")
    elif not here.needs(folder):
        why = f"{row.name} {'has failed' if row.status is Status.FAILED else 'was cancelled'}" if row else "its job was removed"
        yield _rubbish("run", folder, ref, "its deployment is gone" if ref in here.gone else why)


def _of_file(file: Path, here: _Here) -> Rubbish | None:
    sha256 = file.name.split(".")[0]
    used = any(sha256 == one.sha256 for row in here.jobs.values() if not row.status.terminal for one in row.data.values())
    return None if used or here.needs(file) else _rubbish("file", file, sha256, "no job that has not ended learns from it")


def _of_task(task: TaskState, here: _Here, home: Path) -> Rubbish | None:
    if not task.ended or task.id in here.jobs:
        return None
    if task.kind == "serve":  # without a row it may be another ledger's: that one may still ask for it
        return _rubbish("task", local.task_folder(task.id), task.id, "its deployment is gone") if task.id in here.gone else None
    run = home / "runs" / task.id
    if here.foreign(run):
        return None
    return _rubbish("task", local.task_folder(task.id), task.id, "its job was removed")


def _offered(ledger: Ledger) -> set[str]:
    """Collect the jobs whose models `anytune serve` offers: each checkpoint of theirs is a model of its clients, until they delete it."""
    there = server_tables.jobs.c.fine_tuned_model.is_not(None) & server_tables.jobs.c.model_deleted.is_(False)
    with ledger.database.read() as connection:
        return {found for found in connection.scalars(select(server_tables.jobs.c.ledger_id).where(there)) if found}


def _of_living(task_id: str) -> set[Path]:
    """Collect the paths that a living task was told: in its argv, and in the order in its run folder."""
    task = local.manifest(task_id)
    words = [*task.argv, *(task.serve.engine if task.serve else ()), *task.env.values()]
    return {task.run_dir, *_paths(words), *_paths(_read(task.run_dir / "order.json"))}


def _paths(value: Any) -> set[Path]:
    """Collect the absolute paths in a JSON value."""
    if isinstance(value, str):
        return {Path(value)} if value.startswith("/") else set()
    if isinstance(value, dict):
        return {path for item in value.values() for path in _paths(item)}
    if isinstance(value, (list, tuple)):
        return {path for item in value for path in _paths(item)}
    return set()


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _inside(folder: Path) -> list[Path]:
    """List what is in a folder; links are never followed, and names with a dot are somebody's scratch."""
    try:
        return sorted(path for path in folder.iterdir() if not path.is_symlink() and not path.name.startswith("."))
    except FileNotFoundError:
        return []


def _rubbish(kind: Literal["run", "checkpoint", "file", "task"], path: Path, ref: str, why: str) -> Rubbish:
    parts = (path, *path.rglob("*")) if path.is_dir() else (path,)
    return Rubbish(kind=kind, path=path, size_bytes=sum(part.lstat().st_size for part in parts if not part.is_dir()), ref=ref, why=why)
