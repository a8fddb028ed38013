"""A file as anytune's own rows, whatever it holds: its format is told by the first rows, then every row is read as it comes."""

from __future__ import annotations

from itertools import chain, combinations, islice
from typing import TYPE_CHECKING, Any, Self

from anytune.codes import finding
from anytune.data.files import Line, container_of, lines
from anytune.data.files.strict import brief
from anytune.data.formats import columns
from anytune.data.formats.canonical import Unreadable
from anytune.data.formats.losses import Losses
from anytune.data.formats.registry import FORMATS, detect, from_format
from anytune.data.rows import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from anytune.values import Finding

__all__ = ["HEAD_ROWS", "OWN", "Reading", "read"]

HEAD_ROWS = 32
"""Rows that the format is told by."""

OWN = frozenset({"anytune", "openai-dpo"})
"""Formats whose rows are anytune's own, and are read as they stand."""

_FIX = "Correct the row; docs/how-to/convert-data.md shows how rows of each format look."


class Reading:
    """A file while it is read, as an iterator of lines whose rows are anytune's own. Memory does not grow with the file.

    Attributes:
        path: The file.
        format: How it is read: one of `FORMATS`, or `autotrain` where cells hold JSON text.
        container: What the rows lie in: `jsonl`, `json`, `csv`, `parquet`, …, with `.gz` or `.zst`.
        changed: How many rows were not anytune's own so far.
        hints: What keeps rows of no known kind from being read as columns.
    """

    def __init__(self, path: Path, aside: Iterable[str] = ()) -> None:
        """Open a file and look at its first rows.

        Args:
            path: The file.
            aside: Columns that the caller alone needs: left out of the rows where these can be read only without them.

        Raises:
            DataError: It cannot be read.
        """
        self.path = path
        self.container = container_of(path)
        self.changed = 0
        self._losses = Losses("lossy-read")
        source = lines(path)
        head = list(islice(source, HEAD_ROWS))
        self.format, self._aside = _told([line.row for line in head if not line.problem], sorted(set(aside)))
        self.hints = _hints(path.name, head) if self.format == "anytune" else ()
        self._lines = chain(head, source)

    def __iter__(self) -> Self:
        """Give itself: a file is read once."""
        return self

    def __next__(self) -> Line:
        """Give the next line, with its row as one of anytune's own."""
        line = next(self._lines)
        if line.problem or self.format in OWN:
            return line
        try:
            row, losses = from_format(_without(line.row, self._aside), self.format)
        except Unreadable as error:
            return Line(line.number, {}, f"a row of {self.format} in which {error}", error.code, _FIX)
        if row is not line.row:
            self.changed += 1
            self._losses.take(line.number, losses)
        return Line(line.number, row)

    def findings(self) -> tuple[Finding, ...]:
        """Say how the file was read, and what was left out of the rows that were read so far."""
        if not self.changed:
            return self.hints
        about = FORMATS[self.format].about if self.format in FORMATS else "messages as JSON text in the cells of a table"
        return (finding("read-as", f"{self.path.name} was read as {self.format} ({about})."), *self._losses.findings())


def read(path: Path, aside: Iterable[str] = ()) -> Reading:
    """Read a file as anytune's own rows.

    Args:
        path: The file.
        aside: Columns that the caller alone needs: left out of the rows where these can be read only without them.

    Raises:
        DataError: The file cannot be read.
    """
    return Reading(path, aside)


def _told(rows: list[dict[str, Any]], aside: list[str]) -> tuple[str, frozenset[str]]:
    """Tell the format, and which of the columns aside must go for the rows to have one."""
    format_ = detect(rows)
    if format_ == "anytune" and not any(kind_of(row) for row in rows):
        for count in range(1, len(aside) + 1):
            for some in map(frozenset, combinations(aside, count)):
                found = detect(_without(row, some) for row in rows)
                if found != "anytune":
                    return found, some
    return format_, frozenset()


def _hints(name: str, head: list[Line]) -> tuple[Finding, ...]:
    """Say which columns are in the way, where the first good row has two that could be asked and answered."""
    row = next((line.row for line in head if not line.problem), {})
    near = None if kind_of(row) else columns.nearly(row)
    if near is None:
        return ()
    read, foreign = (" and ".join(f"`{brief(key)[1:-1]}`" for key in keys) for keys in near)
    message = f"{read} of {name} could be what is asked and answered, but beside them stands {foreign}, which may be part of the task."
    return (finding("read-as", message, f"Leave {foreign} out of the file, or write it into the text that asks."),)


def _without(row: dict[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys} if keys else row
