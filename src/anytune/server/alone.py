"""One server a state folder, and one a ledger: two would both look after the same orders."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from anytune.errors import ConfigError
from anytune.local import locks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.ledger.engine import Database

__all__ = ["folder_alone", "ledger_alone"]

_KEY = 7_294_610_554
"""PostgreSQL's advisory lock; the migrations have the number before it."""


@contextmanager
def folder_alone(folder: Path) -> Iterator[None]:
    """Hold the state folder, which is made where it is missing.

    Raises:
        ConfigError: Another server has it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder / "server.lock", f"Another server runs on {folder}."):
        yield


@contextmanager
def ledger_alone(database: Database) -> Iterator[None]:
    """Hold the ledger. PostgreSQL gives the lock back when the connection breaks: then the next server to start is let in.

    Raises:
        ConfigError: Another server has it, with another state folder or on another machine.
    """
    taken = f"Another server uses the ledger {database.place}."
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.detach()  # back in the pool it would keep the lock
            if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar():
                raise _refused(taken)
            try:
                yield
            finally:
                with suppress(SQLAlchemyError):  # a connection that broke has given the lock back
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _KEY})
        return
    path = Path(str(database.engine.url.database))
    with _locked(path.with_name(f"{path.name}.server.lock"), taken):
        yield


@contextmanager
def _locked(path: Path, taken: str) -> Iterator[None]:
    handle = locks.take(path)
    if handle is None:
        raise _refused(taken)
    try:
        yield
    finally:
        os.close(handle)


def _refused(taken: str) -> ConfigError:
    return ConfigError(taken, fix="Stop it first, or give this one an ANYTUNE_HOME and an ANYTUNE_LEDGER of its own.")
