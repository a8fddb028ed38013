"""Files that come in parts."""

from __future__ import annotations

from anytune.server.book.part import Part

__all__ = ["Uploads"]


class Uploads(Part):
    """Files that come in parts."""
