"""Rows into a file: whole, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from anytune.data.files.strict import BOM
from anytune.errors import DataError
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import ReadableBuffer

__all__ = ["Written", "write"]

_CHUNK_BYTES = 2**20


class Written(Value):
    """What was written: `sha256` is of the file's bytes as they lie on the disk, in hex."""

    path: Path
    rows: int
    sha256: str
    size_bytes: int


def write(
    rows: Iterable[dict[str, Any]],
    path: str | Path,
    *,
    bom: bool = False,
    compression: Literal["gzip", "zstd"] | None = None,
    source: str | Path | None = None,
) -> Written:
    r"""Write rows as JSONL: UTF-8 with its own letters, `\n` at the end of each line.

    The file takes its name once it is complete and on the disk. Whatever goes wrong, also in making the rows, leaves what was there before.

    Args:
        rows: JSON objects; they are taken one by one.
        path: The file. Its suffix packs it: `.gz` or `.zst`.
        bom: Begin with a byte-order mark, as Azure asks for.
        compression: How to pack it, whatever its suffix says.
        source: The file that the rows are read from: it is never overwritten.

    Raises:
        DataError: A row is no JSON (NaN, bytes, …), the file cannot be written, or it is the source.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> write([{"text": "a"}], Path(mkdtemp()) / "rows.jsonl").rows
        1
    """
    path = Path(path)
    if source is not None and path.exists() and path.samefile(source):
        raise DataError(f"{path} would overwrite the file that is read.", fix="Give another file to write to.")
    packing = compression or {".gz": "gzip", ".zst": "zstd"}.get(path.suffix.lower())
    scratch = path.with_name(f".writing-{uuid.uuid4().hex}")
    try:
        written = _into(scratch, rows, bom=bom, packing=packing)
        if path.exists():
            scratch.chmod(path.stat().st_mode & 0o777)
        scratch.replace(path)
        _settle(path.parent)
    except OSError as error:
        said = error.strerror or str(error)
        raise DataError(f"{path} cannot be written: {said}.", fix="Make the folder or room, or correct the permissions.") from error
    finally:
        scratch.unlink(missing_ok=True)
    return written.model_copy(update={"path": path.resolve()})


def _into(scratch: Path, rows: Iterable[dict[str, Any]], *, bom: bool, packing: str | None) -> Written:
    count, kept = 0, bytearray(BOM if bom else b"")
    with scratch.open("xb") as file:
        hashed = _Hashed(file)
        with _packed(hashed, packing) as plain:
            for row in rows:
                count += 1
                kept += _line(count, row)
                if len(kept) >= _CHUNK_BYTES:
                    plain.write(kept)
                    kept.clear()
            plain.write(kept)
        file.flush()
        os.fsync(file.fileno())
    return Written(path=scratch, rows=count, sha256=hashed.digest.hexdigest(), size_bytes=hashed.size)


class _Hashed(io.RawIOBase):
    """A file that knows the hash of what was written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        count = self._file.write(data)
        self.digest.update(data)
        self.size += count
        return count


def _packed(target: _Hashed, packing: str | None) -> io.IOBase:
    if packing == "gzip":
        return gzip.GzipFile(filename="", fileobj=target, mode="wb", mtime=0)  # the same rows give the same bytes
    if packing == "zstd":
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - only where a file is packed so
        else:
            from backports import zstd  # noqa: PLC0415 - the same
        return zstd.ZstdFile(target, "w")
    return target


def _line(number: int, row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8, but an escape
        return json.dumps(row, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"Row {number} cannot be written as JSON: {error}.", fix="Give JSON values only.") from error


def _settle(folder: Path) -> None:
    """Have the file's new name on the disk too."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
