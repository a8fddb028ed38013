"""Orders for fine-tuned models."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select

from anytune.ledger import server_tables
from anytune.server.book.events import News, tell
from anytune.server.book.part import Part, new_id, of_owner, one_at_a_time, row_of
from anytune.server.book.rows import JobRow
from anytune.server.errors import ApiError, unknown_order
from anytune.values import ModelRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select

    from anytune.server.book.rows import Stage, Wish, Word

__all__ = ["Jobs", "Waiting"]

_JOBS = server_tables.jobs
_ID = re.compile(r"ftjob-[A-Za-z0-9]{24}")
_AGAIN = timedelta(hours=1)
"""How long the same order, sent again by a client that lost the reply, is the same order."""
_ENDED = ("succeeded", "failed", "cancelled")
_PAGE = 200


class Waiting(NamedTuple):
    """An order that waits for its turn."""

    sequence: int
    id: str
    owner: str


class Jobs(Part):
    """Orders for fine-tuned models."""

    def add(
        self,
        owner: str,
        request: Mapping[str, Any],
        model: str,
        target: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        repeated: bool = False,
        at_most: int | None = None,
        first: Callable[[JobRow], Iterable[News]] | None = None,
    ) -> tuple[JobRow, bool]:
        """Take an order, and tell whether it is new.

        Args:
            owner: Whose it is.
            request: The body that was sent.
            model: The model's name as asked.
            target: Where that name leads to, as JSON of `config.Target`.
            idempotency_key: The client's word for this very order: asked again with it, the same order is given.
            repeated: The client says that it tries again: the same body of the last hour is the same order.
            at_most: Orders that the owner may have live, this one among them; None for no limit.
            first: Gives the first events of a new order, which are told with it.

        Raises:
            ApiError: 409 where the key came with another body; 429 where too many orders are live.
        """
        digest = _digest(request)
        with self.database.write() as connection:
            one_at_a_time(connection, owner)
            known = self._known(connection, owner, digest, idempotency_key, repeated=repeated)
            if known is not None:
                return known, False
            _held_to(connection, owner, at_most)
            now = self.clock()
            row: dict[str, Any] = {
                "id": new_id("ftjob-"),
                "owner": owner,
                "request": dict(request),
                "request_hash": digest,
                "idempotency_key": idempotency_key,
                "model": model,
                "target": dict(target),
                "stage": "received",
                "status": "validating_files",
                "model_deleted": False,
                "resolved": {},
                "result_files": [],
                "created_at": now,
                "updated_at": now,
            }
            made = _job(connection.execute(_JOBS.insert().values(**row).returning(_JOBS)).one())
            if first is not None:
                tell(connection, made.id, list(first(made)), now)
            return made, True

    def taken(self, owner: str, request: Mapping[str, Any], *, idempotency_key: str | None, repeated: bool) -> JobRow | None:
        """Give the order that `add` would give again; None for a new one. Its files may be gone by now.

        Raises:
            ApiError: 409: the key came with another body.
        """
        with self.database.read() as connection:
            return self._known(connection, owner, _digest(request), idempotency_key, repeated=repeated)

    def get(self, job_id: str, owner: str | None) -> JobRow:
        """Give an order.

        Args:
            job_id: Its id.
            owner: Whose it must be; None for anybody's.

        Raises:
            ApiError: 404: there is none, or it is somebody else's.
        """
        with self.database.read() as connection:
            return _one(connection, job_id, owner)

    def listed(
        self, owner: str | None, *, after: str | None = None, limit: int = 20, metadata: Mapping[str, str] | None = None
    ) -> tuple[list[JobRow], bool]:
        """Give orders, newest first, and whether there are more.

        Args:
            owner: Whose; None for everybody's.
            after: The id of the last one that the client has.
            limit: How many at most.
            metadata: Only those that carry these; empty: those that carry none.

        Raises:
            ApiError: 404: there is no order `after`.
        """
        with self.database.read() as connection:
            query = of_owner(_JOBS, owner).order_by(_JOBS.c.sequence.desc())
            if after is not None:
                query = query.where(_JOBS.c.sequence < _one(connection, after, owner).sequence)
            if metadata is None:
                found = [_job(row) for row in connection.execute(query.limit(limit + 1))]
            else:
                found = list(_carrying(connection, query, metadata, limit + 1))
        return found[:limit], len(found) > limit

    def in_stage(self, *stages: Stage) -> list[JobRow]:
        """Give the orders in these stages, oldest first."""
        query = select(_JOBS).where(_JOBS.c.stage.in_(stages)).order_by(_JOBS.c.sequence)
        if "ended" not in stages:
            query = query.where(_JOBS.c.status.not_in(_ENDED))
        with self.database.read() as connection:
            return [_job(row) for row in connection.execute(query)]

    def waiting(self, stage: Stage) -> list[Waiting]:
        """Give the orders of a stage that nobody paused, oldest first, by what a queue needs to know: there may be thousands."""
        query = select(_JOBS.c.sequence, _JOBS.c.id, _JOBS.c.owner).where(
            _JOBS.c.status.in_(("validating_files", "queued")), _JOBS.c.stage == stage
        )
        with self.database.read() as connection:
            return [Waiting(*row) for row in connection.execute(query.order_by(_JOBS.c.sequence))]

    def wished(self) -> list[JobRow]:
        """Give the orders whose owners asked for something that is not done, oldest first."""
        query = select(_JOBS).where(_JOBS.c.status.not_in(_ENDED), _JOBS.c.wish.is_not(None)).order_by(_JOBS.c.sequence)
        with self.database.read() as connection:
            return [_job(row) for row in connection.execute(query)]

    def served(self) -> dict[str, datetime]:
        """Tell when each owner's training began last."""
        query = select(_JOBS.c.owner, func.max(_JOBS.c.started_at)).where(_JOBS.c.started_at.is_not(None)).group_by(_JOBS.c.owner)
        with self.database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def move(self, job_id: str, at: Stage, *, unless: Word | None = None, news: News | None = None, **values: Any) -> JobRow | None:
        """Write columns of an order that is still at this stage, and has not ended; None where it has gone on.

        Args:
            job_id: Which.
            at: The stage.
            unless: A status that it must not have.
            news: An event that is told in the same transaction.
            **values: The columns.
        """
        here = (_JOBS.c.id == job_id) & (_JOBS.c.stage == at) & _JOBS.c.status.not_in(_ENDED if unless is None else (*_ENDED, unless))
        with self.database.write() as connection:
            row = connection.execute(_JOBS.update().where(here).values(**values, updated_at=self.clock()).returning(_JOBS)).one_or_none()
            if row is not None and news is not None:
                tell(connection, job_id, [news], self.clock())
        return None if row is None else _job(row)

    def change(self, job_id: str, **values: Any) -> JobRow:
        """Write columns, and give the row as it is then. A `status` for an order that has ended changes nothing.

        Raises:
            ApiError: 404: there is none.
        """
        if isinstance(model := values.get("model_ref"), ModelRef):
            values["model_ref"] = model.model_dump(mode="json")
        with self.database.write() as connection:
            row = _one(connection, job_id, None, lock=True)
            if row.ended and values.get("status", row.status) != row.status:
                return row
            return _write(connection, job_id, **values, updated_at=self.clock())

    def wish(self, job_id: str, word: Wish) -> JobRow:
        """Write down what the owner asked for. It is done later: an ended order stays as it is, and nothing goes before a cancel.

        Raises:
            ApiError: 404: there is none.
        """
        with self.database.write() as connection:
            row = _one(connection, job_id, None, lock=True)
            if row.ended or row.wish == "cancel":
                return row
            return _write(connection, job_id, wish=word, updated_at=self.clock())

    def granted(self, job_id: str, word: Wish, *, news: News | None = None) -> None:
        """Forget a wish that was done, unless its owner asked for something else meanwhile.

        With `news`, that event is told in the same transaction.
        """
        here = (_JOBS.c.id == job_id) & (_JOBS.c.wish == word)
        with self.database.write() as connection:
            found = connection.execute(_JOBS.update().where(here).values(wish=None, updated_at=self.clock()))
            if found.rowcount and news is not None:
                tell(connection, job_id, [news], self.clock())

    def by_model(self, name: str, owner: str | None) -> JobRow | None:
        """Give the order that made the model of this name; None where there is none, or it was deleted, or it is somebody else's."""
        query = of_owner(_JOBS, owner).where(_JOBS.c.fine_tuned_model == name, _JOBS.c.model_deleted.is_(False))
        with self.database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _job(row)

    def models(self, owner: str | None) -> list[JobRow]:
        """Give the orders whose models are there, oldest first."""
        there = _JOBS.c.fine_tuned_model.is_not(None) & _JOBS.c.model_deleted.is_(False)
        with self.database.read() as connection:
            return [_job(row) for row in connection.execute(of_owner(_JOBS, owner).where(there).order_by(_JOBS.c.sequence))]

    def _known(self, connection: Connection, owner: str, digest: str, idempotency_key: str | None, *, repeated: bool) -> JobRow | None:
        if idempotency_key is not None:
            row = connection.execute(of_owner(_JOBS, owner).where(_JOBS.c.idempotency_key == idempotency_key)).one_or_none()
            if row is not None and row.request_hash != digest:
                said = "The Idempotency-Key came before with another body. Send a new key with a new order."
                raise ApiError(409, said, code="idempotency_key_reused")
        elif repeated:  # who cancelled an order knew of it, and orders anew
            same = (_JOBS.c.request_hash == digest) & (_JOBS.c.status != "cancelled") & _JOBS.c.wish.is_distinct_from("cancel")
            recent = of_owner(_JOBS, owner).where(same, _JOBS.c.created_at > self.clock() - _AGAIN)
            row = connection.execute(recent.order_by(_JOBS.c.sequence.desc()).limit(1)).one_or_none()
        else:
            return None
        return None if row is None else _job(row)


