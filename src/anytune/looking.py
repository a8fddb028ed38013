"""One look at a job: what is wished is asked for again, what is seen goes into the ledger, what is too much is ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from anytune.budget import CHECKPOINT_S, overdrawn
from anytune.errors import BackendError, NotFound, Transient
from anytune.values import Snapshot, Status

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.ledger import JobRow
    from anytune.runtime import Runtime

__all__ = ["asked_to_end", "held", "looked", "made_room", "not_found"]

_UNSEEN = timedelta(seconds=30)
"""Time after which a job that holds a place is looked at by one that waits for it."""


def looked(row: JobRow, backend: Backend, context: Runtime) -> JobRow:
    """Look once at a job that was submitted.

    Args:
        row: As the ledger has it now: an observation that somebody else made since is not overwritten.
        backend: Who trains.
        context: Ledger and retries.

    Raises:
        BackendError: The backend could not be asked; the job is as it was. `NotFound`: it knows no such job, whose status is unknown now.
    """
    remote_id = row.remote_id
    if remote_id is None:
        return row
    try:
        if row.cancel_requested and not row.status.terminal:
            context.retry.write(lambda: backend.cancel(remote_id), backend=backend)
        seen = context.retry.read(lambda: backend.poll(remote_id), backend=backend)
    except NotFound as error:
        not_found(row, error, context)
        raise
    return held(context.ledger.record(row.id, seen, since=row.observation), backend, context)


def not_found(row: JobRow, error: NotFound, context: Runtime) -> JobRow:
    """Write down that a backend knows no such job: it was deleted there, or this key is of another project. Neither is an end."""
    unknown = Snapshot(id=row.remote_id or row.id, status=Status.UNKNOWN, host=row.host, raw={"error": error.message})
    return context.ledger.record(row.id, unknown, since=row.observation)


def held(row: JobRow, backend: Backend, context: Runtime) -> JobRow:
    """Hold a job that was just looked at to its budget: one that is over it is ended.

    Raises:
        BackendError: The backend could not be asked for the end; the next look asks again.
    """
    reason = "" if row.cancel_requested else overdrawn(row, backend, context)
    return _overdrawn(row, backend, context, reason) if reason else row


def asked_to_end(row: JobRow, backend: Backend, context: Runtime, *, reason: str = "") -> JobRow:
    """Write down that a job shall end, then ask for it. Every later look asks again until the backend confirms it."""
    row = context.ledger.request_cancel(row.id, reason=reason)
    remote_id = row.remote_id
    if remote_id is not None and not row.status.terminal:
        context.retry.write(lambda: backend.cancel(remote_id), backend=backend)
    return row


def made_room(row: JobRow, backend: Backend, context: Runtime) -> None:
    """Look at the jobs that hold the places which a job waits for, where nobody looked at them for a while: they may have ended."""
    for other in context.ledger.holders(row, unseen_since=context.ledger.clock() - _UNSEEN):
        if backend.capabilities.local and other.host != row.host:
            continue
        try:
            looked(other, backend, context)
        except BackendError as error:  # the next try looks again
            if not isinstance(error, NotFound):  # of one that was deleted there, nothing follows for the others
                return


def _overdrawn(row: JobRow, backend: Backend, context: Runtime, reason: str) -> JobRow:
    """End a job over its budget; where the backend can pause, it is given time to save a checkpoint first."""
    row = context.ledger.overdraw(row.id, reason=reason)
    remote_id, since = row.remote_id, row.overdrawn_at
    waited = since is None or (context.ledger.clock() - since).total_seconds() > CHECKPOINT_S
    if remote_id is None or row.status is not Status.RUNNING or waited or "pause" not in backend.capabilities.abilities:
        return asked_to_end(row, backend, context, reason=reason)
    try:
        context.retry.write(lambda: backend.pause(remote_id), backend=backend)
    except BackendError as error:
        if isinstance(error, Transient):
            raise
        return asked_to_end(row, backend, context, reason=reason)
    return row
