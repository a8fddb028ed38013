"""Which rows of a large file a check renders: a seeded choice, and the longest ones, in one pass and in constant memory."""

from __future__ import annotations

import random
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.data.files import Line

__all__ = ["MOST_CHARACTERS", "MOST_ROWS", "Chosen", "choose"]

MOST_ROWS = 5_000
MOST_CHARACTERS = 6_000_000
"""Rendering takes about 1.2 million characters a second (400,000 tokens, 4,700 short rows; one core, SNIPS, 2026-11-22), so that a check
answers within 5 s whatever the file."""

_LONGEST = 32
_LONGEST_CHARACTERS = 1_000_000


class Chosen(NamedTuple):
    """What is rendered.

    Attributes:
        rows: A choice that is fair to every row, in the file's order; all rows where they are few enough.
        longest: The longest rows that are not among them.
        total: Rows of the file.
    """

    rows: list[Line]
    longest: list[Line]
    total: int

    @property
    def whole(self) -> bool:
        """Tell whether every row was chosen."""
        return len(self.rows) == self.total


def choose(lines: Iterable[Line], *, rows: int = MOST_ROWS, characters: int = MOST_CHARACTERS, seed: int = 0) -> Chosen:
    """Choose rows; the same file gives the same choice.

    Args:
        lines: All rows.
        rows: Most rows to choose.
        characters: Most characters of text in them.
        seed: Of the choice.
    """
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    # One row of megabytes must not push out all others: it is among the longest anyway.
    fair, longest = _Kept(rows, characters, largest=characters // 4), _Kept(_LONGEST, _LONGEST_CHARACTERS, largest=None)
    total = 0
    for line in lines:
        total += 1
        size = _characters(line.row)
        fair.take(chance.random(), size, line)
        longest.take(size, size, line)
    chosen = fair.lines()
    numbers = {line.number for line in chosen}
    return Chosen(chosen, [line for line in longest.lines() if line.number not in numbers], total)


class _Kept:
    """The lines of highest rank whose number and size stay within limits; never none."""

    def __init__(self, most: int, characters: int, *, largest: int | None) -> None:
        self._most, self._characters, self._largest = most, characters, largest
        self._heap: list[tuple[float, int, int, Line]] = []
        self._size = 0

    def take(self, rank: float, size: int, line: Line) -> None:
        if self._largest is not None and size > self._largest and self._heap:
            return
        heappush(self._heap, (rank, line.number, size, line))
        self._size += size
        while len(self._heap) > 1 and (len(self._heap) > self._most or self._size > self._characters):
            self._size -= heappop(self._heap)[2]

    def lines(self) -> list[Line]:
        return sorted((line for *_, line in self._heap), key=lambda line: line.number)


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list) else 1
