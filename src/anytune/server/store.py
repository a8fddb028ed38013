"""Bytes of files on the disk, under random names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Store"]


class Store:
    """A folder of files.

    Args:
        root: The folder; made for the owner only.
    """

    def __init__(self, root: Path) -> None:
        """Make the folder."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root = root
