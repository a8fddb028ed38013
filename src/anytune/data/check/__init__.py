"""What is wrong in which row, before anything is spent."""

from __future__ import annotations

from anytune.data.check.engine import check

__all__ = ["check"]
