"""Takes orders through their life."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.runtime import Runtime
    from anytune.server.book import Book
    from anytune.server.config import ServeConfig
    from anytune.server.metrics import Metrics
    from anytune.server.store import Store

__all__ = ["Runner"]


class Runner:
    """The loop behind all orders."""

    def __init__(self, config: ServeConfig, context: Runtime, book: Book, store: Store, metrics: Metrics) -> None:
        """Keep the parts; nothing runs yet."""
        self.config, self.context, self.book, self.store, self.metrics = config, context, book, store, metrics

    async def start(self) -> None:
        """Begin to look after orders."""

    async def stop(self) -> None:
        """Leave; children go on."""
