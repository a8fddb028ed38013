"""Which file it is: the hash of its bytes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from anytune.errors import DataError
from anytune.values import LocalFile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["describe"]

_CHUNK_BYTES = 2**20


def describe(path: Path, role: Literal["train", "validation"]) -> LocalFile:
    """Hash a file, as it lies on the disk.

    Raises:
        DataError: It is missing, no file, empty or not readable.
    """
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise DataError(f"The {role} file {path} cannot be read: it is no regular file.", fix="Give a data file.")
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
        raise DataError(f"The {role} file {path} cannot be read: {error.strerror}.", fix="Give a readable data file.") from error
    if size == 0:
        raise DataError(f"The {role} file {path} is empty.", fix="Put one JSON object a line into it.")
    return LocalFile(path=path.absolute(), sha256=digest.hexdigest(), size_bytes=size, role=role)
