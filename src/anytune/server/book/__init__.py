"""The server's own rows, in the ledger's database. Each method of a part is one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.server.book.deliveries import Deliveries
from anytune.server.book.events import Events
from anytune.server.book.files import Files
from anytune.server.book.jobs import Jobs
from anytune.server.book.keys import Keys
from anytune.server.book.uploads import Uploads
from anytune.values import now as _now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from anytune.ledger.engine import Database

__all__ = ["Book"]


class Book:
    """All parts over one database.

    Args:
        database: The ledger's, open and migrated.
        clock: Gives the time with its zone.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = _now) -> None:
        """Make the parts; nothing is read."""
        self.clock = clock
        self.keys = Keys(database, clock)
        self.files = Files(database, clock)
        self.uploads = Uploads(database, clock)
        self.jobs = Jobs(database, clock)
        self.events = Events(database, clock)
        self.deliveries = Deliveries(database, clock)