def _digest(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _held_to(connection: Connection, owner: str, at_most: int | None) -> None:
    live = select(func.count()).select_from(_JOBS).where(_JOBS.c.owner == owner, _JOBS.c.status.not_in(_ENDED))
    if at_most is not None and connection.execute(live).scalar_one() >= at_most:
        said = f"There may be {at_most} live fine-tuning jobs at a time. Wait until one has ended, or cancel one."
        raise ApiError(429, said, code="live_jobs_exceeded", headers={"x-should-retry": "false"})


def _one(connection: Connection, job_id: str, owner: str | None, *, lock: bool = False) -> JobRow:
    query = of_owner(_JOBS, owner).where(_JOBS.c.id == job_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none() if _ID.fullmatch(job_id) else None
    if row is None:
        raise unknown_order(job_id)
    return _job(row)


def _write(connection: Connection, job_id: str, **values: Any) -> JobRow:
    return _job(connection.execute(_JOBS.update().where(_JOBS.c.id == job_id).values(**values).returning(_JOBS)).one())


def _job(row: Row[Any]) -> JobRow:
    return row_of(JobRow, row)


def _carrying(connection: Connection, query: Select[Any], wanted: Mapping[str, str], count: int) -> Iterator[JobRow]:
    """Give the first `count` orders that carry the metadata. Compared here: databases disagree about keys in JSON."""
    for row in connection.execution_options(yield_per=_PAGE).execute(query):
        carried = row.request.get("metadata") or {}
        if wanted.items() <= carried.items() if wanted else not carried:
            yield _job(row)
            count -= 1
            if count == 0:
                return
