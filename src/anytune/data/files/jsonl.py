"""JSONL as a stream: line by line, or in blocks of whole lines for whoever is in a hurry."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from anytune.data.files.compressed import CHUNK_BYTES, open_bytes
from anytune.data.files.strict import BOM, MAX_LINE_BYTES, Line, Parser, too_long

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Block", "blocks", "rows"]

_BLANK = b" \t\r\n"


class Block(NamedTuple):
    r"""Whole lines of a JSONL file.

    Attributes:
        first_number: 1-based number of the first line.
        raw: The lines with their ends, blank ones included, so that `first_number` plus the count of `\n` is the next block's number. A
            line that is too long comes alone, cut after `MAX_LINE_BYTES`, with a NUL in the place of the rest, so that no parser takes it
            and `parse` says why.
    """

    first_number: int
    raw: bytes


def rows(stream: BinaryIO) -> Iterator[Line]:
    """Read line by line; blank lines are passed over but counted."""
    parser = Parser()
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            wrong = too_long()
            yield Line(number, {}, wrong.problem, wrong.code, wrong.fix)
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(CHUNK_BYTES)
            continue
        if number == 1:
            raw = raw.removeprefix(BOM)
        if raw.strip(_BLANK):
            yield parser.line(number, raw)


def blocks(path: str | Path, *, progress: Callable[[int], object] | None = None) -> Iterator[Block]:
    """Read a JSONL file, packed or not, in blocks of about 1 MiB; a leading byte-order mark is left out.

    Args:
        path: The file; whether it is JSONL, `container_of` tells.
        progress: As for `open_bytes`.

    Raises:
        DataError: The file cannot be read.
    """
    with open_bytes(path, progress=progress) as stream:
        number, kept = 1, [stream.read(CHUNK_BYTES).removeprefix(BOM)]
        size = len(kept[0])
        while True:
            first, cut = kept[-1].find(b"\n") + 1, kept[-1].rfind(b"\n") + 1
            if (size - len(kept[-1]) + first if first else size) > MAX_LINE_BYTES:
                yield Block(number, b"".join(kept)[:MAX_LINE_BYTES] + b"\0\n")
                number += 1
                kept = [kept[-1][first:] if first else _after_line(stream)]
                size = len(kept[0])
                continue
            if cut:
                rest = kept[-1][cut:]
                kept[-1] = kept[-1][:cut]
                raw = b"".join(kept)
                yield Block(number, raw)
                number += raw.count(b"\n")
                kept, size = [rest], len(rest)
            chunk = stream.read(CHUNK_BYTES)
            if not chunk:
                break
            kept.append(chunk)
            size += len(chunk)
        if size:
            yield Block(number, b"".join(kept))


def _after_line(stream: BinaryIO) -> bytes:
    """Pass over the rest of a line, and give what was read behind it."""
    while chunk := stream.read(CHUNK_BYTES):
        _, end, rest = chunk.partition(b"\n")
        if end:
            return rest
    return b""
