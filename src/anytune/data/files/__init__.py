"""Data files as streams, in and out."""

from __future__ import annotations

from anytune.data.files.compressed import open_bytes
from anytune.data.files.containers import container_of
from anytune.data.files.hashing import describe
from anytune.data.files.hub import Located, locate, resolve
from anytune.data.files.jsonl import Block, blocks
from anytune.data.files.reading import lines
from anytune.data.files.strict import MAX_DEPTH, MAX_LINE_BYTES, Line, parse
from anytune.data.files.writing import Written, write

__all__ = [
    "MAX_DEPTH",
    "MAX_LINE_BYTES",
    "Block",
    "Line",
    "Located",
    "Written",
    "blocks",
    "container_of",
    "describe",
    "lines",
    "locate",
    "open_bytes",
    "parse",
    "resolve",
    "write",
]
