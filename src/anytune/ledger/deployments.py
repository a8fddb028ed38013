"""Deployment rows: planned before anything is asked for, and live until the backend says that the host is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from ulid import ULID

from anytune.errors import ConfigError, NotFound, redact
from anytune.ledger import tables
from anytune.ledger.rows import DeploymentRow

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from anytune.backend import RemoteDeployment

__all__ = ["find", "listed", "observe", "plan", "request_stop"]

_HOSTS = tables.deployments


def plan(connection: Connection, *, ttl_s: float, now: datetime, **columns: Any) -> DeploymentRow:
    """Write down a host that is about to be asked for. A job that was removed meanwhile is left out."""
    of_job = select(tables.jobs.c.id).where(tables.jobs.c.id == columns["job_id"])
    made_by = connection.execute(of_job.with_for_update(read=True, key_share=True)).scalar()  # so that it is not removed meanwhile
    fixed = {
        "id": str(ULID()),
        "state": "planned",
        "stop_requested": False,
        "error": "",
        "ttl_s": ttl_s,
        "expires_at": now + timedelta(seconds=ttl_s),
        "created_at": now,
        "updated_at": now,
    }
    return _row(connection.execute(_HOSTS.insert().values(**columns | {"job_id": made_by}, **fixed).returning(_HOSTS)).one())


def find(connection: Connection, word: str, *, lock: bool = False) -> DeploymentRow:
    """Give the deployment of an id, of the beginning of one, or of a name (its latest)."""
    by_id = select(_HOSTS).where(_HOSTS.c.id == word.upper())
    exact = connection.execute(by_id.with_for_update() if lock else by_id).one_or_none()
    if exact is not None:
        return _row(exact)
    named = connection.execute(select(_HOSTS).where(_HOSTS.c.name == word).order_by(_HOSTS.c.id.desc())).first()
    if named is not None:
        return _row(named)
    plain = word.isascii() and word.isalnum()
    begun = connection.execute(select(_HOSTS).where(_HOSTS.c.id.startswith(word.upper()))).all() if plain and word else []
    if not begun:
        raise NotFound(f"The ledger knows no deployment {word!r}.", fix="`anytune deployments list --all` shows the ones it knows.")
    if len(begun) > 1:
        raise ConfigError(f"{word!r} may mean several deployments: {', '.join(row.id for row in begun[:5])}.", fix="Give the whole id.")
    return _row(begun[0])


def listed(connection: Connection, *, live: bool) -> list[DeploymentRow]:
    """Give deployments, newest first; with `live` only those that may still cost something."""
    query = select(_HOSTS).order_by(_HOSTS.c.created_at.desc(), _HOSTS.c.id.desc())
    if live:
        query = query.where(_HOSTS.c.state != "gone")
    return [_row(row) for row in connection.execute(query)]


def observe(
    connection: Connection, deployment_id: str, seen: RemoteDeployment, *, now: datetime, since: datetime | None = None
) -> DeploymentRow:
    """Take in one observation. `gone` never changes: it means that the backend confirmed the end. The credential is not kept.

    With `since`, the row's `updated_at` from before the look, only an end is taken where somebody wrote meanwhile: hosts start, fail and
    start anew, so that no order of their states tells which of two looks was later.
    """
    row = find(connection, deployment_id, lock=True)
    if row.state == "gone" or (since is not None and since != row.updated_at and seen.state != "gone"):
        return row
    values: dict[str, Any] = {"state": seen.state, "remote_id": seen.id}
    if seen.address is not None:
        values["address"] = {"base_url": redact(seen.address.base_url), "model": seen.address.model}
    if seen.hourly_usd is not None and (seen.hourly_usd or not row.hourly_usd):  # what sleeps or is gone has cost what it did before
        values["hourly_usd"] = seen.hourly_usd
    if seen.error:
        values["error"] = redact(seen.error)
    if seen.state == "ready" and row.ready_at is None:
        values["ready_at"] = now
    if seen.state == "gone":
        values["ended_at"] = now
    return _change(connection, row.id, now=now, **values)


def request_stop(connection: Connection, deployment_id: str, *, now: datetime) -> DeploymentRow:
    """Write down that the host shall end; asked again, `updated_at` still tells when it was asked for first."""
    row = find(connection, deployment_id, lock=True)
    return row if row.state == "gone" or row.stop_requested else _change(connection, row.id, now=now, stop_requested=True)


def _change(connection: Connection, deployment_id: str, *, now: datetime, **values: Any) -> DeploymentRow:
    query = _HOSTS.update().where(_HOSTS.c.id == deployment_id).values(**values, updated_at=now).returning(_HOSTS)
    return _row(connection.execute(query).one())


def _row(row: Row[Any]) -> DeploymentRow:
    return DeploymentRow.model_validate(dict(row._mapping))  # noqa: SLF001 - SQLAlchemy's public name for it
