"""Engines that answer, by model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.runtime import Runtime
    from anytune.server.config import ServeConfig
    from anytune.server.metrics import Metrics

__all__ = ["Pool"]


class Pool:
    """The engines of one server."""

    def __init__(self, config: ServeConfig, context: Runtime, metrics: Metrics) -> None:
        """Keep the parts; nothing runs yet."""
        self.config, self.context, self.metrics = config, context, metrics

    async def start(self) -> None:
        """Adopt the engines that an earlier server left, and begin to stop idle ones."""

    async def stop(self) -> None:
        """Leave; engines go on until their time is over."""
