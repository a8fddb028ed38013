"""Events and metrics of jobs: each is kept once, however often it is read from the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select

from anytune.errors import redact
from anytune.ledger import tables
from anytune.ledger.jobs import clean, known_job
from anytune.values import Event, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Table

__all__ = ["add_events", "add_metrics", "events", "metrics"]

_EVENTS, _METRICS = tables.events, tables.metrics
T = TypeVar("T")
_CHUNK, _ROWS = 500, 100
"""Ids in one query, and rows in one insert: SQLite before 3.32 takes 999 parameters."""


def add_events(connection: Connection, job_id: str, new: Iterable[Event]) -> list[Event]:
    """Keep the events that are not known yet, in the order given, and give those."""
    known_job(connection, job_id)
    fresh = {event.id: event for event in new}
    for chunk in _chunks(list(fresh)):
        for known in connection.execute(select(_EVENTS.c.id).where(_EVENTS.c.job_id == job_id, _EVENTS.c.id.in_(chunk))).scalars():
            del fresh[known]
    rows = [
        {
            "job_id": job_id,
            "id": event.id,
            "at": event.at,
            "level": event.level,
            "message": redact(event.message),
            "data": clean(event.data),
        }
        for event in fresh.values()
    ]
    _insert(connection, _EVENTS, rows)
    return list(fresh.values())


def events(connection: Connection, job_id: str, *, after: str | None, limit: int | None) -> list[Event]:
    """Give events, oldest first; those after the one whose id is `after`, or all if that is not known."""
    query = select(_EVENTS).where(_EVENTS.c.job_id == job_id).order_by(_EVENTS.c.sequence).limit(limit)
    if after is not None:
        place = select(_EVENTS.c.sequence).where(_EVENTS.c.job_id == job_id, _EVENTS.c.id == after)
        query = query.where(_EVENTS.c.sequence > (connection.execute(place).scalar() or 0))
    return [Event(id=row.id, at=row.at, level=row.level, message=row.message, data=row.data) for row in connection.execute(query)]


def add_metrics(connection: Connection, job_id: str, new: Iterable[Metric]) -> None:
    """Keep metrics by step. Later numbers of one step join or replace the earlier: a step's `eval_loss` comes after its `loss`."""
    known_job(connection, job_id)
    merged: dict[int, Metric] = {}
    for metric in new:
        earlier = merged.get(metric.step)
        merged[metric.step] = metric if earlier is None else metric.model_copy(update={"values": earlier.values | metric.values})
    for chunk in _chunks(list(merged)):
        here = (_METRICS.c.job_id == job_id) & _METRICS.c.step.in_(chunk)
        for row in connection.execute(select(_METRICS).where(here)).all():
            metric = merged[row.step]
            merged[row.step] = metric.model_copy(update={"values": row.numbers | metric.values})
        connection.execute(_METRICS.delete().where(here))
    rows = [{"job_id": job_id, "step": metric.step, "at": metric.at, "numbers": metric.values} for metric in merged.values()]
    _insert(connection, _METRICS, rows)


def metrics(connection: Connection, job_id: str, *, after: int | None) -> list[Metric]:
    """Give metrics by step; those after step `after`."""
    query = select(_METRICS).where(_METRICS.c.job_id == job_id).order_by(_METRICS.c.step)
    if after is not None:
        query = query.where(_METRICS.c.step > after)
    return [Metric(step=row.step, at=row.at, values=row.numbers) for row in connection.execute(query)]


def last_event(connection: Connection, job_id: str) -> str | None:
    """Give the id of the newest event that is known: the cursor for what comes after it."""
    query = select(_EVENTS.c.id).where(_EVENTS.c.job_id == job_id).order_by(_EVENTS.c.sequence.desc()).limit(1)
    found: str | None = connection.execute(query).scalar()
    return found


def last_step(connection: Connection, job_id: str) -> int | None:
    """Give the newest step that has metrics."""
    query = select(_METRICS.c.step).where(_METRICS.c.job_id == job_id).order_by(_METRICS.c.step.desc()).limit(1)
    found: int | None = connection.execute(query).scalar()
    return found


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows by few statements; psycopg's `executemany` would complain to the log itself where its connection breaks."""
    for chunk in _chunks(rows, _ROWS):
        connection.execute(table.insert().values(chunk))


def _chunks(items: list[T], size: int = _CHUNK) -> list[list[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
