"""What happened to orders."""

from __future__ import annotations

from anytune.server.book.part import Part

__all__ = ["Events"]


class Events(Part):
    """What happened to orders."""
