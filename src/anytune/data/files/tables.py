"""CSV and TSV as streams: the first record names the columns, each further one is a row."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, BinaryIO

from anytune.data.files.cells import row_of
from anytune.data.files.strict import MAX_LINE_BYTES, Line, Parser, brief, too_long
from anytune.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["rows"]

_QUOTED = re.compile(r'"[^"]*"')
_RAW_BYTES = re.compile(r"[\udc80-\udcff]")
_MAX_NAME = 200


class _TooLong(Exception):
    """A record is longer than what is held."""


def rows(stream: BinaryIO, name: str, *, tabs: bool) -> Iterator[Line]:
    """Read a table's rows; their numbers count from 1, without the header.

    Args:
        stream: The plain bytes; a byte-order mark is taken.
        name: The file's, for errors.
        tabs: Whether cells are parted by tabs. Otherwise by commas, or by what Excel writes in many countries: semicolons.

    Raises:
        DataError: The first record does not name the columns.
    """
    # The limit is the whole process's; raising it takes nothing from anybody.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    source, parser, number = _Lines(stream), Parser(), 0
    reader = csv.reader(source, delimiter=_delimiter(source.first, tabs=tabs), strict=True)
    header: list[str] | None = None
    while True:
        source.held = 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if header is None:
                raise DataError(f"{name} cannot be read: its first record is not CSV ({error}).", fix="Name the columns in it.") from error
            number += 1
            fix = 'Put cells with quotes into quotes, and double the inner ones: "a ""b"" c".'
            yield Line(number, {}, f"not CSV: {error}", "not-csv", fix)
            continue
        except _TooLong:
            wrong = too_long()
            yield Line(number + 1, {}, wrong.problem, wrong.code, "See whether a closing quote is missing. Nothing after it was read.")
            return
        if not cells or (len(header or ()) != 1 and not "".join(cells).strip()):
            continue  # a blank line, or a spreadsheet's empty row
        if header is None:
            header = _header(cells, name)
            continue
        number += 1
        yield _row(number, header, cells, parser)


def _delimiter(first: str, *, tabs: bool) -> str:
    if tabs:
        return "\t"
    bare = _QUOTED.sub("", first)
    return next((mark for mark in ",;\t" if mark in bare), ",")


def _header(cells: list[str], name: str) -> list[str]:
    names = [cell.strip() for cell in cells]
    for place, column in enumerate(names, 1):
        if not column:
            fix = "Name it, or leave it out; pandas writes no index with df.to_csv(path, index=False)."
            raise DataError(f"Column {place} of {name} has no name.", fix=fix)
        if len(column) > _MAX_NAME or "\n" in column or _RAW_BYTES.search(column):
            raise DataError(f"Column {place} of {name} has no name, but a text.", fix="Name the columns in the first line, in UTF-8.")
        if names.index(column) < place - 1:
            raise DataError(f"{name} has two columns {brief(column)}.", fix="Rename or leave out one of them.")
    return names


def _row(number: int, header: list[str], cells: list[str], parser: Parser) -> Line:
    if len(cells) != len(header):
        problem = f"a record of {len(cells)} cells, though {len(header)} columns are named"
        return Line(number, {}, problem, "not-csv", "Put cells that hold commas or line ends into quotes.")
    for column, cell in zip(header, cells, strict=True):
        if _RAW_BYTES.search(cell):
            problem = f"not UTF-8 (in column {brief(column)})"
            return Line(
                number, {}, problem, "not-utf8", "Save it as UTF-8; where it came from Windows: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW"
            )
    return row_of(number, dict(zip(header, cells, strict=True)), parser)


class _Lines:
    """A file's lines for `csv`, which joins them to records without a limit of its own."""

    def __init__(self, stream: BinaryIO) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self.held = 0
        self.first = self._text.readline(MAX_LINE_BYTES + 1)
        self._again = self.first

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line, self._again = self._again or self._text.readline(MAX_LINE_BYTES + 1), ""
        if not line:
            raise StopIteration
        self.held += len(line)
        if self.held > MAX_LINE_BYTES:
            raise _TooLong
        return line
