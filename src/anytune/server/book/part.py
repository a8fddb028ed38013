"""What every part of the book is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from anytune.ledger.engine import Database

__all__ = ["Part"]


class Part:
    """One noun's rows."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        """Keep the database and the clock."""
        self.database = database
        self.clock = clock
