"""Webhook calls that are owed."""

from __future__ import annotations

from anytune.server.book.part import Part

__all__ = ["Deliveries"]


class Deliveries(Part):
    """Webhook calls that are owed."""
