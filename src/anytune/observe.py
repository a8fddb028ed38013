"""Looking at a job: what is new goes into the ledger first, then to whoever asked."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from anytune.errors import AnytuneError, BackendError, JobFailed, JobPaused, Transient
from anytune.pauses import Rhythm
from anytune.values import Event, Snapshot, Status, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anytune.backend import Backend
    from anytune.ledger import JobRow
    from anytune.runtime import Runtime

__all__ = [
    "ON",
    "Observation",
    "end_extras",
    "failure",
    "keep",
    "pauses",
    "pull_events",
    "pull_metrics",
    "refuse_to_wait",
    "rhythm_of",
    "standing",
]

ON = "It goes on; wait again."
"""The next step of whoever's patience ended."""

_LOCAL_S = 1.0
_FIRST_S, _LONGEST_S = 5.0, 30.0
_SWEEP_S = 600.0


class Observation(Value):
    """One look at a job: where it is, and the events that are new.

    `asked_s` are the seconds that the backend asked to be left alone, where it could not be looked at for that.
    """

    snapshot: Snapshot
    events: tuple[Event, ...] = ()
    asked_s: float | None = None


def pauses(backend: Backend, poll_s: float | None) -> Callable[[Observation], float]:
    """Give a function that is told each look, and says how many seconds to wait before the next one.

    Args:
        backend: Who trains: a local job is looked at every second, a hosted one in the rhythm of `anytune.pauses`, from 5 s to 30 s, or
            to 2 minutes while its end is far off.
        poll_s: The caller's own wish, which goes before all that.
    """
    if poll_s is not None:
        return lambda _: poll_s
    if backend.capabilities.local:
        return lambda _: _LOCAL_S
    rhythm, last = rhythm_of(backend), None

    def pause(seen: Observation) -> float:
        nonlocal last
        now, before = seen.snapshot.status, last
        last = now
        return rhythm(news=now is not before, eta_s=seen.snapshot.eta_s if now is Status.RUNNING else None, asked_s=seen.asked_s)

    return pause


def rhythm_of(backend: Backend) -> Rhythm:
    """Give the rhythm in which a backend is looked at: a local one at each second, a hosted one from 5 s to 30 s."""
    return Rhythm(_LOCAL_S, _LOCAL_S) if backend.capabilities.local else Rhythm(_FIRST_S, _LONGEST_S)


def pull_events(row: JobRow, backend: Backend, context: Runtime) -> None:
    """Take the events that the backend has and the ledger does not."""
    remote_id = row.remote_id
    if remote_id is None or "events" not in backend.capabilities.abilities:
        return
    last = context.ledger.last_event(row.id)
    with _or_kept(row, known=last is not None):
        context.ledger.add_events(row.id, context.retry.read(lambda: backend.events(remote_id, last), backend=backend))


def pull_metrics(row: JobRow, backend: Backend, context: Runtime) -> None:
    """Take the metrics that the backend has and the ledger does not."""
    remote_id = row.remote_id
    if remote_id is None or "metrics" not in backend.capabilities.abilities:
        return
    last = context.ledger.last_step(row.id)
    with _or_kept(row, known=last is not None):
        context.ledger.add_metrics(row.id, context.retry.read(lambda: backend.metrics(remote_id, last), backend=backend))


def keep(row: JobRow, backend: Backend, context: Runtime) -> None:
    """Take the events and metrics of a job that was attached, as far as they are told: one day its host may tell nothing any more."""
    for pull in (pull_events, pull_metrics):
        with suppress(AnytuneError):  # whoever asks for them is told
            pull(row, backend, context)


@contextmanager
def _or_kept(row: JobRow, *, known: bool) -> Iterator[None]:
    """Be content with what the ledger has of a job that ended, where its backend does not tell it any more."""
    try:
        yield
    except BackendError as error:
        if isinstance(error, Transient) or not known or not row.status.terminal:
            raise


def end_extras(row: JobRow, backend: Backend, context: Runtime, last: float | None) -> float | None:
    """Cancel the second remote job of a row that was sent more than once: a create that was given up may take effect late.

    Args:
        row: The job; most were sent once, and nothing is asked of them.
        backend: Who trains.
        context: Ledger, retries and clock.
        last: When this was done before, by the context's clock: it is done every ten minutes, and once the job has ended or shall.

    Returns:
        When it was done last.
    """
    at = context.clock()
    recent = last is not None and at - last < _SWEEP_S and not (row.status.terminal or row.cancel_requested)
    if row.fence < 2 or row.remote_id is None or recent:  # noqa: PLR2004 - the second send
        return last
    from anytune.ledger import sweep  # noqa: PLC0415 - SQLAlchemy is not needed to look at a job

    with suppress(AnytuneError):  # the next look asks again
        sweep(context.ledger, backend, retry=context.retry, only=row.id)
        return at
    return last


def failure(row: JobRow, seen: Snapshot) -> JobFailed:
    """Say why a job ended without a model."""
    what = "was cancelled" if seen.status is Status.CANCELLED else "failed"
    why = row.error if row.overdrawn_at is not None and row.error else seen.error or row.error
    reason = f": {why}" if why else "."
    return JobFailed(
        f"Job {row.name} (attempt {row.attempt}) {what}{reason}",
        snapshot=seen,
        fix="Correct the reason, then start again with new_attempt=True (--new-attempt).",
        backend=row.backend,
        job_id=row.id,
    )


def standing(row: JobRow) -> str:
    """Say where a job is, and what it waits for before it is sent."""
    waits = row.waiting if row.submit_state == "intent" and not row.status.terminal else ""
    return f"waits for {waits}" if waits else f"is {row.status.value}"


def refuse_to_wait(row: JobRow, seen: Snapshot) -> None:
    """Refuse to wait for what will not go on by itself.

    Raises:
        JobPaused: The job's host stopped it, and says why. A pause that somebody asked for has no reason, and is waited out.
    """
    if seen.status is Status.PAUSED and seen.error:
        raise JobPaused(
            f"Job {row.name} (attempt {row.attempt}) is paused: {seen.error}",
            snapshot=seen,
            fix=f"`anytune jobs resume {row.id}` goes on from its checkpoint, then wait again.",
            backend=row.backend,
            job_id=row.id,
        )
