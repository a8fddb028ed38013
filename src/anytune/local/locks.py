"""Locks that die with their holder: `flock` on files that stay. A child inherits the open file and holds the lock for life."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["held", "take", "take_slot", "wait_for"]


def take(path: Path) -> int | None:
    """Lock a file and give its descriptor, or None where another process holds it; closing the last copy of it gives the lock back."""
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return handle


def wait_for(
    path: Path, seconds: float, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> int | None:
    """Lock a file, or give None after so many seconds: a process forked at a bad moment may hold a copy for as long as it lives."""
    deadline = clock() + seconds
    while (handle := take(path)) is None and clock() < deadline:
        sleep(0.02)
    return handle


def held(path: Path) -> bool:
    """Tell whether some process holds the lock."""
    handle = take(path)
    if handle is None:
        return True
    os.close(handle)
    return False


def take_slot(folder: Path, slots: int) -> int | None:
    """Lock the first free one of the training slots; None where all are taken."""
    for number in range(slots):
        handle = take(folder / f"{number}.lock")
        if handle is not None:
            return handle
    return None


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
