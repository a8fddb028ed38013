"""Orders for fine-tuned models."""

from __future__ import annotations

from anytune.server.book.part import Part

__all__ = ["Jobs"]


class Jobs(Part):
    """Orders for fine-tuned models."""
