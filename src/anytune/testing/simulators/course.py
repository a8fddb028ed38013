"""How a simulated job moves through its life, and what it says, measures and makes on the way."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from anytune.testing.simulators.errors import job_error
from anytune.testing.simulators.state import CheckpointRecord, EventRecord, FileRecord, ModelRecord

if TYPE_CHECKING:
    from anytune.testing.simulators.dialect import Dialect
    from anytune.testing.simulators.home import Home
    from anytune.testing.simulators.state import JobRecord

__all__ = ["advance", "begin", "cancel", "fail", "hold", "release"]


def begin(home: Home, job: JobRecord) -> None:
    """Say what a new job says first, and let its first word happen."""
    job.since = job.created_at
    told = f" and validation file: {job.validation_file}" if job.validation_file else ""
    _tell(home, job, f"Created fine-tuning job: {job.id}")
    _tell(home, job, f"Validating training file: {job.training_file}{told}")
    _arrive(home, job, job.created_at)


def advance(home: Home, job: JobRecord, *, poll: bool) -> None:
    """Move a job on to where it is now.

    Args:
        home: Whose job it is.
        job: The job; it is changed.
        poll: A client asks for this job; lives without `tick_s` move on only then, from the second time on.
    """
    first, job.seen = not job.seen, job.seen or poll
    if job.detour:
        if poll and len(job.detour) > 1:
            job.detour.pop(0)
        elif poll and not job.held:
            job.detour.clear()
    elif job.life.tick_s is None:
        if poll and not first:
            _move(home, job, job.position + 1, home.clock())
        return
    _tick(home, job)


def cancel(home: Home, job: JobRecord) -> None:
    """End a job at once, or after the life's `cancel_polls`."""
    waiting = ["cancelling" if "cancelling" in job.life.words else "running"] * job.life.cancel_polls
    job.detour, job.held = [*waiting, "cancelled"], True
    job.finished_at = home.clock()
    _tell(home, job, "The job was cancelled")


def hold(home: Home, job: JobRecord) -> None:
    """Pause a job."""
    job.detour, job.held = list(home.dialect.pausing), True
    _tell(home, job, "The job was paused")


def release(home: Home, job: JobRecord) -> None:
    """Let a paused job go on, also one that its life has paused."""
    now = home.clock()
    job.detour, job.held, job.since = list(home.dialect.resuming), False, now
    _tell(home, job, "The job was resumed")
    if job.life.words[job.position] == "paused" and job.position + 1 < len(job.life.words):
        job.position += 1
        job.active_s = job.position * (job.life.tick_s or 1.0)
        _arrive(home, job, now)


def fail(home: Home, job: JobRecord, name: str) -> None:
    """End a job as failed, now, for a reason of `JOB_ERRORS` or in words of your own."""
    job.error = job_error(name, file=job.training_file)
    job.detour, job.held = ["failed"], True
    _failed(home, job, home.clock())


def _tick(home: Home, job: JobRecord) -> None:
    now = home.clock()
    tick_s = job.life.tick_s
    if tick_s is not None and not job.detour:
        job.active_s += max(0.0, now - job.since)
        _move(home, job, int(job.active_s // tick_s), now)
    job.since = now


def _move(home: Home, job: JobRecord, target: int, now: float) -> None:
    last = len(job.life.words) - 1
    while job.position < min(target, last) and not job.ended and job.word != "paused":
        if job.word != "running" and job.life.words[job.position + 1] == "running" and not home.may_run(job):
            job.active_s = job.position * (job.life.tick_s or 1.0)
            return
        job.position += 1
        _arrive(home, job, now)
    if job.word == "paused":
        job.active_s = job.position * (job.life.tick_s or 1.0)


def _arrive(home: Home, job: JobRecord, now: float) -> None:
    """Let happen what the position that was just reached brings."""
    words, word = job.life.words, job.word
    if job.position in job.life.events:
        _tell(home, job, job.life.events[job.position])
    match word:
        case "queued" | "pending" if word not in words[: job.position]:
            _tell(home, job, "Files validated, moving job to queued state")
        case "running":
            _step(home, job, now)
        case "succeeded":
            _succeeded(home, job, now)
        case "failed":
            job.error = job.error or job_error(job.life.error, file=job.training_file)
            _failed(home, job, now)
        case "cancelled" | "canceled":
            job.finished_at = now
        case _:
            pass


def _step(home: Home, job: JobRecord, now: float) -> None:
    step, total = job.steps, job.life.steps
    if step == 1:
        _tell(home, job, "Fine-tuning job started")
    measured = metrics(job, step)
    told = f", validation loss={measured['valid_loss']:.2f}" if "valid_loss" in measured else ""
    shown = {"step": float(step), "total_steps": float(total), **measured}
    _tell(home, job, f"Step {step}/{total}: training loss={measured['train_loss']:.2f}{told}", shown)
    last = step == total
    if step % job.life.checkpoint_every and not last:
        return
    name = home.tuned_name(job) if last else home.checkpoint_name(job, step)
    point = CheckpointRecord(home.new_id("checkpoint"), now, step, name, {"step": float(step), **measured})
    job.checkpoints.append(point)
    if not last:
        _tell(home, job, f"Checkpoint created at step {step} with Snapshot ID: {name}")
        _offer(home, job, name, now)
    for old in job.checkpoints[: -home.dialect.keeps_checkpoints]:
        home.world.models.pop(old.model, None)
    del job.checkpoints[: -home.dialect.keeps_checkpoints]


def metrics(job: JobRecord, step: int) -> dict[str, float]:
    """Give what a step measures: it falls and rises as it should, and is the same for every job."""
    loss, accuracy = round(2.0 / (1 + step), 6), round(step / (1.0 + step), 6)
    found = {"train_loss": loss, "train_mean_token_accuracy": accuracy}
    if job.validation_file:
        found |= {"valid_loss": round(loss * 1.1, 6), "valid_mean_token_accuracy": round(accuracy * 0.9, 6)}
    return found


def _succeeded(home: Home, job: JobRecord, now: float) -> None:
    job.finished_at = now
    name = job.tuned = home.tuned_name(job)
    _offer(home, job, name, now)
    dialect = home.dialect
    results = FileRecord(home.new_id("file"), dialect.results_name, "fine-tune-results", _csv(job, dialect), now, project=job.project)
    home.world.files[results.id] = results
    job.result_files = [results.id]
    _tell(home, job, f"New fine-tuned model created: {name}")
    _tell(home, job, "The job has successfully completed")


def _failed(home: Home, job: JobRecord, now: float) -> None:
    job.finished_at = now
    _tell(home, job, job.error.message if job.error else "The job failed", level="error")


def _offer(home: Home, job: JobRecord, name: str, now: float) -> None:
    owner = home.owner
    home.world.models[name] = ModelRecord(name, now, owned_by=owner, base=job.base, job=job, project=job.project)


def _csv(job: JobRecord, dialect: Dialect) -> bytes:
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(["step", *dialect.results_columns])
    for step in range(1, job.steps + 1):
        found = metrics(job, step)
        rows.writerow([step, *(found.get(name, "") for name in dialect.results_columns.values())])
    return written.getvalue().encode()


def _tell(home: Home, job: JobRecord, message: str, data: dict[str, float] | None = None, level: str = "info") -> None:
    job.events.append(EventRecord(home.new_id("event"), home.clock(), message, level, data))
