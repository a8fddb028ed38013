"""Plain values that every floor may carry: frozen, serialisable, without behaviour beyond their own fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, SecretStr

__all__ = [
    "Address",
    "Checkpoint",
    "DataStats",
    "Event",
    "Finding",
    "LocalFile",
    "Metric",
    "ModelRef",
    "Piece",
    "Pushed",
    "Quote",
    "Recipe",
    "Rendered",
    "Snapshot",
    "Status",
    "Value",
    "now",
]


def now() -> datetime:
    """Give the current time with its zone (UTC)."""
    return datetime.now(UTC)


class Value(BaseModel):
    """A frozen record that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Status(StrEnum):
    """Where a job is: `submitting → queued → running ⇄ paused → succeeded | failed | cancelled`.

    `unknown` is reported as unknown: it never means failed or gone, and any later observation may replace it.
    """

    SUBMITTING = "submitting"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def terminal(self) -> bool:
        """Tell whether the status can never change again."""
        return self in {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}


class Finding(Value):
    """One thing that preflight or a check found.

    Attributes:
        severity: `error` stops a job, `warning` and `info` do not.
        code: A short stable name, for programs and for the docs.
        message: What is wrong, for a person.
        fix: What to do about it.
        row: 1-based line of a JSONL file, or the record's number in other formats, where one row is concerned; the first of `rows`.
        rows: All lines, where several are.
        message_index: 0-based index into the row's `messages`, where one is concerned.
        file: Which file the rows are in; None where that cannot be doubted (no row, or only a training file was given).
    """

    severity: Literal["error", "warning", "info"]
    code: str
    message: str
    fix: str = ""
    row: int | None = None
    rows: tuple[int, ...] = ()
    message_index: int | None = None
    file: Literal["train", "validation"] | None = None


class Quote(Value):
    """What a run will take, as far as it can be known; None where it cannot.

    Attributes:
        tokens: Tokens that will be read in training, over all epochs.
        cost_usd: Price in US dollars.
        minutes: Wall-clock minutes of training.
        memory_bytes: Peak memory.
        basis: How the figures were found ("measured …", "estimated from …", "prices read on …").
        epochs: Passes over the training rows that the figures are for.
        hosting_usd_per_hour: What the tuned model costs while it is deployed, whether or not it is called; 0 where there is no such fee.
        input_usd_per_million: US dollars for a million tokens that the tuned model reads.
        cached_usd_per_million: The same, where the host had them cached.
        output_usd_per_million: US dollars for a million tokens that the tuned model writes.
    """

    tokens: int | None = None
    cost_usd: float | None = None
    minutes: float | None = None
    memory_bytes: int | None = None
    basis: str = ""
    epochs: float | None = None
    hosting_usd_per_hour: float | None = None
    input_usd_per_million: float | None = None
    cached_usd_per_million: float | None = None
    output_usd_per_million: float | None = None


class Address(Value):
    """Where an OpenAI-compatible endpoint answers.

    Attributes:
        base_url: URL up to and including `/v1`.
        model: The name to send as `model`.
        credential: The bearer token, never shown by `repr`.
        token: Gives a bearer token that is good now, for hosts whose tokens expire; it goes before `credential`, and is never stored.
        headers: Further headers of each request, such as the organisation that pays; no secrets.
    """

    base_url: str
    model: str
    credential: SecretStr | None = None
    token: Callable[[], str] | None = Field(default=None, exclude=True, repr=False)
    headers: dict[str, str] = Field(default_factory=dict)

    def __getstate__(self) -> dict[Any, Any]:
        """Refuse to be pickled with a key, which would lie open in the pickle."""
        if self.credential is not None or self.token is not None:
            raise TypeError("An Address with a key is not pickled; ask the deployment for its address again where it is needed.")
        return super().__getstate__()


class LocalFile(Value):
    """A file on its way up.

    Attributes:
        path: Where it is.
        sha256: Of its bytes, in hex.
        size_bytes: Its size.
        role: What its rows are for.
        source: The dataset of the Hub that it was read from, with its commit (`owner/name@commit`); empty for local files.
    """

    path: Path
    sha256: str
    size_bytes: int
    role: Literal["train", "validation"]
    source: str = ""


class DataStats(Value):
    """What is known of the data before it is sent.

    Attributes:
        rows: Training rows.
        validation_rows: Validation rows.
        tokens: Tokens in one pass over the training rows, where they were counted.
        billable_tokens: The same, each row counted up to the target's limit for a row: what a hosted backend bills for one epoch.
        longest_tokens: Tokens of the longest training row.
        validation_tokens: Tokens in one pass over the validation rows.
    """

    rows: int
    validation_rows: int = 0
    tokens: int | None = None
    billable_tokens: int | None = None
    longest_tokens: int | None = None
    validation_tokens: int | None = None


