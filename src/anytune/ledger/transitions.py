"""The submit states: `intent → sending → submitted | rejected | in_doubt`, and `in_doubt → submitted | intent`.

Each move names the send that it belongs to by its fence, and does nothing (None) where the row has moved on or has ended: a process that
was stopped and woke up late cannot write over what happened since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from anytune.errors import ConfigError
from anytune.ledger import jobs, tables
from anytune.ledger.statuses import following
from anytune.values import Status

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from anytune.backend import RemoteJob
    from anytune.ledger.rows import JobRow
    from anytune.ledger.sender import Sender

__all__ = ["doubt", "reject", "release", "start", "still_mine", "take"]

_JOBS = tables.jobs
_UNCLEAR = ("sending", "in_doubt")
_ENDED = [status.value for status in Status if status.terminal]


def start(connection: Connection, row: JobRow, sender: Sender, *, now: datetime) -> JobRow | None:
    """`intent → sending`, if nobody else was faster, nobody asked for the end and the spec is still the same."""
    return _move(
        connection,
        row,
        (_JOBS.c.submit_state == "intent")
        & (_JOBS.c.status == Status.SUBMITTING.value)
        & _JOBS.c.cancel_requested.is_(False)
        & (_JOBS.c.spec_hash == row.spec_hash),
        submit_state="sending",
        fence=row.fence + 1,
        sender=sender.model_dump(mode="json"),
        sent_at=now,
        updated_at=now,
    )


def still_mine(connection: Connection, row: JobRow) -> bool:
    """Tell whether a send that was begun may still be made.

    A process that was stopped since may have been taken for dead, and its job may be looked for or sent by another one. What is stopped
    after this question, and before the create, makes a second job: it finds that out when it wakes, and cancels that one.
    """
    here = select(_JOBS.c.id).where(_JOBS.c.id == row.id, _JOBS.c.fence == row.fence, _JOBS.c.submit_state == "sending")
    return connection.execute(here).one_or_none() is not None


def doubt(connection: Connection, row: JobRow, error: str, *, now: datetime) -> JobRow | None:
    """`sending → in_doubt`: whether a remote job exists is not known."""
    return _move(connection, row, _JOBS.c.submit_state.in_(_UNCLEAR), submit_state="in_doubt", error=jobs.clean(error), updated_at=now)


def reject(connection: Connection, row: JobRow, error: str, *, now: datetime) -> JobRow | None:
    """Nothing was created, and sending the same again would not help. The job shows as failed; claiming it again begins anew."""
    wanted = {"submit_state": "rejected", "status": Status.FAILED.value, "error": jobs.clean(error), "ended_at": now, "updated_at": now}
    return _move(connection, row, _JOBS.c.submit_state.in_(("intent", *_UNCLEAR)) & _JOBS.c.status.not_in(_ENDED), **wanted)


def release(connection: Connection, row: JobRow, *, now: datetime) -> JobRow | None:
    """`in_doubt → intent`: it was shown that nothing was created. If somebody asked for the end meanwhile, this is the end."""
    current = jobs.one(connection, row.id, row.ledger, lock=True)
    values: dict[str, Any] = {"submit_state": "intent", "sender": None, "sent_at": None, "error": "", "updated_at": now}
    if current.cancel_requested:
        values |= {"status": Status.CANCELLED.value, "ended_at": now, "error": current.error}
    return _move(connection, row, _JOBS.c.submit_state.in_(_UNCLEAR), **values)


def take(connection: Connection, row: JobRow, remote: RemoteJob, *, now: datetime) -> JobRow | None:
    """`→ submitted` with this remote job; None where the row has another, is being sent anew, or has ended without one.

    An ended remote job is written down as unknown: only a poll knows its result, and the next one tells.

    Raises:
        ConfigError: Another row has this remote job.
    """
    current = jobs.one(connection, row.id, row.ledger, lock=True)
    if current.remote_id is not None:
        return current if current.remote_id == remote.id else None
    if current.status.terminal or (current.fence != row.fence and current.submit_state == "sending"):
        return None
    _refuse_taken(connection, current, remote)
    seen = {Status.UNKNOWN: Status.QUEUED}.get(remote.status, Status.UNKNOWN if remote.status.terminal else remote.status)
    return jobs.change(
        connection,
        row.id,
        row.ledger,
        now=now,
        submit_state="submitted",
        remote_id=remote.id,
        status=following(current.status, seen).value,
        resolved=jobs.clean(current.resolved | remote.resolved),
        error=current.error if current.cancel_requested else "",
    )


def _move(connection: Connection, row: JobRow, condition: Any, **values: Any) -> JobRow | None:
    here = (_JOBS.c.id == row.id) & (_JOBS.c.fence == row.fence) & condition
    moved = connection.execute(_JOBS.update().where(here).values(**values).returning(_JOBS)).one_or_none()
    return None if moved is None else jobs.job_of(moved, row.ledger)


def _refuse_taken(connection: Connection, row: JobRow, remote: RemoteJob) -> None:
    same = (_JOBS.c.backend == row.backend) & (_JOBS.c.account == row.account) & (_JOBS.c.remote_id == remote.id)
    other = connection.execute(select(_JOBS.c.id, _JOBS.c.name).where(same)).one_or_none()
    if other is not None:
        raise ConfigError(
            f"Job {row.name!r} ({row.id}) is {remote.id} at {row.backend}, which is job {other.name!r} ({other.id}) already.",
            fix=f"Remove that row (`anytune jobs rm {other.id}`) or go on with it.",
            backend=row.backend,
            job_id=row.id,
        )
