"""Fine-tuning jobs, their events and their checkpoints as JSON."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from anytune.server.shapes.names import checkpoint_name, numbers
from anytune.server.shapes.orders import JobOrder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from anytune.server.book.rows import EventRow, JobRow
    from anytune.values import Checkpoint

__all__ = ["CheckpointList", "CheckpointObject", "EventList", "EventObject", "JobList", "JobObject"]

_MOST_EPOCHS, _MOST_ROWS = 50, 256
"""The largest numbers that the published description has words for (read 2026-08-21)."""

_Auto = Literal["auto"]


class JobError(BaseModel):
    """Why a job failed."""

    code: str
    message: str
    param: str | None = None


class ShownHyperparameters(BaseModel):
    """What was chosen; `auto` as long as it is not."""

    n_epochs: _Auto | Annotated[int, Field(ge=1, le=_MOST_EPOCHS)] = "auto"
    batch_size: _Auto | Annotated[int, Field(ge=1, le=_MOST_ROWS)] = "auto"
    learning_rate_multiplier: _Auto | Annotated[float, Field(gt=0)] = "auto"


class JobObject(BaseModel):
    """A job."""

    id: str
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    model: str
    created_at: int
    finished_at: int | None = None
    fine_tuned_model: str | None = None
    organization_id: str
    result_files: list[str]
    status: Literal["validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"]
    validation_file: str | None = None
    training_file: str
    hyperparameters: ShownHyperparameters
    trained_tokens: int | None = None
    error: JobError | None = None
    user_provided_suffix: str | None = None
    seed: int
    estimated_finish: int | None = None
    integrations: list[dict[str, Any]] = Field(default_factory=list)
    metadata: dict[str, str] | None = None
    method: dict[str, Any]

    @classmethod
    def of(cls, row: JobRow, organization: str) -> Self:
        """Show a row."""
        asked = JobOrder.model_validate(row.request)
        chosen = _chosen(asked, row.resolved)
        return cls(
            id=row.id,
            model=row.model,
            created_at=_stamp(row.created_at),
            finished_at=_stamp(row.finished_at) if row.finished_at and row.ended else None,
            fine_tuned_model=row.fine_tuned_model if row.status == "succeeded" else None,
            organization_id=organization,
            result_files=row.result_files,
            status=row.status,
            validation_file=asked.validation_file,
            training_file=asked.training_file,
            hyperparameters=ShownHyperparameters.model_validate({name: chosen[name] for name in ShownHyperparameters.model_fields}),
            trained_tokens=row.trained_tokens if row.status == "succeeded" else None,
            error=_error(row),
            user_provided_suffix=asked.suffix,
            seed=_seed(row, asked),
            estimated_finish=_stamp(row.estimated_finish) if row.estimated_finish and row.status == "running" else None,
            metadata=asked.metadata,
            method={"type": asked.method_type, asked.method_type: _section(asked, chosen)},
        )


class JobList(BaseModel):
    """A page of jobs."""

    object: Literal["list"] = "list"
    data: list[JobObject]
    has_more: bool


class EventObject(BaseModel):
    """Something that happened to a job."""

    id: str
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: int
    level: Literal["info", "warn", "error"]
    message: str
    type: Literal["message", "metrics"]
    data: dict[str, Any]

    @classmethod
    def of(cls, row: EventRow) -> Self:
        """Show a row."""
        return cls(id=row.id, created_at=_stamp(row.at), level=row.level, message=row.message, type=row.type, data=row.data)


class EventList(BaseModel):
    """A page of events."""

    object: Literal["list"] = "list"
    data: list[EventObject]
    has_more: bool


class CheckpointObject(BaseModel):
    """A state of the model on the way."""

    id: str
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int
    fine_tuned_model_checkpoint: str
    fine_tuning_job_id: str
    metrics: dict[str, float]
    step_number: int

    @classmethod
    def of(cls, job: JobRow, point: Checkpoint, organization: str) -> Self:
        """Show a checkpoint of a job."""
        return cls(
            id="ftckpt_" + hashlib.sha256(f"{job.id}:{point.id}".encode()).hexdigest()[:24],
            created_at=_stamp(point.created_at or job.started_at or job.created_at),
            fine_tuned_model_checkpoint=checkpoint_name(job, organization, point.step),
            fine_tuning_job_id=job.id,
            metrics={"step": point.step} | numbers(point.metrics),
            step_number=point.step,
        )


class CheckpointList(BaseModel):
    """A page of checkpoints."""

    object: Literal["list"] = "list"
    data: list[CheckpointObject]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool


def _stamp(at: datetime) -> int:
    return int(at.timestamp())


def _error(row: JobRow) -> JobError | None:
    if row.status != "failed":
        return None
    found = row.error or {}
    said = found.get("message") or "The job failed due to an internal error."
    return JobError(code=found.get("code") or "server_error", message=said, param=found.get("param"))


def _seed(row: JobRow, asked: JobOrder) -> int:
    """Give the seed that was asked for, or that the server drew; 0 where the backend has no word for one."""
    drawn = row.target.get("hyperparameters", {}).get("seed")
    return int(next((seed for seed in (row.resolved.get("seed"), asked.seed, drawn) if seed is not None), 0))


def _section(asked: JobOrder, chosen: dict[str, Any]) -> dict[str, Any]:
    said = {} if asked.section is None else asked.section.model_dump(mode="json", exclude_unset=True)
    return said | {"hyperparameters": chosen}


def _chosen(asked: JobOrder, resolved: Mapping[str, Any]) -> dict[str, Any]:
    """Give the method's hyperparameters, with what was chosen where they say `auto` and the protocol has a word for it."""
    found = {
        "n_epochs": _whole(resolved.get("num_train_epochs"), _MOST_EPOCHS),
        "batch_size": _whole(_rows_a_step(resolved), _MOST_ROWS),
        "learning_rate_multiplier": _positive(resolved.get("learning_rate_multiplier")),
        "beta": _positive(resolved.get("beta"), 2),
    }
    return {name: (found.get(name) or value) if value == "auto" else value for name, value in asked.settings.items()}


def _rows_a_step(resolved: Mapping[str, Any]) -> Any:
    rows, passes = resolved.get("per_device_train_batch_size"), resolved.get("gradient_accumulation_steps")
    if "batch_size" in resolved or not isinstance(rows, int):
        return resolved.get("batch_size")
    return rows * passes if isinstance(passes, int) else rows


def _whole(value: object, most: int) -> int | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if number and value == int(value) and 1 <= value <= most else None  # type: ignore[call-overload, operator]


def _positive(value: object, most: float = math.inf) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= most else None
