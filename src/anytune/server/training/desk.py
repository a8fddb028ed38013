"""Where clerks are sent out from. One that comes back well waits a while for the next errand: it takes a second to start one."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING, NamedTuple

from anytune.errors import redact
from anytune.server.training import backends

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anytune.server.training.clerk import Errand, Phase

__all__ = ["Desk", "Return"]

_SECRETS = ("ANYTUNE_API_KEY",)
_TAIL_BYTES = 2000
_GRACE_S = 5.0
_WARM_S = 10.0
_ERRANDS = 50
"""After so many a clerk leaves, and gives back the memory that it gathered."""


class Return(NamedTuple):
    """A clerk that is back: how it ended, and the last that it said where that is of interest."""

    order: str
    phase: Phase
    status: int
    said: str = ""


class ClerkProcess:
    """One process, and the thread that hears it.

    Args:
        command: What to start.
        back: Called with each return.
    """

    def __init__(self, command: tuple[str, ...], back: Callable[[Return], object]) -> None:
        """Start the process.

        Raises:
            OSError: It cannot be started.
        """
        self.errand: Errand | None = None
        self.errands = 0
        self.idle_since = time.monotonic()
        self.leaving = False
        self._lock = threading.Lock()
        self._back = back
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the thread that hears
        environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        pipe = subprocess.PIPE
        try:
            self.child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._log, env=environment, start_new_session=True)
        except BaseException:
            self._log.close()
            raise
        self.hearing = threading.Thread(target=self._hear, name=f"clerk-{self.child.pid}", daemon=True)

    def do(self, errand: Errand, text: bytes) -> bool:
        """Give it an errand; one that ends on the way comes back as it ended. False where it is out, or leaving."""
        with self._lock:
            if self.leaving or self.errand is not None:
                return False
            self.errand = errand
        self.errands += 1
        if self.errands == 1:
            self.hearing.start()
        with contextlib.suppress(OSError, ValueError):
            if self.child.stdin is not None:
                self.child.stdin.write(text + b"\n")
                self.child.stdin.flush()
        return True

    def recall(self, order: str) -> None:
        """End the process if it is out for this order."""
        with self._lock:
            if self.errand is not None and self.errand.order == order:
                self.child.kill()

    def dismiss(self) -> None:
        """Let it leave after what it does now; it takes no other errand."""
        self.leaving = True
        with contextlib.suppress(OSError):
            if self.child.stdin is not None:
                self.child.stdin.close()

    def _hear(self) -> None:
        with self._log, self.child:
            for line in self.child.stdout or ():
                self._returned(int(json.loads(line)["status"]))
            status = self.child.wait()
            self.dismiss()
            self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            self._returned(status or 1, redact(self._log.read().decode(errors="replace")).strip())

    def _returned(self, status: int, said: str = "") -> None:
        with self._lock:
            errand, self.errand = self.errand, None
            self.idle_since = time.monotonic()
        if errand is not None:
            self._back(Return(errand.order, errand.phase, status, said))


class Desk:
    """Sends clerks out and tells when they are back. One thread sends; any may recall.

    Args:
        folder: Where their locks lie; made for the owner only.
        wake: Called when one is back.
        command: What a clerk is started as.
    """

    def __init__(self, folder: Path, wake: Callable[[], object], *, command: tuple[str, ...] = ()) -> None:
        """Make the folder."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder, self._wake = folder, wake
        self._command = command or (sys.executable, "-m", "anytune.server.training.clerk")
        self._clerks: list[ClerkProcess] = []
        self._out: dict[str, Phase] = {}
        self._back: queue.SimpleQueue[Return] = queue.SimpleQueue()

    def lock(self, order: str) -> Path:
        """Give the file that the clerk of an order locks."""
        return self.folder / f"{order}.lock"

    def busy(self, phase: Phase) -> int:
        """Count the clerks that are out for this."""
        return sum(each == phase for each in self._out.values())

    def has(self, order: str) -> bool:
        """Tell whether a clerk is out for an order."""
        return order in self._out

    def send(self, errand: Errand) -> None:
        """Send a clerk out.

        Raises:
            OSError: No process can be started.
            TypeError: An option cannot be handed to a child.
        """
        text = backends.packed(errand.model_dump()).encode()
        if not any(clerk.do(errand, text) for clerk in self._clerks):
            clerk = ClerkProcess(self._command, self._take_in)
            self._clerks.append(clerk)
            clerk.do(errand, text)
        self._out[errand.order] = errand.phase

    def returned(self) -> list[Return]:
        """Give those that came back since this was asked last, and let go who was idle for long."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._back.get_nowait())
        for each in found:
            self._out.pop(each.order, None)
            self.lock(each.order).unlink(missing_ok=True)
        self._let_go()
        return found

    def recall(self, order: str) -> None:
        """End the clerk of an order, if one is out; it comes back as killed."""
        for clerk in list(self._clerks):
            clerk.recall(order)

    def close(self) -> None:
        """End all: those that read at once, those that hand over when they are done or their grace is over; both go on after a restart."""
        for clerk in self._clerks:
            clerk.dismiss()
            if clerk.errand is not None and clerk.errand.phase == "check":
                clerk.child.kill()
        for clerk in self._clerks:
            clerk.hearing.join(_GRACE_S)
            if clerk.hearing.is_alive():
                clerk.child.kill()
                clerk.hearing.join()
        self._clerks.clear()
        self.returned()

    def _take_in(self, back: Return) -> None:
        self._back.put(back)
        self._wake()

    def _let_go(self) -> None:
        """Dismiss who was idle for long; it is forgotten once it is gone, so that `close` leaves nobody behind."""
        now = time.monotonic()
        self._clerks = [each for each in self._clerks if each.hearing.is_alive()]
        for clerk in self._clerks:
            if clerk.errand is None and not clerk.leaving and (clerk.errands >= _ERRANDS or now - clerk.idle_since > _WARM_S):
                clerk.dismiss()
