"""What a simulated provider holds: files, uploads, jobs and models, as plain records in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anytune.testing.life import Life
    from anytune.testing.simulators.errors import JobError

__all__ = ["TERMINAL", "CheckpointRecord", "EventRecord", "FileRecord", "JobRecord", "ModelRecord", "UploadRecord", "World"]

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "canceled"})
"""Words after which nothing more happens to a job."""


@dataclass
class FileRecord:
    """A file.

    Attributes:
        id: As the provider names it.
        filename: As the client named it.
        purpose: `fine-tune`, `fine-tune-results`, …
        content: Its bytes.
        created_at: Seconds of the simulator's clock.
        expires_at: The same; None: never.
        project: Whose keys see it.
        polls: How often it was asked for by its id.
        deleted: It is gone.
    """

    id: str
    filename: str
    purpose: str
    content: bytes = field(repr=False)
    created_at: float
    expires_at: float | None = None
    project: str = ""
    polls: int = 0
    deleted: bool = False


@dataclass
class UploadRecord:
    """An upload in parts. `parts` are bytes by the part's id; `status` is `pending`, `completed` or `cancelled`."""

    id: str
    filename: str
    purpose: str
    size_bytes: int
    mime_type: str
    created_at: float
    expires_at: float
    project: str = ""
    file_expires_after: int | None = None
    parts: dict[str, bytes] = field(default_factory=dict, repr=False)
    status: str = "pending"
    file: FileRecord | None = None


@dataclass
class EventRecord:
    """Something that a job said; `data` is of metrics."""

    id: str
    created_at: float
    message: str
    level: str = "info"
    data: dict[str, float] | None = None


@dataclass
class CheckpointRecord:
    """A state of the model during training; `metrics` begin with `step`."""

    id: str
    created_at: float
    step: int
    model: str
    metrics: dict[str, float]


@dataclass
class JobRecord:
    """A fine-tuning job.

    Attributes:
        id: As the provider names it.
        body: What the client asked for, as it came.
        model: What is trained further, as the job names it.
        base: The base model under it.
        method: `supervised`, `dpo` or `reinforcement`.
        settings: The hyperparameters as they were asked for, `auto` where they were left out.
        life: What happens to it.
        created_at: Seconds of the simulator's clock.
        project: Whose keys see it.
        seed: Given, or drawn.
        rows: The training rows that the model knows by heart.
        tokens: What one epoch trains on.
        epochs: How often the data is seen.
        position: Where in the life it is.
        seen: A client has asked for it by its id; until then it stays at its first word.
        detour: Words that are shown before the life goes on (`pausing`, `paused`), the first one now.
        held: The last word of the detour stays.
        since: When the clock was looked at last.
        active_s: Seconds of life so far, where the life has `tick_s`.
        error: Why it failed.
        finished_at: When it ended.
        tuned: The name of the tuned model, from the start.
        deleted: It was deleted.
    """

    id: str
    body: dict[str, Any]
    model: str
    base: str
    method: str
    settings: dict[str, Any]
    life: Life
    created_at: float
    project: str = ""
    seed: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list, repr=False)
    tokens: int = 0
    epochs: int = 3
    position: int = 0
    seen: bool = False
    detour: list[str] = field(default_factory=list)
    held: bool = False
    since: float = 0.0
    active_s: float = 0.0
    error: JobError | None = None
    finished_at: float | None = None
    tuned: str = ""
    events: list[EventRecord] = field(default_factory=list)
    checkpoints: list[CheckpointRecord] = field(default_factory=list)
    result_files: list[str] = field(default_factory=list)
    deleted: bool = False

    @property
    def word(self) -> str:
        """The provider's word for where it is."""
        return self.detour[0] if self.detour else self.life.words[self.position]

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.word in TERMINAL

    @property
    def steps(self) -> int:
        """Training steps done."""
        return self.life.words[: self.position + 1].count("running")

    @property
    def training_file(self) -> str:
        """The id of the training file."""
        return str(self.body["training_file"])

    @property
    def validation_file(self) -> str | None:
        """The id of the validation file."""
        return self.body.get("validation_file")

    @property
    def suffix(self) -> str | None:
        """What the client wanted in the model's name."""
        return self.body.get("suffix")

    @property
    def metadata(self) -> dict[str, str]:
        """The client's own pairs."""
        return dict(self.body.get("metadata") or {})


@dataclass
class ModelRecord:
    """A model that can be asked for by its name.

    Attributes:
        id: Its name.
        created_at: Seconds of the simulator's clock.
        owned_by: `system`, or the organisation.
        base: The base model under it; of base models their own name.
        job: The job that made it; None for base models.
        shutdown_date: Until when it answers, as `YYYY-MM-DD`.
        tunable: Jobs may start from it.
        project: Whose keys see it; empty: all.
    """

    id: str
    created_at: float
    owned_by: str = "system"
    base: str = ""
    job: JobRecord | None = None
    shutdown_date: str | None = None
    tunable: bool = True
    project: str = ""


@dataclass
class World:
    """All that a provider holds; dictionaries by id, in the order of creation."""

    files: dict[str, FileRecord] = field(default_factory=dict)
    uploads: dict[str, UploadRecord] = field(default_factory=dict)
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    models: dict[str, ModelRecord] = field(default_factory=dict)
