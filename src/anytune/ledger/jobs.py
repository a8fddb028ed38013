"""Job rows: read, find, and move by what was observed. Every function works inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Row, select

from anytune.errors import ConfigError, NotFound, redact
from anytune.ledger import tables
from anytune.ledger.rows import JobRow
from anytune.ledger.statuses import following
from anytune.values import Snapshot, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = ["change", "clean", "find", "job_of", "known_job", "latest", "listed", "observe", "one", "remove", "request_cancel"]

_JOBS = tables.jobs
_PREFIX = 6
"""Fewest characters of an id that stand for it."""


def job_of(row: Row[Any], ledger: str) -> JobRow:
    """Turn a database row into ours."""
    return JobRow.model_validate({**row._mapping, "ledger": ledger})  # noqa: SLF001 - SQLAlchemy's public name for it


def one(connection: Connection, job_id: str, ledger: str, *, lock: bool = False) -> JobRow:
    """Give the job with this very id; `lock` keeps the row for this transaction (on SQLite, writers are alone anyway)."""
    query = select(_JOBS).where(_JOBS.c.id == job_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise _none(job_id)
    return job_of(row, ledger)


def known_job(connection: Connection, job_id: str) -> None:
    """Refuse an id that no job has. Others who add something to the job wait until this transaction ends.

    Raises:
        NotFound: No job has it.
    """
    if connection.execute(select(_JOBS.c.id).where(_JOBS.c.id == job_id).with_for_update(key_share=True)).one_or_none() is None:
        raise _none(job_id)


def find(connection: Connection, word: str, ledger: str) -> JobRow:
    """Give the job of an id, of the beginning of one (6 characters or more), or of a name (its latest attempt).

    The same name at several backends is told apart as `NAME@BACKEND`, by the backend's name or its profile.
    """
    exact = connection.execute(select(_JOBS).where(_JOBS.c.id == word.upper())).one_or_none()
    if exact is not None:
        return job_of(exact, ledger)
    named = _named(connection, word)
    if named:
        if len({(row.backend, row.account) for row in named}) > 1:
            raise _many(word, named)
        return job_of(named[0], ledger)
    plain = word.isascii() and word.isalnum()
    begun = connection.execute(select(_JOBS).where(_JOBS.c.id.startswith(word.upper()))).all() if plain and len(word) >= _PREFIX else []
    if not begun:
        raise _none(word)
    if len(begun) > 1:
        raise _many(word, begun)
    return job_of(begun[0], ledger)


def _named(connection: Connection, word: str) -> Sequence[Row[Any]]:
    name, _, backend = word.partition("@")
    of_backend = (_JOBS.c.name == name) & ((_JOBS.c.backend == backend) | (_JOBS.c.profile == backend))
    query = select(_JOBS).where((_JOBS.c.name == word) | of_backend)
    return connection.execute(query.order_by(_JOBS.c.sequence.desc())).all()


def listed(
    connection: Connection,
    ledger: str,
    *,
    status: Status | str | Iterable[Status | str] | None,
    backend: str | None,
    name: str | None,
    limit: int | None,
) -> list[JobRow]:
    """Give jobs, newest first."""
    query = select(_JOBS).order_by(_JOBS.c.sequence.desc()).limit(limit)
    if status is not None:
        wanted = [status] if isinstance(status, str) else list(status)
        query = query.where(_JOBS.c.status.in_([Status(each).value for each in wanted]))
    if backend is not None:
        query = query.where(_JOBS.c.backend == backend)
    if name is not None:
        query = query.where(_JOBS.c.name == name)
    return [job_of(row, ledger) for row in connection.execute(query)]


def latest(connection: Connection, ledger: str, *, backend: str, account: str, name: str, lock: bool = False) -> JobRow | None:
    """Give the latest attempt under a key."""
    key = (_JOBS.c.backend == backend) & (_JOBS.c.account == account) & (_JOBS.c.name == name)
    query = select(_JOBS).where(key).order_by(_JOBS.c.attempt.desc()).limit(1)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else job_of(row, ledger)


def change(connection: Connection, job_id: str, ledger: str, *, now: datetime, **values: Any) -> JobRow:
    """Write columns of one job, and give it as it is then."""
    row = connection.execute(_JOBS.update().where(_JOBS.c.id == job_id).values(**values, updated_at=now).returning(_JOBS)).one()
    return job_of(row, ledger)


def observe(connection: Connection, job_id: str, ledger: str, snapshot: Snapshot, *, now: datetime, since: int | None = None) -> JobRow:
    """Take in one observation by the status machine. Of an ended job only one that agrees is kept: it may know the model's files better."""
    row = one(connection, job_id, ledger, lock=True)
    if row.status.terminal and snapshot.status is not row.status:
        return row
    if since is not None and since != row.observation and not snapshot.status.terminal:
        return row
    status = following(row.status, snapshot.status)
    seen = snapshot.model_copy(update={"status": status, "error": redact(snapshot.error)})
    values: dict[str, Any] = {"status": status.value, "snapshot": clean(seen.model_dump(mode="json")), "observation": row.observation + 1}
    if (snapshot.error and row.overdrawn_at is None) or status is Status.SUCCEEDED:
        values["error"] = seen.error
    if snapshot.cost_usd is not None:
        values["cost_usd"] = snapshot.cost_usd
    if snapshot.model is not None:
        values["model_ref"] = snapshot.model.model_dump(mode="json")
        values["model"] = row.model or snapshot.model.base_model or ""  # an attached job's is not known before
    if snapshot.resolved:
        values["resolved"] = clean(row.resolved | snapshot.resolved)
    if status in {Status.RUNNING, Status.PAUSED} and row.started_at is None:
        values["started_at"] = now
    if status.terminal and row.ended_at is None:
        values["ended_at"] = now
    return change(connection, job_id, ledger, now=now, **values)


def request_cancel(connection: Connection, job_id: str, ledger: str, *, reason: str, now: datetime) -> JobRow:
    """Write down that the job shall end. One that was never sent ends at once."""
    row = one(connection, job_id, ledger, lock=True)
    if row.status.terminal:
        return row
    values: dict[str, Any] = {"cancel_requested": True}
    if reason:
        values["error"] = redact(reason)
    if row.submit_state == "intent":
        values |= {"status": Status.CANCELLED.value, "ended_at": now}
    return change(connection, job_id, ledger, now=now, **values)


def remove(connection: Connection, job_id: str, ledger: str) -> None:
    """Forget an ended job with its events and metrics."""
    row = one(connection, job_id, ledger, lock=True)
    if not row.status.terminal:
        raise ConfigError(
            f"Job {row.name} ({row.id}) is {row.status.value}: only an ended job can be removed.",
            fix="Cancel it first, or wait for it.",
            job_id=row.id,
        )
    connection.execute(_JOBS.delete().where(_JOBS.c.id == job_id))


def clean(value: Any) -> Any:
    """Redact every text in a JSON value: providers echo keys in their replies."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [clean(each) for each in cast("list[Any]", value)]
    return value


def _none(word: str) -> NotFound:
    return NotFound(f"The ledger knows no job {word!r}.", fix="`anytune jobs list` shows the ones it knows.")


def _many(word: str, rows: Any) -> ConfigError:
    names = ", ".join(f"{row.id} ({row.name} at {row.backend})" for row in rows[:5])
    fix = f"Give the whole id, or name the backend: {rows[0].name}@{rows[0].backend}."
    return ConfigError(f"{word!r} may mean several jobs: {names}.", fix=fix)
