"""What every part of the book is made of."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select

from anytune.ledger.engine import alone
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select, Table

    from anytune.ledger.engine import Database

__all__ = ["Part", "new_id", "of_owner", "one_at_a_time", "row_of"]

_ALPHABET = string.ascii_letters + string.digits
_V = TypeVar("_V", bound=Value)


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
    """Let an owner's additions come in one after the other, so that limits hold."""
    alone(connection, owner)


def of_owner(table: Table, owner: str | None) -> Select[Any]:
    """Begin a question about an owner's rows; None asks about everybody's."""
    return select(table) if owner is None else select(table).where(table.c.owner == owner)


def row_of(kind: type[_V], row: Row[Any]) -> _V:
    """Give what the database gave as one of the book's rows."""
    return kind.model_validate(dict(row._mapping))  # noqa: SLF001 - SQLAlchemy's public name for it
