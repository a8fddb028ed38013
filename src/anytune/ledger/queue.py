"""The queue of an account: no more jobs are live there than it may have; the others wait as intents, in the ledger's order.

A job waits for as long as somebody asks for it: each try is written down as a sign of life (`updated_at`). Those that were heard of
lately go first by their sequence; one that nobody asks for any more keeps its place in the ledger and blocks nobody.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from anytune.ledger import jobs, tables
from anytune.ledger.engine import alone
from anytune.values import Status

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from anytune.errors import RateLimited
    from anytune.ledger.rows import JobRow

__all__ = ["HEARD_S", "enter", "holders", "put_off", "waits_for"]

HEARD_S = 90.0
"""Seconds without a try after which a waiting job is passed over: three of the longest pauses between two looks."""

_FIRST_S, _LONGEST_S, _LONGEST_TOLD_S = 10.0, 600.0, 3600.0
"""Pauses after refusals: doubling where the provider names none, and never longer than an hour on its word."""
_DOUBLINGS = 6
"""After so many the longest pause is reached."""

_JOBS = tables.jobs
_ENDED = [status.value for status in Status if status.terminal]


def enter(connection: Connection, row: JobRow, limit: int | None, *, now: datetime, local: bool = False) -> JobRow:
    """Give the row with what it waits for written down; `waiting` is empty where it may be sent, by this transaction.

    Args:
        connection: A transaction that may write. Who sends the job does so in this one: what was counted is true until it commits.
        row: A job that was not sent yet.
        limit: How many jobs of its account may be live; None is no limit.
        now: The time.
        local: The machine of the row is a place of its own: jobs of others do not count.
    """
    waiting = waits_for(connection, row, limit, now=now, local=local)
    return jobs.change(connection, row.id, row.ledger, now=now, waiting=waiting) if waiting or row.waiting else row


def waits_for(connection: Connection, row: JobRow, limit: int | None, *, now: datetime, local: bool = False) -> str:
    """Say what a job waits for before it is sent; empty where it may be sent now. Arguments as for `enter`."""
    alone(connection, f"queue of {row.backend}/{row.account}")
    account = (_JOBS.c.backend == row.backend) & (_JOBS.c.account == row.account) & _JOBS.c.status.not_in(_ENDED)
    if local:
        account &= _JOBS.c.host == row.host
    unsent = account & (_JOBS.c.submit_state == "intent")
    refused = select(_JOBS.c.waiting, _JOBS.c.not_before).where(unsent & (_JOBS.c.not_before > now))
    refusal = connection.execute(refused.order_by(_JOBS.c.not_before.desc()).limit(1)).one_or_none()
    if refusal is not None:
        return str(refusal.waiting)
    if limit is None:
        return ""
    live = _count(connection, account & (_JOBS.c.submit_state != "intent"))
    heard = _JOBS.c.updated_at > now - timedelta(seconds=HEARD_S)
    before = _count(connection, unsent & (_JOBS.c.waiting != "") & (_JOBS.c.sequence < row.sequence) & heard)
    if live + before < limit:
        return ""
    unclear = _count(connection, account & (_JOBS.c.submit_state == "in_doubt"))
    remarks = [f"{before} before it"] if before else []
    remarks += [f"{unclear} in doubt: anytune reconcile"] if unclear else []
    place = "the one place" if limit == 1 else f"one of {limit} places"
    return f"{place} at {row.backend}" + (f" ({'; '.join(remarks)})" if remarks else "")


def holders(connection: Connection, row: JobRow, *, unseen_since: datetime) -> list[JobRow]:
    """Give the jobs that hold places at the account of a job, and that nobody wrote of since then: they may have ended."""
    account = (_JOBS.c.backend == row.backend) & (_JOBS.c.account == row.account) & _JOBS.c.status.not_in(_ENDED)
    unseen = account & _JOBS.c.remote_id.is_not(None) & (_JOBS.c.updated_at < unseen_since)
    return [jobs.job_of(each, row.ledger) for each in connection.execute(select(_JOBS).where(unseen).order_by(_JOBS.c.sequence))]


def put_off(connection: Connection, row: JobRow, error: RateLimited, *, now: datetime) -> JobRow:
    """Let a job wait that its provider took not, and was shown not to have. All of its account wait with it."""
    pause_s = min(_LONGEST_S, _FIRST_S * 2.0 ** min(max(row.fence - 1, 0), _DOUBLINGS))
    if error.retry_after is not None:
        pause_s = min(max(error.retry_after, 0.0), _LONGEST_TOLD_S)
    waiting = jobs.clean(f"the provider takes no more jobs now: {error.message}")
    return jobs.change(connection, row.id, row.ledger, now=now, waiting=waiting, not_before=now + timedelta(seconds=pause_s))


def _count(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(_JOBS).where(condition)).scalar_one()
