"""Bring the schema to this anytune's revision, in one transaction, or refuse a newer one by name."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import inspect, select, text

import anytune
from anytune.errors import LedgerError
from anytune.ledger.tables import facts

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from anytune.ledger.engine import Database

__all__ = ["HEAD", "SCHEMA_TABLE", "migrate"]

HEAD = "0005"
"""The newest revision that this anytune knows; revisions are numbered, so that a newer one can be told from a strange one."""

SCHEMA_TABLE = "anytune_schema"
"""Alembic's version table, under our own name: a team's PostgreSQL may hold other programs' tables."""

_LOCK_KEY = 7_294_610_553
_one_at_a_time = threading.Lock()
"""Alembic keeps its context in a module, so two threads may not migrate at once."""


def migrate(database: Database) -> str:
    """Migrate forward where needed, and give the ledger's UUID.

    Raises:
        LedgerError: The schema is of a newer anytune.
    """
    with database.read() as connection:
        found = _revision(connection)
        if found == HEAD:
            return _fact(connection, "uuid")
        _refuse_newer(connection, found, database.place)
    with _one_at_a_time, database.write() as connection:
        if connection.dialect.name == "postgresql":
            # A large ledger may take longer than a session's usual limits, for whoever moves it and for those who wait for that.
            connection.execute(text("SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true)"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        found = _revision(connection)
        _refuse_newer(connection, found, database.place)
        if found != HEAD:
            _upgrade(connection)
            _remember(connection)
        return _fact(connection, "uuid")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(SCHEMA_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {SCHEMA_TABLE}")).scalar()  # noqa: S608 - our own constant
    return found


def _refuse_newer(connection: Connection, found: str | None, place: str) -> None:
    if found is None or found <= HEAD:
        return
    maker = _fact(connection, "migrated_by") or "a newer version"
    raise LedgerError(
        f"The ledger {place} has schema {found}, made by anytune {maker}; "
        f"this is anytune {anytune.__version__}, which knows schemas up to {HEAD}.",
        fix=f'Upgrade with `pip install "anytune>={maker}"`, or set ANYTUNE_HOME to another folder.',
    )


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - heavy, and only a first open needs it
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def _remember(connection: Connection) -> None:
    if not _fact(connection, "uuid"):
        connection.execute(facts.insert().values(key="uuid", value=str(uuid4())))
    connection.execute(facts.delete().where(facts.c.key == "migrated_by"))
    connection.execute(facts.insert().values(key="migrated_by", value=anytune.__version__))


def _fact(connection: Connection, key: str) -> str:
    return connection.execute(select(facts.c.value).where(facts.c.key == key)).scalar() or ""
