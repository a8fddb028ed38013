"""The bytes of a data file, unpacked where gzip or zstd packed them: streamed, and capped, so that a small file cannot fill the memory."""

from __future__ import annotations

import gzip
import io
import stat
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from anytune.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

__all__ = ["MAX_PLAIN_BYTES", "MAX_RATIO", "Packing", "open_bytes", "open_file", "packing_of"]

Packing = Literal["", "gz", "zst"]

MAX_PLAIN_BYTES = 64 * 2**30
"""Most that is unpacked from one file; the largest upload that any provider takes is 8 GB."""

MAX_RATIO = 200
"""Most times that a file may grow when unpacked, beyond `FREE_BYTES`. Text is packed 3 to 20 times; gzip ends at 1,032, zstd far above."""

FREE_BYTES = 256 * 2**20
"""What is unpacked without asking how small it was: files of one row many times over are small and harmless."""

CHUNK_BYTES = 2**20

_MAX_WINDOW_LOG = 27  # 128 MiB, what the zstd tool takes without being asked


def packing_of(head: bytes) -> Packing:
    """Tell from a file's first bytes how it is packed; its name does not count."""
    if head.startswith(b"\x1f\x8b"):
        return "gz"
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):  # noqa: PLR2004 - RFC 8878, 3.1
        return "zst"
    return ""


def open_file(path: Path) -> io.BufferedReader:
    """Open a file as it is.

    Raises:
        DataError: It is missing, no regular file, or not readable.
    """
    try:
        if stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            return path.open("rb")
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.", fix="Check the path; it is relative to the spec, or to the working folder.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, error) from error
    kind = "a folder" if path.is_dir() else "no regular file"
    raise DataError(f"{path} cannot be read: it is {kind}.", fix="Give a data file; what comes from a pipe is saved first.")


def open_bytes(path: str | Path, *, max_bytes: int = MAX_PLAIN_BYTES, progress: Callable[[int], object] | None = None) -> io.BufferedReader:
    """Open a file, unpacked where it is packed; gzip and zstd are known by their first bytes, several members or frames are read as one.

    Args:
        path: A regular file.
        max_bytes: Most that is unpacked.
        progress: Called now and then with how many bytes of the file, as it lies on the disk, have been read so far.

    Raises:
        DataError: The file cannot be opened; reading raises it too, where the packing is broken or cut off, or grows without measure.
    """
    path = Path(path)
    file = open_file(path)
    packing = packing_of(file.peek(4)[:4])
    return io.BufferedReader(_Unpacked(path, file, packing, max_bytes, progress), CHUNK_BYTES)


class _Unpacked(io.RawIOBase):
    """A file's plain bytes, where every way to fail has its words."""

    def __init__(
        self, path: Path, file: io.BufferedReader, packing: Packing, max_bytes: int, progress: Callable[[int], object] | None
    ) -> None:
        self._path, self._file, self._packing, self._max_bytes, self._progress = path, file, packing, max_bytes, progress
        self._broken: tuple[type[Exception], ...] = (EOFError, zlib.error, gzip.BadGzipFile)
        self._plain: io.BufferedIOBase = file
        self._seen = 0
        if packing == "gz":
            self._plain = gzip.GzipFile(fileobj=file)
        elif packing == "zst":
            self._open_zstd()

    def _open_zstd(self) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - only where a file is packed so
        else:
            from backports import zstd  # noqa: PLC0415 - the same
        self._broken = (EOFError, zstd.ZstdError)
        self._plain = zstd.ZstdFile(self._file, options={zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG})

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        try:
            count = self._plain.readinto(buffer)
        except self._broken as error:
            name = {"gz": "gzip", "zst": "zstd"}[self._packing]
            said = "it ends too early" if isinstance(error, EOFError) else str(error).rstrip(".")
            problem = f"{self._path} cannot be read: its {name} packing is broken ({said})."
            raise DataError(problem, fix="Fetch or pack it again.") from error
        except OSError as error:
            raise _unreadable(self._path, error) from error
        self._seen += count
        if self._packing:
            self._measure()
        if self._progress is not None:
            self._progress(self._file.tell())
        return count

    def _measure(self) -> None:
        if self._seen > self._max_bytes:
            limit = f"{self._max_bytes:,} bytes, the most that is unpacked"
        elif self._seen > FREE_BYTES and self._seen > MAX_RATIO * self._file.tell():
            limit = f"{FREE_BYTES // 2**20} MiB, and to more than {MAX_RATIO} times its own size"
        else:
            return
        raise DataError(
            f"{self._path} unpacks to more than {limit}: a decompression bomb looks like that.",
            fix="If you trust it, unpack it yourself and give the unpacked file.",
        )

    def close(self) -> None:
        if not self.closed:
            try:
                self._plain.close()
            finally:
                self._file.close()
        super().close()


def _unreadable(path: Path, error: OSError | ValueError) -> DataError:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DataError(f"{path} cannot be read: {said}.", fix="Check the path and its permissions.")
