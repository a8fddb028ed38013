"""Sends what is owed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.server.book import Book
    from anytune.server.config import ServeConfig
    from anytune.server.metrics import Metrics

__all__ = ["Hooks"]


class Hooks:
    """The loop behind webhooks."""

    def __init__(self, config: ServeConfig, book: Book, metrics: Metrics) -> None:
        """Keep the parts; nothing runs yet."""
        self.config, self.book, self.metrics = config, book, metrics

    async def start(self) -> None:
        """Begin to send."""

    async def stop(self) -> None:
        """Leave; what is owed stays owed."""
