"""Rows of any data file: what the file is decides who reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anytune.data.files.compressed import open_bytes
from anytune.data.files.containers import sniff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anytune.data.files.strict import Line

__all__ = ["lines"]


def lines(path: str | Path, *, progress: Callable[[int], object] | None = None) -> Iterator[Line]:
    """Read the rows of a JSONL, JSON, CSV, TSV or Parquet file, packed by gzip or zstd or not, one after the other.

    Memory does not grow with the file. Every row comes with its number and with what is wrong with it, if anything; blank lines are
    passed over, byte-order marks and CRLF are taken.

    Args:
        path: The file. Its content says what it is; the name only decides where the content could be several things.
        progress: Called now and then with how many bytes of the file, as it lies on the disk, have been read so far (not for Parquet).

    Raises:
        DataError: The file cannot be read: it is missing, its packing is broken, it is no data file, or its columns have no names.
    """
    path = Path(path)
    kind = sniff(path).kind
    if kind == "parquet":
        from anytune.data.files import columns  # noqa: PLC0415 - few need it

        yield from columns.rows(path)
        return
    with open_bytes(path, progress=progress) as stream:
        if kind == "jsonl":
            from anytune.data.files import jsonl  # noqa: PLC0415 - only one of them is needed

            yield from jsonl.rows(stream)
        elif kind == "json":
            from anytune.data.files import documents  # noqa: PLC0415 - the same

            yield from documents.rows(stream, path.name)
        else:
            from anytune.data.files import tables  # noqa: PLC0415 - the same

            yield from tables.rows(stream, path.name, tabs=kind == "tsv")
