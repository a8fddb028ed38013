"""JSON files that are one document: a list of rows, an object around such a list, or objects one after the other over several lines.

The rows are cut out by their brackets and judged one by one, as lines of a JSONL file are: the document is never held as a whole, and a
bad row does not hide the ones after it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from anytune.data.files.compressed import CHUNK_BYTES
from anytune.data.files.containers import WRAPPED
from anytune.data.files.strict import BOM, MAX_LINE_BYTES, Line, Parser, too_long
from anytune.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["rows"]

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+([\[\]{}])", re.DOTALL)
_PLAIN = re.compile(rb'(?:[^",\[\]{}:\s]++|' + _STRING + rb")++", re.DOTALL)
_BLANK = re.compile(rb"[ \t\r\n]*+")


class _TooLong(Exception):
    """A row is longer than what is held."""


class _Broken(Exception):
    """What stands between the rows is not JSON: nothing after it can be read."""


def rows(stream: BinaryIO, name: str) -> Iterator[Line]:
    """Read a document's rows; their numbers count from 1.

    Args:
        stream: The plain bytes.
        name: The file's, for errors.

    Raises:
        DataError: There is a second list of rows.
    """
    text, parser, number = _Text(stream), Parser(), 0
    try:
        wrapper = text.unwrap()
        for raw in _listed(text) if wrapper or text.skip(b"[") else _strewn(text):
            number += 1
            yield parser.line(number, raw)
        _close(text, wrapper, name)
    except _Broken as broken:
        fix = "Write the file as json.dump(rows, file) does, or one row a line as JSONL. Nothing after this place was read."
        yield Line(number + 1, {}, f"not JSON: {broken}", "not-json", fix)
    except _TooLong:
        wrong = too_long()
        yield Line(number + 1, {}, wrong.problem, wrong.code, "Split the row. Nothing after it was read.")


def _listed(text: _Text) -> Iterator[bytes]:
    if text.skip(b"]"):
        return
    while True:
        yield text.value()
        if text.skip(b"]"):
            return
        if not text.skip(b","):
            raise _Broken("a comma is missing between two rows" if text.next() else "the list is not closed, as when a file was cut off")


def _strewn(text: _Text) -> Iterator[bytes]:
    while text.next():
        yield text.value()


def _close(text: _Text, wrapper: str, name: str) -> None:
    """Read what stands behind the rows."""
    while wrapper and text.skip(b","):
        text.value()
        if not text.skip(b":"):
            raise _Broken("a key without a value")
        if text.value()[:CHUNK_BYTES].translate(None, b" \t\r\n").startswith(b"[{"):
            raise DataError(f"{name} holds several lists of rows beside `{wrapper}`.", fix="Put each list into a file of its own.")
    if wrapper and not text.skip(b"}"):
        raise _Broken("the object around the list is not closed")
    if text.next():
        raise _Broken("something follows the last row")


class _Text:
    """A place in a stream of JSON, with as much of it as the value there needs."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = stream.read(CHUNK_BYTES).removeprefix(BOM)
        self._at = 0

    def unwrap(self) -> str:
        """Go into the list that an object stands around, and give its key; empty if there is none."""
        found = WRAPPED.match(self._buffer)
        if found is None:
            return ""
        self._at = found.end()
        return found[1].decode()

    def next(self) -> bytes:
        """Give the next byte that is not blank; empty at the end."""
        while True:
            self._at = _BLANK.match(self._buffer, self._at).end()  # type: ignore[union-attr] # it matches everywhere
            if self._at < len(self._buffer) or not self._fill():
                return self._buffer[self._at : self._at + 1]

    def skip(self, mark: bytes) -> bool:
        """Pass over a mark, if it comes next."""
        if self.next() != mark:
            return False
        self._at += 1
        return True

    def value(self) -> bytes:
        """Take the next value, whatever it is."""
        return self._nested() if self.next() in {b"[", b"{"} else self._plain()

    def _nested(self) -> bytes:
        scan, depth = self._at, 0
        while True:
            found = _TO_BRACKET.match(self._buffer, scan)
            if found is None:
                scan -= self._at
                if not self._fill():
                    raise _Broken("the file ends in the middle of a row")
                continue
            scan = found.end()
            depth += 1 if found[1] in b"[{" else -1
            if depth == 0:
                raw = self._buffer[self._at : scan]
                self._at = scan
                return raw

    def _plain(self) -> bytes:
        while True:
            found = _PLAIN.match(self._buffer, self._at)
            if found is not None and found.end() < len(self._buffer):
                break
            if not self._fill():
                break
        if found is None:
            raise _Broken("a row is missing")
        self._at = found.end()
        return found[0]

    def _fill(self) -> bool:
        """Let go of what was read, and read on: twice as much each time, so that a long row is not looked at too often."""
        rest = self._buffer[self._at :]
        if len(rest) > MAX_LINE_BYTES:
            raise _TooLong
        chunk = self._stream.read(max(CHUNK_BYTES, len(rest)))
        self._buffer, self._at = rest + chunk, 0
        return bool(chunk)
