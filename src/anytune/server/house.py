"""One running server's parts, and who asks: what every route is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from anytune.values import Value

if TYPE_CHECKING:
    from anytune.runtime import Runtime
    from anytune.server.book import Book
    from anytune.server.config import ServeConfig
    from anytune.server.engines.pool import Pool
    from anytune.server.metrics import Metrics
    from anytune.server.store import Store
    from anytune.server.training.offers import Offers
    from anytune.server.training.runner import Runner

__all__ = ["Asked", "Caller", "House", "Inside"]


class Caller(Value):
    """Who asks.

    Attributes:
        owner: Whose things the key may touch.
        admin: Whether it may see everybody's.
        key_id: The key's id, for logs and limits.
        live_jobs: Jobs that the owner may have live; None for no limit.
        storage_bytes: Bytes of files that the owner may keep; None for no limit.
    """

    owner: str
    admin: bool = False
    key_id: str
    live_jobs: int | None = None
    storage_bytes: int | None = None

    @property
    def sees(self) -> str | None:
        """The owner that its listings are held to; None for an admin, who sees all."""
        return None if self.admin else self.owner


@dataclass
class House:
    """The parts of one server.

    Attributes:
        config: What its owner decided.
        context: Ledger, retries, clock and backends.
        book: Its own rows.
        store: Bytes on the disk.
        offers: Models' names and where they lead to.
        pool: Engines that answer.
        runner: Training.
        metrics: Counters.
        first_key: The key that was made because there was none, to be shown once.
    """

    config: ServeConfig
    context: Runtime
    book: Book
    store: Store
    offers: Offers
    pool: Pool
    runner: Runner
    metrics: Metrics
    first_key: str | None = None


def _house(request: Request) -> House:
    found: House = request.app.state.house
    return found


def _caller(request: Request) -> Caller:
    found: Caller = request.scope["anytune.caller"]
    return found


Inside = Annotated[House, Depends(_house)]
Asked = Annotated[Caller, Depends(_caller)]
