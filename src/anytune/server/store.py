"""Bytes of files on the disk, under random names: whole or not there, whatever ends the process in between.

Bytes arrive in a file whose name nobody asks for, are flushed to the disk, and only then take their own name. What a process that ended
left behind is swept away by the next one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from anyio import CapacityLimiter

from anytune.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["Incoming", "Store", "Stored"]

_ID = re.compile(r"(?:file-|part_)[A-Za-z0-9]{24}")
_PARTIAL = ".partial"
_CHUNK_BYTES = 2**20
_WRITERS, _JOINERS = 4, 2
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Stored(NamedTuple):
    """What was written."""

    size_bytes: int
    sha256: str


class Store:
    """A folder of files.

    Args:
        root: The folder; made for the owner only.
        clock: Gives seconds since 1970, as the file system stamps them.

    Attributes:
        limiter: Threads that bytes on their way in may keep busy, so that other requests find some.
        joiners: Threads that may join parts to files; one of 8 GiB keeps one busy for a minute.
    """

    def __init__(self, root: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Make the folder."""
        for folder in (root.parent, root):  # `mode` is for the last one only
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root = root
        self.clock = clock
        self.limiter = CapacityLimiter(_WRITERS)
        self.joiners = CapacityLimiter(_JOINERS)

    def path(self, file_id: str) -> Path:
        """Say where the bytes of an id lie.

        Raises:
            ApiError: 404: that is no id of ours, so it never becomes a path.
        """
        if not _ID.fullmatch(file_id):
            raise ApiError(404, f"No such File object: {file_id}", param="id")
        return self.root / file_id

    def put(self, file_id: str, content: bytes) -> Stored:
        """Write a file in one go.

        Raises:
            ApiError: 507: the disk is full.
            FileExistsError: The id is taken.
        """
        with self.incoming(file_id) as incoming:
            incoming.write(content)
            return incoming.commit()

    def incoming(self, file_id: str) -> Incoming:
        """Begin a file that comes in pieces."""
        return Incoming(self.path(file_id))

    def chunks(self, file_id: str) -> Iterator[bytes]:
        """Read a file, a mebibyte at a time."""
        with self.path(file_id).open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk

    def remove(self, file_id: str) -> None:
        """Delete the bytes of an id, if they are there."""
        self.path(file_id).unlink(missing_ok=True)

    def clear(self) -> int:
        """Delete what was arriving when an earlier process ended, and tell how many files that were. Only while no request is served."""
        left = [place for place in self.root.iterdir() if place.name.endswith(_PARTIAL)]
        for place in left:
            place.unlink(missing_ok=True)
        return len(left)

    def older_than(self, age_s: float) -> list[str]:
        """Give the ids of files that were written at least `age_s` seconds ago."""
        limit, found = self.clock() - age_s, []
        for place in self.root.iterdir():
            with suppress(FileNotFoundError):
                if _ID.fullmatch(place.name) and place.stat().st_mtime <= limit:
                    found.append(place.name)
        return found

    def sweep(self, known: Collection[str], candidates: Collection[str]) -> int:
        """Delete the candidates that the book does not know, and tell how many; look up `known` after the candidates."""
        unknown = [file_id for file_id in candidates if file_id not in known]
        for file_id in unknown:
            self.remove(file_id)
        return len(unknown)


class Incoming:
    """A file that comes in pieces; without `commit` nothing stays of it. Made by `Store.incoming`, used as a context.

    Attributes:
        size_bytes: Bytes so far.
    """

    def __init__(self, place: Path) -> None:
        """Keep the place; the first piece makes the file."""
        self.size_bytes = 0
        self._place = place
        self._partial = place.with_name(f".{place.name}.{secrets.token_hex(4)}{_PARTIAL}")
        self._digest = hashlib.sha256()
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave nothing half-written."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
            self._stream = None
        self._partial.unlink(missing_ok=True)

    def write(self, data: bytes | memoryview) -> None:
        """Append a piece.

        Raises:
            ApiError: 507: the disk is full.
        """
        with _room():
            self._opened().write(data)
        self._digest.update(data)
        self.size_bytes += len(data)

    def commit(self) -> Stored:
        """Put the file under its name, on the disk for good.

        Raises:
            ApiError: 507: the disk is full.
            FileExistsError: The id is taken.
        """
        with _room():
            stream = self._opened()
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
        self._stream = None
        if self._place.exists():
            raise FileExistsError(f"{self._place} is there already.")
        self._partial.rename(self._place)
        _flush_folder(self._place.parent)
        return Stored(self.size_bytes, self._digest.hexdigest())

    def _opened(self) -> IO[bytes]:
        if self._stream is None:
            handle = os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            self._stream = os.fdopen(handle, "wb", buffering=_CHUNK_BYTES)
        return self._stream


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        said = "The server's disk is full. Delete files that are not needed any more, or ask the server's owner for room."
        raise ApiError(507, said, code="storage_full") from error


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
