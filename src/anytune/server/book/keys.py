"""Keys of clients."""

from __future__ import annotations

from anytune.server.book.part import Part

__all__ = ["Keys"]


class Keys(Part):
    """Keys of clients."""
