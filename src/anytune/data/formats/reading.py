"""A file as anytune's own rows, whatever it holds: its format is told by the first rows, then every row is read as it comes."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Self

from anytune.codes import finding
from anytune.data.files import Line, container_of, lines
from anytune.data.formats.canonical import Unreadable
from anytune.data.formats.losses import Losses
from anytune.data.formats.registry import FORMATS, detect, from_format

if TYPE_CHECKING:
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
    """

    def __init__(self, path: Path) -> None:
        """Open a file and look at its first rows.

        Raises:
            DataError: It cannot be read.
        """
        self.path = path
        self.container = container_of(path)
        self.changed = 0
        self._losses = Losses("lossy-read")
        source = lines(path)
        head = list(islice(source, HEAD_ROWS))
        self.format = detect([line.row for line in head if not line.problem])
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
            row, losses = from_format(line.row, self.format)
        except Unreadable as error:
            return Line(line.number, {}, f"a row of {self.format} in which {error}", error.code, _FIX)
        if row is not line.row:
            self.changed += 1
            self._losses.take(line.number, losses)
        return Line(line.number, row)

    def findings(self) -> tuple[Finding, ...]:
        """Say how the file was read, and what was left out of the rows that were read so far."""
        if not self.changed:
            return ()
        about = FORMATS[self.format].about if self.format in FORMATS else "messages as JSON text in the cells of a table"
        return (finding("read-as", f"{self.path.name} was read as {self.format} ({about})."), *self._losses.findings())


def read(path: Path) -> Reading:
    """Read a file as anytune's own rows.

    Raises:
        DataError: The file cannot be read.
    """
    return Reading(path)
