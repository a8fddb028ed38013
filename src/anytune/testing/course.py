"""How a job of the memory backend moves through its life: positions, and the events, metrics and checkpoints that come with them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from anytune.testing.life import status_of
from anytune.values import Checkpoint, Event, Metric, ModelRef, Snapshot, Status

if TYPE_CHECKING:
    from anytune.testing.store import JobRecord

__all__ = ["advance", "model_of", "snapshot", "step_of", "word_of"]


def word_of(job: JobRecord) -> str:
    """Give the provider's word for where a job is."""
    if job.cancelled:
        return "cancelling" if job.cancel_polls > 0 else "cancelled"
    if job.paused:
        return "paused"
    return job.life.words[job.position]


def step_of(job: JobRecord) -> int:
    """Count the training steps done."""
    return job.life.words[: job.position + 1].count("running") if job.seen else 0


def advance(job: JobRecord, now: float, *, poll: bool) -> None:
    """Move a job on to where it is at `now` (the backend clock's seconds), and note what happened on the way.

    Args:
        job: The job; it is changed.
        now: Seconds.
        poll: A poll asks; lives without `tick_s` move on only then.
    """
    if job.cancelled:
        job.cancel_polls -= poll
    elif not job.seen:
        if poll or job.life.tick_s is not None:
            job.seen = True
            _arrive(job, now)
    elif not job.paused and job.life.tick_s is None and poll:
        _move(job, job.position + 1, now)
    if job.life.tick_s is not None and not job.cancelled:
        _tick(job, now)
    _tell_word(job, now)


def _tick(job: JobRecord, now: float) -> None:
    if not job.paused:
        job.active_s += max(0.0, now - job.since)
        _move(job, int(job.active_s // (job.life.tick_s or 1.0)), now)
    job.since = now


def _move(job: JobRecord, target: int, now: float) -> None:
    last = len(job.life.words) - 1
    while job.position < min(target, last) and not status_of(job.life.words[job.position]).terminal and not job.paused:
        job.position += 1
        _arrive(job, now)


def _arrive(job: JobRecord, now: float) -> None:
    """Note what the position that was just reached brings."""
    word = job.life.words[job.position]
    _tell_word(job, now)
    if job.position in job.life.events:
        _tell(job, now, job.life.events[job.position])
    if word == "paused":
        job.paused = True
        job.active_s = job.position * (job.life.tick_s or 1.0)
    if word != "running":
        return
    step = step_of(job)
    loss = round(2.0 / (1 + step), 6)
    job.metrics.append(Metric(step=step, at=_at(now), values={"loss": loss, "learning_rate": 1e-4}))
    _tell(job, now, f"Step {step}/{job.life.steps}: loss {loss:.4f}", step=step)
    if step % job.life.checkpoint_every == 0:
        name = f"{job.id}-step-{step}"
        job.checkpoints.append(Checkpoint(id=name, step=step, model=f"memory:{name}", metrics={"loss": loss}, created_at=_at(now)))


def _tell_word(job: JobRecord, now: float) -> None:
    word = word_of(job)
    if word != job.last_word:
        job.last_word = word
        _tell(job, now, f"Job is {word}", level="error" if status_of(word) is Status.FAILED else "info")


def _tell(job: JobRecord, now: float, message: str, *, level: str = "info", **data: object) -> None:
    number = f"{len(job.events) + 1:06d}"
    job.events.append(Event.model_validate({"id": number, "at": _at(now), "message": message, "level": level, "data": data}))


def _at(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)


def model_of(job: JobRecord) -> ModelRef:
    """Name what a job produced."""
    return ModelRef(id=f"memory:{job.id}", base_model=job.model)


def snapshot(job: JobRecord, host: str | None) -> Snapshot:
    """Give one observation of a job."""
    word = word_of(job)
    status = status_of(word)
    step, total = step_of(job), job.life.steps
    running = status is Status.RUNNING
    return Snapshot(
        id=job.id,
        status=status,
        step=step,
        total_steps=total,
        tokens_per_second=1000.0 if running else None,
        eta_s=(total - step) * (job.life.tick_s or 1.0) if running else None,
        cost_usd=round(0.01 * step, 4),
        error=job.life.error if status is Status.FAILED else "",
        model=model_of(job) if status is Status.SUCCEEDED else None,
        host=host,
        observed_at=_at(job.since) if job.life.tick_s is not None else datetime.now(UTC),
        raw={"id": job.id, "status": word, "metadata": {"anytune_ref": job.ref, "anytune_spec": job.spec_hash}},
    )
