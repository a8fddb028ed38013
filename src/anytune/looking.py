"""One look at a job: what is wished is asked for again, what is seen goes into the ledger, what is too much is ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.budget import overdrawn

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.ledger import JobRow
    from anytune.runtime import Runtime

__all__ = ["asked_to_end", "looked"]


def looked(row: JobRow, backend: Backend, context: Runtime) -> JobRow:
    """Look once at a job that was submitted.

    Args:
        row: As the ledger has it now: an observation that somebody else made since is not overwritten.
        backend: Who trains.
        context: Ledger and retries.

    Raises:
        BackendError: The backend could not be asked; the job is as it was.
    """
    remote_id = row.remote_id
    if remote_id is None:
        return row
    if row.cancel_requested and not row.status.terminal:
        context.retry.write(lambda: backend.cancel(remote_id), backend=backend)
    seen = context.retry.read(lambda: backend.poll(remote_id), backend=backend)
    row = context.ledger.record(row.id, seen, since=row.observation)
    reason = "" if row.cancel_requested else overdrawn(row, context)
    return asked_to_end(row, backend, context, reason=reason) if reason else row


def asked_to_end(row: JobRow, backend: Backend, context: Runtime, *, reason: str = "") -> JobRow:
    """Write down that a job shall end, then ask for it. Every later look asks again until the backend confirms it."""
    row = context.ledger.request_cancel(row.id, reason=reason)
    remote_id = row.remote_id
    if remote_id is not None and not row.status.terminal:
        context.retry.write(lambda: backend.cancel(remote_id), backend=backend)
    return row
