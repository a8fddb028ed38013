"""What every part of the book is made of."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING

from sqlalchemy import func, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from anytune.ledger.engine import Database

__all__ = ["Part", "new_id", "one_at_a_time"]

_ALPHABET = string.ascii_letters + string.digits


class Part:
    """One noun's rows."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        """Keep the database and the clock."""
        self.database = database
        self.clock = clock


def new_id(kind: str) -> str:
    """Make an id: `kind` and 24 letters and digits that nobody can guess."""
    return kind + "".join(secrets.choice(_ALPHABET) for _ in range(24))


def one_at_a_time(connection: Connection, owner: str) -> None:
    """Let an owner's additions come in one after the other, so that limits hold; SQLite's writers do so anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"anytune:{owner}", 0))))
