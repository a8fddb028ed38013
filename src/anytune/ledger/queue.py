"""The queue of an account: no more jobs are live there than it may have; the others wait as intents, in the ledger's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from anytune.ledger import jobs, tables
from anytune.values import Status

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from anytune.ledger.rows import JobRow

__all__ = ["enter", "waits_for"]

_JOBS = tables.jobs
_ENDED = [status.value for status in Status if status.terminal]


def enter(connection: Connection, row: JobRow, limit: int | None, *, now: datetime) -> JobRow:
    """Give the row with what it waits for written down; `waiting` is empty where it may be sent."""
    waiting = waits_for(connection, row, limit)
    return row if waiting == row.waiting else jobs.change(connection, row.id, row.ledger, now=now, waiting=waiting)


def waits_for(connection: Connection, row: JobRow, limit: int | None) -> str:
    """Say what a job waits for before it is sent; empty where it may be sent now.

    Args:
        connection: A transaction that may write: two callers never count at the same time.
        row: A job that was not sent yet.
        limit: How many jobs of its account may be live.
    """
    if limit is None:
        return ""
    account = (_JOBS.c.backend == row.backend) & (_JOBS.c.account == row.account) & _JOBS.c.status.not_in(_ENDED)
    live = connection.execute(select(func.count()).where(account & (_JOBS.c.submit_state != "intent"))).scalar_one()
    return "" if live < limit else f"one of {limit} places at {row.backend}"
