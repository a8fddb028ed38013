"""Copies of data files, named by their content: a job reads its copy, so an edit of the original cannot change what is learned."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from anytune.backend import RemoteFile
from anytune.data import describe
from anytune.errors import DataError
from anytune.paths import home

if TYPE_CHECKING:
    from anytune.backend import LocalFile

__all__ = ["keep", "kept", "path"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20


def path(sha256: str) -> Path:
    """Name the copy of a content.

    Raises:
        DataError: That is no sha256.
    """
    if not _SHA256.fullmatch(sha256):
        raise DataError(f"{sha256[:80]!r} is not a sha256.", fix="Give 64 hexadecimal digits.")
    return home() / "files" / f"{sha256}.jsonl"


def kept(sha256: str) -> RemoteFile | None:
    """Give the copy of a content, if there is one."""
    place = path(sha256)
    return RemoteFile(id=sha256, sha256=sha256, size_bytes=place.stat().st_size) if place.is_file() else None


def keep(file: LocalFile) -> RemoteFile:
    """Copy a file once.

    Raises:
        DataError: It is not there, its bytes are not the ones that were checked, or there is no room.
    """
    if not file.path.is_file():
        raise DataError(f"The {file.role} file {file.path} does not exist.", fix="Check the path.")
    found = kept(file.sha256)
    if found is not None:
        return found
    place = path(file.sha256)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".copying-", dir=place.parent)
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as target, file.path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        if describe(scratch, file.role).sha256 != file.sha256:
            raise DataError(f"{file.path} changed while it was read.", fix="Try again.")
        scratch.rename(place)
    except OSError as error:
        raise DataError(
            f"{file.path} cannot be copied to {place.parent}: {error.strerror}.", fix="Make room, or correct the permissions."
        ) from error
    finally:
        scratch.unlink(missing_ok=True)
    return RemoteFile(id=file.sha256, sha256=file.sha256, size_bytes=place.stat().st_size)
