"""Files that survive a crash: whole files by write, fsync and rename; logs by appended lines. The standard library only.

A full disk must not keep a process from saying so: `reserve` sets a little space aside beside the files, and a last word may use it.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FULL", "RESERVE", "append", "read", "read_lines", "remove", "reserve", "tail", "touch", "trim", "write", "write_last"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says of a disk, or a share of it, that is full."""

RESERVE = "reserve"
_RESERVE_BYTES = 64 * 2**10


def reserve(folder: Path) -> None:
    """Set space aside in a folder for `write_last`; it may be there already."""
    path = folder / RESERVE
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(bytes(_RESERVE_BYTES))


def write_last(path: Path, content: dict[str, Any]) -> None:
    """Write a file as `write` does; where the disk is full, into the space that was set aside for that."""
    try:
        write(path, content)
    except OSError as error:
        if error.errno not in FULL or not path.with_name(RESERVE).exists():
            raise
        path.with_name(RESERVE).unlink()
        write(path, content)


def write(path: Path, content: dict[str, Any], *, sync: bool = True) -> None:
    """Put a whole JSON file in place, for the owner only; a reader sees the old one or the new one, never a part.

    Args:
        path: The file; its folder exists.
        content: What to write.
        sync: Also survive a power loss (about 3 to 17 ms). False is for what is rewritten all the time, such as progress.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, allow_nan=False)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's names themselves survive a power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path) -> dict[str, Any] | None:
    """Read a JSON file, or give None where there is none.

    Raises:
        ValueError: It is not a JSON object: someone else wrote it, or the disk is broken.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not a JSON object")  # noqa: TRY004 - one kind of error for one kind of broken file
    return content


def touch(path: Path) -> None:
    """Make an empty file that survives a power loss; it may exist."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file for good; it may be gone already."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def append(path: Path, record: dict[str, Any]) -> None:
    """Append one JSON line in one write; a half line that a killed writer left is ended first, so that it spoils itself only."""
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size_bytes = os.fstat(handle).st_size
        broken = size_bytes > 0 and os.pread(handle, 1, size_bytes - 1) != b"\n"
        line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        os.write(handle, b"\n" + line if broken else line)
    finally:
        os.close(handle)


def read_lines(path: Path, offset: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """Read the whole JSON lines from a byte offset on, each with its own offset; what is no JSON object, or has no end yet, is left out."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return []
    found = []
    for line in content.splitlines(keepends=True):
        if line.endswith(b"\n"):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                found.append((offset, record))
        offset += len(line)
    return found


def tail(path: Path, lines: int, *, most_bytes: int = 65536) -> list[str]:
    """Give the last lines of a log that are not blank; of a progress bar's line, its last state."""
    try:
        with path.open("rb") as file:
            size_bytes = file.seek(0, os.SEEK_END)
            file.seek(max(0, size_bytes - most_bytes))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    last_states = (line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in text.split("\n"))
    return [line for line in last_states if line][-lines:] if lines > 0 else []


def trim(path: Path, *, most_bytes: int = 32 * 2**20, keep_bytes: int = 2**20) -> None:
    """Cut a log that others append to down to its last part, once it is too long."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        size_bytes = os.fstat(handle).st_size
        if size_bytes > most_bytes:
            kept = os.pread(handle, keep_bytes, size_bytes - keep_bytes)
            os.ftruncate(handle, 0)
            os.write(handle, kept)
    finally:
        os.close(handle)
