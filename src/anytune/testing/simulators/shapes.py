"""Records as the JSON that a provider answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.catalog import auto_epochs

if TYPE_CHECKING:
    from anytune.testing.simulators.home import Home
    from anytune.testing.simulators.state import CheckpointRecord, EventRecord, FileRecord, JobRecord, ModelRecord, UploadRecord

__all__ = ["checkpoint", "epochs_of", "event", "file", "job", "model", "resolved", "upload"]

_MULTIPLIER = 2.0


def job(home: Home, record: JobRecord) -> dict[str, Any]:
    """Give a job."""
    error = record.error._asdict() if record.error and record.word == "failed" else None
    done = record.word == "succeeded"
    nulls = home.dialect.nulls
    shown: dict[str, Any] = {
        "object": "fine_tuning.job",
        "id": record.id,
        "model": record.model,
        "created_at": home.stamp(record.created_at),
        "finished_at": None if record.finished_at is None or not record.ended else home.stamp(record.finished_at),
        "fine_tuned_model": record.tuned if done else None,
        "organization_id": home.organization,
        "result_files": list(record.result_files),
        "status": home.faults.unknown_status or record.word if record.word == "running" else record.word,
        "training_file": record.training_file,
        "validation_file": record.validation_file,
        "hyperparameters": None
        if nulls and record.method == "dpo"
        else resolved(record, {"n_epochs", "batch_size", "learning_rate_multiplier"}),
        "trained_tokens": record.tokens * record.epochs if done else None,
        "error": error or ({"code": None, "message": None, "param": None} if nulls else None),
        "estimated_finish": None,
        "integrations": [] if record.body.get("integrations") is None else record.body["integrations"],
        "seed": record.seed,
        "method": {"type": record.method, record.method: _method(record)},
    }
    if home.dialect.keeps_metadata:
        shown["metadata"] = record.metadata or None
    if home.dialect.shows_suffix:
        shown["user_provided_suffix"] = record.suffix
    return shown


def resolved(record: JobRecord, names: set[str] | None = None) -> dict[str, Any]:
    """Give a job's hyperparameters: `auto` until the files are validated, then what was chosen."""
    chosen: dict[str, Any] = {"n_epochs": record.epochs, "batch_size": 1, "learning_rate_multiplier": _MULTIPLIER, "beta": 0.1}
    validated = record.position > 0 or record.life.words[0] == "running"
    shown = {name: chosen.get(name, value) if value == "auto" and validated else value for name, value in record.settings.items()}
    return {name: value for name, value in shown.items() if names is None or name in names}


def epochs_of(asked: object, rows: int) -> int:
    """Give how often the data is seen."""
    return asked if isinstance(asked, int) else auto_epochs(rows) or 3


def event(home: Home, record: EventRecord) -> dict[str, Any]:
    """Give an event."""
    return {
        "object": "fine_tuning.job.event",
        "id": record.id,
        "created_at": home.stamp(record.created_at),
        "level": record.level,
        "message": record.message,
        "type": "message" if record.data is None else "metrics",
        "data": record.data if record.data is not None else (None if home.dialect.nulls else {}),
    }


def checkpoint(home: Home, owner: JobRecord, record: CheckpointRecord) -> dict[str, Any]:
    """Give a checkpoint."""
    return {
        "object": "fine_tuning.job.checkpoint",
        "id": record.id,
        "created_at": home.stamp(record.created_at),
        "fine_tuned_model_checkpoint": record.model,
        "fine_tuning_job_id": owner.id,
        "metrics": record.metrics,
        "step_number": record.step,
    }


def file(home: Home, record: FileRecord, state: tuple[str, str]) -> dict[str, Any]:
    """Give a file in a state: its word, and what it says where it could not be processed."""
    status, details = state
    shown: dict[str, Any] = {
        "object": "file",
        "id": record.id,
        "purpose": record.purpose,
        "filename": record.filename,
        "bytes": len(record.content),
        "created_at": home.stamp(record.created_at),
        "status": status,
    }
    optional = {"expires_at": None if record.expires_at is None else home.stamp(record.expires_at), "status_details": details or None}
    return shown | {name: value for name, value in optional.items() if home.dialect.nulls or value is not None}


def upload(home: Home, record: UploadRecord, status: str, made: dict[str, Any] | None) -> dict[str, Any]:
    """Give an upload; `made` is its file."""
    return {
        "object": "upload",
        "id": record.id,
        "bytes": record.size_bytes,
        "created_at": home.stamp(record.created_at),
        "expires_at": home.stamp(record.expires_at),
        "filename": record.filename,
        "purpose": record.purpose,
        "status": status,
        "file": made,
    }


def model(home: Home, record: ModelRecord) -> dict[str, Any]:
    """Give a model."""
    return {
        "object": "model",
        "id": record.id,
        "created": home.stamp(record.created_at),
        "owned_by": record.owned_by,
        "shutdown_date": record.shutdown_date,
    }


def _method(record: JobRecord) -> dict[str, Any]:
    found: dict[str, Any] = {"hyperparameters": resolved(record)}
    if record.method == "reinforcement":
        found["grader"] = record.body["method"]["reinforcement"]["grader"]
    return found
