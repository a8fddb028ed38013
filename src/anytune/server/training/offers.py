"""Names that clients may ask for, and where they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.runtime import Runtime
    from anytune.server.config import ServeConfig

__all__ = ["Offers"]


class Offers:
    """The base models of one server."""

    def __init__(self, config: ServeConfig, context: Runtime) -> None:
        """Keep the parts."""
        self.config, self.context = config, context
