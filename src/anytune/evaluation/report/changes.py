"""Two texts side by side: which words one has and the other lacks."""

from __future__ import annotations

import difflib
import re
from typing import Literal, NamedTuple

__all__ = ["Piece", "changes"]

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 300
"""Beyond that nobody reads a difference, and finding it takes seconds."""


class Piece(NamedTuple):
    """A stretch of a text: the same in both, missing in the one that is looked at, or only in it."""

    kind: Literal["same", "missing", "added"]
    text: str


def changes(expected: str, found: str) -> tuple[Piece, ...]:
    """Tell word by word how a text differs from another.

    Args:
        expected: What it is held against.
        found: What is looked at.

    Example:
        >>> [tuple(piece) for piece in changes("play jazz now", "play rock now")]
        [('same', 'play '), ('missing', 'jazz'), ('added', 'rock'), ('same', ' now')]
    """
    wanted, given = _WORDS.findall(expected), _WORDS.findall(found)
    if not found or not expected or max(len(wanted), len(given)) > _MOST_WORDS:
        return (Piece("same", found),)
    pieces: list[Piece] = []
    for kind, low, high, start, end in difflib.SequenceMatcher(None, wanted, given).get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(given[start:end])))
            continue
        if high > low:
            pieces.append(Piece("missing", "".join(wanted[low:high])))
        if end > start:
            pieces.append(Piece("added", "".join(given[start:end])))
    return tuple(pieces)
