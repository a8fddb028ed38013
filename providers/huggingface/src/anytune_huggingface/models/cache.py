"""Folders that are made once: whole or not at all, and by one process while others wait."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["once"]


def once(place: Path, make: Callable[[Path], None]) -> Path:
    """Give the folder `place`; the first call makes it with `make(scratch folder)`, and an interrupted one leaves nothing that is used."""
    if place.is_dir():
        return place
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(place.with_name(f"{place.name}.lock")):
        if not place.is_dir():
            with _scratch(place.parent) as scratch:
                make(scratch)
                scratch.rename(place)
    return place


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=parent))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
