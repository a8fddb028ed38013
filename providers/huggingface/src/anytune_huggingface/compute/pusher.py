"""Checkpoints on their way to the record while training goes on: the newest wins where they come faster than they can be sent."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from anytune.errors import AnytuneError, Transient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Pusher", "patiently"]

T = TypeVar("T")

_PATIENCE_S, _LONGEST_S = 600.0, 60.0
"""Longer than most outages, and cheaper than to train again what was not pushed."""


def patiently(call: Callable[[], T], *, for_s: float = _PATIENCE_S, wait: Callable[[float], object] = time.sleep) -> T:
    """Make a call that may be made again, again where the Hub could not be reached: nobody else is there to do it.

    Raises:
        AnytuneError: It failed for good, or still after `for_s` seconds of waiting.
    """
    waited_s, pause_s = 0.0, 1.0
    while True:
        try:
            return call()
        except AnytuneError as error:
            wanted_s = min(getattr(error, "retry_after", None) or pause_s, _LONGEST_S)
            if not isinstance(error, Transient) or waited_s + wanted_s > for_s:
                raise
        wait(wanted_s)
        waited_s, pause_s = waited_s + wanted_s, 2 * pause_s


class Pusher:
    """Pushes checkpoints in a thread of its own.

    Args:
        push: Pushes a folder.
        scratch: Where a checkpoint is kept while it is pushed, on the same disk: the program may delete its own meanwhile.
        tell: Gets the name of each one that was pushed, with the error if it was not.
        every_s: Seconds between two pushes, at least.
    """

    def __init__(
        self, push: Callable[[Path], object], scratch: Path, tell: Callable[[str, AnytuneError | None], None], *, every_s: float
    ) -> None:
        """Start the thread."""
        self._push, self._scratch, self._tell, self._every_s = push, scratch, tell, every_s
        self._news = threading.Condition()
        self._waiting: Path | None = None
        self._offered: str | None = None
        self._at_s = -every_s
        self._busy = self._hurry = False
        scratch.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._run, name="checkpoints", daemon=True).start()

    def offer(self, folder: Path) -> None:
        """Take a finished checkpoint, by links to its files; one that was offered before is passed over."""
        if folder.name == self._offered or not folder.is_dir():
            return
        kept = self._scratch / folder.name
        shutil.rmtree(kept, ignore_errors=True)
        try:
            shutil.copytree(folder, kept, copy_function=os.link)
        except (OSError, shutil.Error):  # it was deleted meanwhile: a newer one comes
            shutil.rmtree(kept, ignore_errors=True)
            return
        with self._news:
            self._offered = folder.name
            dropped, self._waiting = self._waiting, kept
            self._news.notify_all()
        if dropped is not None:
            shutil.rmtree(dropped, ignore_errors=True)

    def drain(self, timeout_s: float) -> bool:
        """Wait until what was offered is pushed; tell whether it is."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            self._hurry = True
            self._news.notify_all()
            while self._waiting is not None or self._busy:
                if not self._news.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    return False
        return True

    def _run(self) -> None:
        while True:
            folder = self._next()
            error: AnytuneError | None = None
            try:
                patiently(lambda folder=folder: self._push(folder))  # type: ignore[misc]
            except AnytuneError as found:
                error = found
            self._tell(folder.name, error)
            shutil.rmtree(folder, ignore_errors=True)
            with self._news:
                self._busy = False
                self._news.notify_all()

    def _next(self) -> Path:
        """Wait for a checkpoint whose turn has come."""
        with self._news:
            while True:
                rest_s = 0.0 if self._hurry else self._at_s + self._every_s - time.monotonic()
                if self._waiting is not None and rest_s <= 0:
                    folder, self._waiting, self._busy = self._waiting, None, True
                    self._at_s = time.monotonic()
                    return folder
                self._news.wait(rest_s if self._waiting is not None else None)
