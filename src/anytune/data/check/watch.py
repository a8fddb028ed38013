"""Checks that read every word, and are too slow for every row of a large file: near duplicates, secrets, personal data."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Literal, Protocol

from anytune.codes import finding
from anytune.data.files import open_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from anytune.data.rows import Text
    from anytune.values import Finding

__all__ = ["ALL_ROWS", "SAMPLE_ROWS", "Watch", "Watcher", "lines_of"]

ALL_ROWS = 50_000
"""Files of so many rows are read whole."""

SAMPLE_ROWS = 5_000
"""Rows that are looked at in a larger file, about, unless all are asked for."""

_SEED = 0
_CHUNK_BYTES = 2**20


class Watcher(Protocol):
    """A check that takes rows one by one, and tells at the end what it found."""

    def take(self, number: int, texts: Sequence[Text], file: str) -> None:
        """Look at a good row's words."""

    def findings(self) -> Iterable[Finding]:
        """Tell what was found."""


class Watch:
    """Shows one file's rows to the watchers: all of them, or a sample that is the same every time.

    Attributes:
        shown: Rows that were shown.
    """

    def __init__(self, path: Path, file: Literal["train", "validation"], watchers: Sequence[Watcher], lines: int | None) -> None:
        """Choose the lines.

        Args:
            path: The file.
            file: Its role.
            watchers: Who looks.
            lines: How many lines the file has, roughly, for a sample of `SAMPLE_ROWS` of them; None for all.
        """
        self._name, self._file, self._watchers = path.name, file, watchers
        self._all = lines is None and bool(watchers)
        self._chosen: Iterator[int] = iter(())
        self.sampled = lines is not None
        self.shown = 0
        if watchers and lines is not None:
            self._chosen = _spread(lines / SAMPLE_ROWS)
        self._next = next(self._chosen, None)

    def among(self, first: int, last: int) -> Collection[int]:
        """Give the lines from `first` to `last` that are to be shown, in order; what lies before has been asked for already."""
        if self._all:
            return range(first, last + 1)
        found = []
        while self._next is not None and self._next <= last:
            found.append(self._next)
            self._next = next(self._chosen, None)
        return found

    def show(self, number: int, texts: Sequence[Text]) -> None:
        """Show a row to all watchers."""
        self.shown += 1
        for watcher in self._watchers:
            watcher.take(number, texts, self._file)

    def findings(self, rows: int) -> list[Finding]:
        """Say how many of the file's rows were looked at, where they were not all."""
        if not self.sampled or not self._watchers:
            return []
        message = f"Of the {rows:,} rows of {self._name}, {self.shown:,} were looked at for near duplicates, secrets and personal data."
        return [finding("sampled", message, "Look at all of them with `--deep` (`deep=True`); it takes longer.")]


def lines_of(path: Path, *, packed: bool) -> int:
    """Count the lines of a JSONL file; where it is not packed, those beyond `ALL_ROWS` are estimated by the length of the first ones."""
    count = read_bytes = 0
    ended = True
    with open_bytes(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            count += chunk.count(b"\n")
            read_bytes += len(chunk)
            ended = chunk.endswith(b"\n")
            if count > ALL_ROWS and not packed:
                return count * path.stat().st_size // read_bytes
    return count + (not ended)


def _spread(stride: float) -> Iterator[int]:
    """Give one line of every so many, by chance but the same ones every time, without end."""
    chance = random.Random(_SEED)  # noqa: S311 - no secret
    last = 0
    for start in itertools.count():
        line = int((start + chance.random()) * stride) + 1
        if line > last:
            yield line
            last = line
