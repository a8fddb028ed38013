"""What the server counts, for Prometheus."""

from __future__ import annotations

__all__ = ["Metrics"]


class Metrics:
    """One server's counters, in a registry of their own."""
