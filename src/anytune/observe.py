"""Looking at a job: what is new goes into the ledger first, then to whoever asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.errors import JobFailed
from anytune.pauses import growing
from anytune.values import Event, Snapshot, Status, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Backend
    from anytune.ledger import JobRow
    from anytune.runtime import Runtime

__all__ = ["Observation", "failure", "pauses", "pull_events", "pull_metrics"]

_LOCAL_S = 1.0
_FIRST_S, _LONGEST_S = 5.0, 30.0


class Observation(Value):
    """One look at a job: where it is, and the events that are new."""

    snapshot: Snapshot
    events: tuple[Event, ...] = ()


def pauses(backend: Backend, poll_s: float | None) -> Callable[[], float]:
    """Give a function that says how many seconds to wait before the next look.

    Args:
        backend: Who trains: a local job is looked at every second, a hosted one every 5 s growing to 30 s.
        poll_s: The caller's own wish.
    """
    if poll_s is not None:
        return lambda: poll_s
    if backend.capabilities.local:
        return lambda: _LOCAL_S
    return growing(_FIRST_S, _LONGEST_S)


def pull_events(row: JobRow, backend: Backend, context: Runtime) -> None:
    """Take the events that the backend has and the ledger does not."""
    remote_id = row.remote_id
    if remote_id is None or "events" not in backend.capabilities.abilities:
        return
    last = context.ledger.last_event(row.id)
    context.ledger.add_events(row.id, context.retry.read(lambda: backend.events(remote_id, last), backend=backend))


def pull_metrics(row: JobRow, backend: Backend, context: Runtime) -> None:
    """Take the metrics that the backend has and the ledger does not."""
    remote_id = row.remote_id
    if remote_id is None or "metrics" not in backend.capabilities.abilities:
        return
    last = context.ledger.last_step(row.id)
    context.ledger.add_metrics(row.id, context.retry.read(lambda: backend.metrics(remote_id, last), backend=backend))


def failure(row: JobRow, seen: Snapshot) -> JobFailed:
    """Say why a job ended without a model."""
    what = "was cancelled" if seen.status is Status.CANCELLED else "failed"
    reason = f": {seen.error or row.error}" if seen.error or row.error else "."
    return JobFailed(
        f"Job {row.name} (attempt {row.attempt}) {what}{reason}",
        snapshot=seen,
        fix="Correct the reason, then start again with new_attempt=True (--new-attempt).",
        backend=row.backend,
        job_id=row.id,
    )
