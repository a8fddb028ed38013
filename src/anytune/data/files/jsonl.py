"""Reading JSONL as a stream: memory does not grow with the file, and every line says what is wrong with it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from anytune.errors import DataError
from anytune.values import LocalFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MAX_LINE_BYTES", "Line", "describe", "lines"]

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longest line that is read; a row of a million tokens has about 4 MiB."""

_CHUNK_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One row of a file: its 1-based number, and the row or what is wrong with it (words, and a code of `anytune.codes`)."""

    number: int
    row: dict[str, Any]
    problem: str = ""
    code: str = ""


def describe(path: Path, role: Literal["train", "validation"]) -> LocalFile:
    """Hash a file.

    Raises:
        DataError: It is missing, no file, empty or not readable.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            size = 0
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except FileNotFoundError:
        raise DataError(
            f"The {role} file {path} does not exist.", fix="Check the path; it is relative to the spec, or to the working folder."
        ) from None
    except OSError as error:
        raise DataError(f"The {role} file {path} cannot be read: {error.strerror}.", fix="Give a readable JSONL file.") from error
    if size == 0:
        raise DataError(f"The {role} file {path} is empty.", fix="Put one JSON object a line into it.")
    return LocalFile(path=path.resolve(), sha256=digest.hexdigest(), size_bytes=size, role=role)


def lines(path: Path) -> Iterator[Line]:
    """Read a JSONL file line by line; blank lines are passed over, a byte-order mark and CRLF are taken.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            number = 0
            while raw := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    yield Line(number, {}, f"longer than {MAX_LINE_BYTES // 2**20} MiB", "line-too-long")
                    while raw and not raw.endswith(b"\n"):
                        raw = stream.readline(_CHUNK_BYTES)
                    continue
                if number == 1:
                    raw = raw.removeprefix(_BOM)
                if raw.strip():
                    yield _parsed(number, raw)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", fix="Give a readable JSONL file.") from error


def _parsed(number: int, raw: bytes) -> Line:
    try:
        row = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        return Line(number, {}, f"not UTF-8 (byte {error.start})", "not-utf8")
    except RecursionError:
        return Line(number, {}, "nested too deeply", "too-deep")
    except ValueError as error:
        return Line(number, {}, f"not JSON: {error}", "not-json")
    if not isinstance(row, dict):
        return Line(number, {}, f"a JSON {type(row).__name__}, not an object", "not-an-object")
    return Line(number, row)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON number")
