"""What the memory backend remembers: in this process, or in a JSON file that several processes share under a lock."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from anytune.testing.life import Life
from anytune.values import Checkpoint, Event, Metric, ModelRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from anytune.testing.engine import Engine

__all__ = ["CommitRecord", "DeploymentRecord", "FileRecord", "JobRecord", "RepoRecord", "State", "Store", "named"]


class FileRecord(BaseModel):
    """An uploaded file; of its bytes only where they lay is kept. It is looked at `polls_left` times before it is ready, or `refused`."""

    id: str
    sha256: str
    size_bytes: int
    path: str = ""
    polls_left: int = 0
    refused: str = ""


class JobRecord(BaseModel):
    """A job as the provider holds it. Times are the backend clock's seconds."""

    id: str
    ref: str
    ledger: str
    name: str
    spec_hash: str
    model: str
    created_at: float
    visible_at: float
    life: Life
    seen: bool = False
    position: int = 0
    active_s: float = 0.0
    since: float = 0.0
    paused: bool = False
    cancelled: bool = False
    cancel_polls: int = 0
    resolved: dict[str, Any] = Field(default_factory=dict)
    method: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    events: list[Event] = Field(default_factory=list)
    metrics: list[Metric] = Field(default_factory=list)
    checkpoints: list[Checkpoint] = Field(default_factory=list)
    last_word: str = ""


class DeploymentRecord(BaseModel):
    """A host as the provider holds it."""

    id: str
    ref: str
    ledger: str = ""
    model: ModelRef
    adapters: dict[str, ModelRef] = Field(default_factory=dict)
    token: str
    ttl_s: float
    expires_at: float
    base_url: str = ""
    polls: int = 0
    state: Literal["starting", "ready", "failed", "stopping", "gone"] = "starting"
    error: str = ""


class CommitRecord(BaseModel):
    """A state of a repository: which model lies there, and its files with their sizes in bytes."""

    revision: str
    model: str
    files: dict[str, int]
    message: str


class RepoRecord(BaseModel):
    """A repository of the hub, with the commits of each branch, oldest first."""

    private: bool
    branches: dict[str, list[CommitRecord]] = Field(default_factory=dict)


def named(adapters: Mapping[str, ModelRef]) -> dict[str, str]:
    """Give the models of a shared host by the names that requests send."""
    return {name: model.id for name, model in adapters.items()}


class State(BaseModel):
    """All of it."""

    jobs: dict[str, JobRecord] = Field(default_factory=dict)
    files: dict[str, FileRecord] = Field(default_factory=dict)
    deployments: dict[str, DeploymentRecord] = Field(default_factory=dict)
    repos: dict[str, RepoRecord] = Field(default_factory=dict)
    deleted_models: set[str] = Field(default_factory=set)
    counts: dict[str, int] = Field(default_factory=dict)


class Store:
    """Holds the state, and the engines that run in this process.

    Args:
        path: A JSON file (made 0600) for several processes; None keeps the state in this one.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open nothing yet: the file is made by the first change."""
        self.path = path
        self.engines: dict[str, Engine] = {}
        self._state = State()
        self._lock = threading.RLock()

    @contextmanager
    def change(self) -> Iterator[State]:
        """Give the state to read and change; a change is kept also when the block raises, as at a provider whose reply is lost."""
        if self.path is None:
            with self._lock:
                yield self._state
            return
        from filelock import FileLock  # noqa: PLC0415 - only for shared files

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, FileLock(f"{self.path}.lock"):
            state = State.model_validate_json(self.path.read_bytes()) if self.path.exists() else State()
            try:
                yield state
            finally:
                self._write(state)

    def read(self) -> State:
        """Give a copy of the state, as it is now."""
        if self.path is None:
            with self._lock:
                return self._state.model_copy(deep=True)
        return State.model_validate_json(self.path.read_bytes()) if self.path.exists() else State()

    def _write(self, state: State) -> None:
        draft = f"{self.path}.{os.getpid()}.{threading.get_ident()}.new"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - by descriptor
            file.write(state.model_dump_json())
        os.replace(draft, self.path or "")  # noqa: PTH105 - strings
