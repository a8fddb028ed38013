"""Takes away what nobody needs: files whose time is over, uploads left open, bytes that no row knows."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from anyio import to_thread

from anytune.errors import redact

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.server.book import Book
    from anytune.server.store import Store

__all__ = ["Sweep"]

_log = logging.getLogger(__name__)

_EVERY_S = 30.0
_STRAYS_EVERY_S = 3600.0
_STRAY_AGE_S = 3600.0
"""Bytes without a row may be a file that is being written down right now; after this time they are not."""


class Sweep:
    """The loop behind expiry.

    Args:
        book: What there is.
        store: What lies on the disk.
        every_s: Seconds between two rounds.
        clock: Gives monotonic seconds.
    """

    def __init__(self, book: Book, store: Store, *, every_s: float = _EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep the parts; nothing runs yet."""
        self._book, self._store = book, store
        self._every_s, self._clock = every_s, clock
        self._strays_at = clock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take away what an earlier process was writing, then begin the rounds."""
        left = await to_thread.run_sync(self._store.clear)
        if left:
            _log.info("%d half-written files of an earlier server were deleted.", left)
        self._task = asyncio.create_task(self._rounds(), name="anytune-sweep")

    async def stop(self) -> None:
        """Leave."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def round(self) -> None:
        """Take away what is due now. The row goes first: bytes without one are swept, a row without bytes would lie."""
        for row in self._book.files.expired():
            self._book.files.remove(row.id)
            self._store.remove(row.id)
        for part_id in self._book.uploads.expire():
            self._store.remove(part_id)
        if self._clock() >= self._strays_at:
            self._strays_at = self._clock() + _STRAYS_EVERY_S
            candidates = self._store.older_than(_STRAY_AGE_S)
            self._store.sweep(self._book.files.known(candidates), candidates)

    async def _rounds(self) -> None:
        while True:
            try:
                await to_thread.run_sync(self.round)
            except Exception as error:  # noqa: BLE001 - the next round tries again; the loop must outlive a full disk or a lost database
                _log.warning("Files could not be swept: %s.", redact(str(error)))
            await asyncio.sleep(self._every_s)