class Piece(NamedTuple):
    """A stretch of a rendered row: its text, how many tokens it is, and whether the loss is on them."""

    text: str
    tokens: int
    trained: bool


class Rendered(Value):
    """A row as the model sees it in training.

    Attributes:
        row: 1-based line of the file.
        pieces: The whole text in order, special tokens included; empty where only counts were asked for.
        prompt_tokens: Tokens that are read and not learned.
        trained_tokens: Tokens that the loss is on.
        label: Which rendering of the row this is, where a row gives several (`chosen`, `rejected`, `turn 3`).
        findings: What this model makes of the row, on the first of its renderings; empty where only counts were asked for.
    """

    row: int
    pieces: tuple[Piece, ...] = ()
    prompt_tokens: int
    trained_tokens: int
    label: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def total_tokens(self) -> int:
        """Tokens in all."""
        return self.prompt_tokens + self.trained_tokens


class ModelRef(Value):
    """What a run produced.

    Attributes:
        id: A hosted model's id, or the absolute path of a local model's folder (its merged weights).
        base_model: What was tuned.
        artifacts: Absolute local paths by kind: `merged`, `adapter`, `card`, `parity`.
        missing: Kinds of artifacts that were made and are not there any more.
    """

    id: str
    base_model: str | None = None
    artifacts: dict[str, str] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()


class Pushed(Value):
    """A tuned model as it lies in a repository of a hub.

    Attributes:
        repo: `owner/name`.
        url: Where a person looks at it.
        revision: The commit that holds it, as a hub's pinned revision: it never changes.
        files: Names in the repository, sorted; the model card is one of them.
        size_bytes: Of these files together.
        private: Whether only those whom the owner lets in can read it.
    """

    repo: str
    url: str
    revision: str
    files: tuple[str, ...]
    size_bytes: int
    private: bool


class Snapshot(Value):
    """One observation of a remote job.

    Attributes:
        id: The backend's id of the job.
        status: The mapped status; a word the backend does not know is `unknown`.
        step: Optimiser steps done.
        total_steps: Optimiser steps planned.
        tokens_per_second: Training throughput over the last logged interval.
        eta_s: Seconds to the end, as estimated by whoever trains.
        cost_usd: Spent so far.
        minutes: Wall-clock minutes of training so far, by the backend's own clock.
        trained_tokens: Tokens read in training so far; of a hosted job, what it bills.
        peak_memory_bytes: Most memory that training held.
        error: Why it failed, with the last lines of its log; empty otherwise.
        model: What was produced, once succeeded.
        host: The machine that a local job runs on.
        resolved: What the backend chose, as far as it has by now, for settings that were left to it; by anytune's names.
        raw: The reply as it came, without secrets.
    """

    id: str
    status: Status
    step: int | None = None
    total_steps: int | None = None
    tokens_per_second: float | None = None
    eta_s: float | None = None
    cost_usd: float | None = None
    minutes: float | None = None
    trained_tokens: int | None = None
    peak_memory_bytes: int | None = None
    error: str = ""
    model: ModelRef | None = None
    host: str | None = None
    resolved: dict[str, Any] = Field(default_factory=dict)
    observed_at: datetime = Field(default_factory=now)
    raw: dict[str, Any] = Field(default_factory=dict)


class Recipe(Value):
    """What a job was made of, as its host tells it: enough to train the same elsewhere.

    Attributes:
        id: The backend's id of the job.
        status: Where the job is.
        model: What was tuned.
        method: The method as a spec has it: its `type`, and what was set or chosen, by anytune's names.
        files: The backend's ids of the data files, by role.
        name: What the job, or its model's name, was given as a word; empty where there is none.
        tuned: Id of the model that it made; None where there is none (yet).
        others: What was set in the host's own words, for which a spec has none.
    """

    id: str
    status: Status
    model: str
    method: dict[str, Any]
    files: dict[str, str]
    name: str = ""
    tuned: str | None = None
    others: dict[str, Any] = Field(default_factory=dict)


class Event(Value):
    """Something that happened to a job, in the backend's words.

    Attributes:
        id: The backend's cursor: unique in the job, and sortable where the backend's are.
        level: `info`, `warning` or `error`.
        data: Numbers and names that belong to it; never row text or prompts.
    """

    id: str
    at: datetime
    message: str
    level: Literal["info", "warning", "error"] = "info"
    data: dict[str, Any] = Field(default_factory=dict)


class Metric(Value):
    """The numbers of one training step, by the trainer's names (`loss`, `learning_rate`, `eval_loss`, `tokens_per_second`, …)."""

    step: int
    at: datetime
    values: dict[str, float]


class Checkpoint(Value):
    """A state of the model on the way: `model` is an id or a path that can be deployed or continued from."""

    id: str
    step: int
    model: str
    metrics: dict[str, float] = Field(default_factory=dict)
    created_at: datetime | None = None
