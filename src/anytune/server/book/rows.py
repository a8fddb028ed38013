"""What the book gives: frozen rows without a database behind them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from anytune.values import ModelRef, Value

__all__ = ["DeliveryRow", "EventRow", "FileRow", "JobRow", "KeyRow", "PartRow", "Stage", "UploadRow", "Wish", "Word"]

Stage = Literal["received", "checked", "submitted", "ended"]
"""How far an order has come: its files are looked at, it waits for its turn, a backend has it, nothing is left to do."""

Word = Literal["validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"]
"""OpenAI's words for where a job is."""

Wish = Literal["cancel", "pause", "resume"]
"""What its owner asked for, kept until it is done."""


class KeyRow(Value):
    """A client's key; the key itself is known to its owner only."""

    id: str
    owner: str
    label: str = ""
    digest: str
    admin: bool = False
    requests_per_minute: int | None = None
    live_jobs: int | None = None
    storage_bytes: int | None = None
    created_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None


class FileRow(Value):
    """A file; its bytes lie in the store under `id`."""

    sequence: int
    id: str
    owner: str
    filename: str
    purpose: str
    size_bytes: int
    sha256: str
    created_at: datetime
    expires_at: datetime | None = None


class UploadRow(Value):
    """A file that comes in parts."""

    id: str
    owner: str
    filename: str
    purpose: str
    mime_type: str
    size_bytes: int
    status: Literal["pending", "completed", "cancelled", "expired"]
    file_expires_s: int | None = None
    file_id: str | None = None
    created_at: datetime
    expires_at: datetime


class PartRow(Value):
    """One part of an upload; its bytes lie in the store under `id`."""

    id: str
    upload_id: str
    size_bytes: int
    created_at: datetime


class JobRow(Value):
    """An order for a fine-tuned model.

    Attributes:
        sequence: Place in the book.
        id: `ftjob-…`, as the client knows it.
        owner: Whose it is.
        request: The body that was sent, as JSON.
        request_hash: SHA-256 of it in one fixed form: the same order sent again by a client that lost the reply is found by this.
        idempotency_key: What the client sent as `Idempotency-Key`.
        model: The model's name as asked.
        target: Where that name leads to, as JSON of `config.Target` with `backend` and `model` filled in: kept, so that another
            configuration does not change an order that was taken.
        stage: How far it has come.
        status: OpenAI's word.
        wish: What its owner asked for and is not done yet.
        ledger_id: The ledger's job, once a backend was asked.
        error: `code`, `message` and `param`, where it failed.
        fine_tuned_model: Its model's name to clients, once it succeeded.
        model_ref: What was produced.
        model_deleted: Whether its owner deleted the model.
        resolved: Hyperparameters that were chosen, by anytune's names.
        trained_tokens: Tokens read in training, once it succeeded.
        result_files: Ids of files with the numbers of each step.
    """

    sequence: int
    id: str
    owner: str
    request: dict[str, Any]
    request_hash: str
    idempotency_key: str | None = None
    model: str
    target: dict[str, Any]
    stage: Stage
    status: Word
    wish: Wish | None = None
    ledger_id: str | None = None
    error: dict[str, Any] | None = None
    fine_tuned_model: str | None = None
    model_ref: ModelRef | None = None
    model_deleted: bool = False
    resolved: dict[str, Any] = Field(default_factory=dict)
    trained_tokens: int | None = None
    result_files: list[str] = Field(default_factory=list)
    estimated_finish: datetime | None = None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def backend(self) -> str:
        """The word of the backend that trains it."""
        return str(self.target["backend"])

    @property
    def ended(self) -> bool:
        """Tell whether its status can never change again."""
        return self.status in {"succeeded", "failed", "cancelled"}


class EventRow(Value):
    """Something that happened to an order."""

    sequence: int
    id: str
    job_id: str
    origin: str | None = None
    at: datetime
    level: Literal["info", "warn", "error"] = "info"
    message: str
    type: Literal["message", "metrics"] = "message"
    data: dict[str, Any] = Field(default_factory=dict)


class DeliveryRow(Value):
    """A webhook call that is owed or done."""

    id: str
    job_id: str
    type: str
    webhook: str
    attempts: int = 0
    due_at: datetime | None = None
    delivered_at: datetime | None = None
    error: str = ""
    created_at: datetime
