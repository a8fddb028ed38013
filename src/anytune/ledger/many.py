"""Many jobs in one question or one transaction: what somebody who watches all of them needs. Each works inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import literal_column, select

from anytune.ledger import jobs, tables
from anytune.values import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from anytune.ledger.rows import JobRow
    from anytune.values import Snapshot

__all__ = ["marks", "nudge", "nudges", "observe", "rows"]

_JOBS = tables.jobs
_LIVE = [status.value for status in Status if not status.terminal]
_AT_ONCE = 500
"""Ids in one question: old SQLite takes 999."""


def nudge(connection: Connection, remote_id: str, ledger: str) -> list[JobRow]:
    """Count a nudge for each job with this id at its backend, and give them; one that has ended is given and not nudged."""
    of_id = _JOBS.c.remote_id == remote_id
    live = of_id & _JOBS.c.status.in_(_LIVE)
    connection.execute(_JOBS.update().where(live).values(nudges=_JOBS.c.nudges + 1))
    return [jobs.job_of(row, ledger) for row in connection.execute(select(_JOBS).where(of_id).order_by(_JOBS.c.sequence))]


def nudges(connection: Connection) -> dict[str, int]:
    """Count the nudges of each job that had any. An index holds just these: the question is cheap where nobody nudges."""
    query = select(_JOBS.c.id, _JOBS.c.nudges).where(_JOBS.c.nudges > literal_column("0"))
    return {row.id: row.nudges for row in connection.execute(query)}


def marks(connection: Connection, ids: Iterable[str]) -> dict[str, datetime]:
    """Say of each job when its row was changed last; one that is not in the answer is not in the ledger any more."""
    return {row.id: row.updated_at for row in _each(connection, ids, _JOBS.c.id, _JOBS.c.updated_at)}


def rows(connection: Connection, ids: Iterable[str], ledger: str) -> dict[str, JobRow]:
    """Give jobs by their ids."""
    found = (jobs.job_of(row, ledger) for row in _each(connection, ids, *_JOBS.c))
    return {row.id: row for row in found}


def observe(connection: Connection, seen: Sequence[tuple[JobRow, Snapshot]], ledger: str, *, now: datetime) -> list[JobRow]:
    """Take in one observation of each of these jobs, made when the row was as it is given."""
    ordered = sorted(seen, key=lambda pair: pair[0].id)  # two that lock the same rows lock them in the same order
    return [jobs.observe(connection, row.id, ledger, snapshot, since=row.observation, now=now) for row, snapshot in ordered]


def _each(connection: Connection, ids: Iterable[str], *columns: ColumnElement[Any]) -> Iterator[Any]:
    wanted = list(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        yield from connection.execute(select(*columns).where(_JOBS.c.id.in_(wanted[start : start + _AT_ONCE])))
