"""Data files as streams, in and out."""

from __future__ import annotations

from anytune.data.files.jsonl import MAX_LINE_BYTES, Line, describe, lines

__all__ = ["MAX_LINE_BYTES", "Line", "describe", "lines"]
