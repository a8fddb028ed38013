"""What happened to orders."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from sqlalchemy import select

from anytune.errors import redact
from anytune.ledger import server_tables
from anytune.ledger.jobs import clean
from anytune.server.book.part import Part, new_id, row_of
from anytune.server.book.rows import EventRow
from anytune.server.errors import ApiError, unknown_order
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection, Row

__all__ = ["Events", "News", "tell"]

_EVENTS, _JOBS = server_tables.events, server_tables.jobs
_ID = re.compile(r"ftevent-[A-Za-z0-9]{24}")
_CHUNK = 500
"""Origins in one query: SQLite before 3.32 takes 999 parameters."""

Level = Literal["info", "warn", "error"]
Kind = Literal["message", "metrics"]


class News(Value):
    """An event to be told.

    Attributes:
        message: What happened.
        level: How bad it is.
        type: `metrics` where `data` are the numbers of a step.
        data: Numbers and names.
        origin: Where it was copied from: the same origin is told once; None is always told.
        at: When; None for now.
    """

    message: str
    level: Level = "info"
    type: Kind = "message"
    data: dict[str, Any] = Field(default_factory=dict)
    origin: str | None = None
    at: datetime | None = None


class Events(Part):
    """What happened to orders."""

    def add(
        self,
        job_id: str,
        message: str,
        *,
        level: Level = "info",
        type: Kind = "message",  # noqa: A002 - OpenAI's word
        data: dict[str, Any] | None = None,
        origin: str | None = None,
        at: datetime | None = None,
    ) -> EventRow | None:
        """Tell an event; None where that origin was told already. Arguments as the fields of `News`.

        Raises:
            ApiError: 404: there is no such order.
        """
        told = self.add_many(job_id, [News(message=message, level=level, type=type, data=data or {}, origin=origin, at=at)])
        return told[0] if told else None

    def add_many(self, job_id: str, news: Iterable[News]) -> list[EventRow]:
        """Tell events in the order given, without those whose origin was told already, and give the rows.

        Raises:
            ApiError: 404: there is no such order.
        """
        with self.database.write() as connection:
            _keep_known(connection, job_id)
            return tell(connection, job_id, list(news), self.clock())

    def listed(self, job_id: str, *, after: str | None = None, limit: int = 20) -> tuple[list[EventRow], bool]:
        """Give an order's events, newest first, and whether there are more.

        Args:
            job_id: The order.
            after: The id of the last event that the client has.
            limit: How many at most.

        Raises:
            ApiError: 404: there is no event `after` of this order.
        """
        query = select(_EVENTS).where(_EVENTS.c.job_id == job_id).order_by(_EVENTS.c.sequence.desc()).limit(limit + 1)
        with self.database.read() as connection:
            if after is not None:
                place = select(_EVENTS.c.sequence).where(_EVENTS.c.job_id == job_id, _EVENTS.c.id == after)
                sequence = connection.execute(place).scalar() if _ID.fullmatch(after) else None
                if sequence is None:
                    raise ApiError(404, f"Could not find event: {after[:128]}", code="event_not_found", param="after")
                query = query.where(_EVENTS.c.sequence < sequence)
            found = [_event(row) for row in connection.execute(query)]
        return found[:limit], len(found) > limit


def tell(connection: Connection, job_id: str, news: list[News], now: datetime) -> list[EventRow]:
    """Write events inside the caller's transaction, without those whose origin was told already."""
    rows = [
        {
            "id": new_id("ftevent-"),
            "job_id": job_id,
            "origin": each.origin,
            "at": each.at or now,
            "level": each.level,
            "message": redact(each.message),
            "type": each.type,
            "data": _finite(clean(each.data)),
        }
        for each in _fresh(connection, job_id, news)
    ]
    return [_event(connection.execute(_EVENTS.insert().values(**row).returning(_EVENTS)).one()) for row in rows]


def _keep_known(connection: Connection, job_id: str) -> None:
    """Refuse an order that nobody made, and let events of one order come one after the other (SQLite's writers do so anyway)."""
    if connection.execute(select(_JOBS.c.id).where(_JOBS.c.id == job_id).with_for_update()).one_or_none() is None:
        raise unknown_order(job_id)


def _fresh(connection: Connection, job_id: str, news: list[News]) -> list[News]:
    origins = [each.origin for each in news if each.origin is not None]
    told: set[str] = set()
    for start in range(0, len(origins), _CHUNK):
        query = select(_EVENTS.c.origin).where(_EVENTS.c.job_id == job_id, _EVENTS.c.origin.in_(origins[start : start + _CHUNK]))
        told.update(connection.execute(query).scalars())
    fresh: list[News] = []
    for each in news:
        if each.origin is None or each.origin not in told:
            fresh.append(each)
        if each.origin is not None:
            told.add(each.origin)
    return fresh


def _finite(value: Any) -> Any:
    """Give a JSON value without the numbers that JSON has no word for: a loss may be NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list) else value


def _event(row: Row[Any]) -> EventRow:
    return row_of(EventRow, row)
