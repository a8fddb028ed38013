"""Files that clients sent, or that jobs left for them."""

from __future__ import annotations

from anytune.server.book.part import Part

__all__ = ["Files"]


class Files(Part):
    """Files that clients sent, or that jobs left for them."""
