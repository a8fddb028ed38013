"""A few threads for calls that may hang: the loop itself never waits for a host."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Done", "Hands"]

T = TypeVar("T")


class Done(NamedTuple, Generic[T]):
    """A call that came back: for what it was made, and what it gave or raised."""

    of: T
    answer: object
    error: Exception | None


class Hands(Generic[T]):
    """Makes calls in threads of its own, each started when it is first needed.

    They end with the process: a call that hangs does not keep anybody from leaving, and what it would have written down is asked again by
    whoever looks next.

    Args:
        most: Threads at the same time.
    """

    def __init__(self, most: int) -> None:
        """Keep the number; nothing is started."""
        self._most = most
        self._threads = 0
        self._idle = threading.Semaphore(0)
        self._calls: SimpleQueue[tuple[T, Callable[[], object]] | None] = SimpleQueue()
        self._done: SimpleQueue[Done[T]] = SimpleQueue()
        self.out = 0
        """Calls that were given and not yet taken back."""

    def give(self, of: T, call: Callable[[], object]) -> None:
        """Let somebody make a call."""
        self.out += 1
        if not self._idle.acquire(blocking=False) and self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._work, name=f"anytune fleet {self._threads}", daemon=True).start()
        self._calls.put((of, call))

    def take(self, wait_s: float) -> list[Done[T]]:
        """Give the calls that came back; waits so many seconds for the first of them."""
        taken: list[Done[T]] = []
        with suppress(Empty):
            taken.append(self._done.get(timeout=wait_s))
            while True:
                taken.append(self._done.get_nowait())
        self.out -= len(taken)
        return taken

    def close(self) -> None:
        """Let the threads end once they are through with what they are at."""
        for _ in range(self._threads):
            self._calls.put(None)
        self._threads = 0

    def _work(self) -> None:
        while (task := self._calls.get()) is not None:
            of, call = task
            try:
                done = Done(of, call(), None)
            except Exception as error:  # noqa: BLE001 - it is raised, or told, where the answer is taken
                done = Done(of, None, error)
            self._done.put(done)
            self._idle.release()
