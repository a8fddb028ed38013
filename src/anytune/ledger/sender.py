"""Who sends something: one act of one process, named so that others can tell whether it still goes on."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import psutil
from pydantic import Field

from anytune.paths import host
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Sender", "liveness", "sending"]

_here_and_now: set[str] = set()
"""Acts of this very process: its pid alone does not say whether one of its threads still sends."""


class Sender(Value):
    """The identity of one act of sending.

    Attributes:
        host: Its machine.
        boot_id: The machine's boot, so that a restart ends every claim to live.
        namespace: Its process namespace: the same pid in two containers is two processes.
        pid: Its process id.
        started: When it started, in the kernel's own count: guards against a pid that was used again.
        act: Tells two acts of one process apart.
        monotonic_s: Seconds on the machine's monotonic clock when it began to send; comparable within one boot, and deaf to clock jumps.
        files: Of a job that is sent: the provider's ids of its files, by role.
    """

    host: str
    boot_id: str
    namespace: str
    pid: int
    started: str
    act: str
    monotonic_s: float
    files: dict[str, str] = Field(default_factory=dict)

    def same_boot(self) -> bool:
        """Tell whether this machine has been up since, so that monotonic times compare."""
        return self.host == host() and self.boot_id == _boot_id()

    def age_s(self, clock_s: float) -> float | None:
        """Give the most seconds that can have gone by since, by clocks that nobody sets; None where they do not compare.

        Args:
            clock_s: Seconds on the machine's monotonic clock. It stands still while the machine sleeps, so that sleep is added.
        """
        counts_sleep = getattr(time, "CLOCK_BOOTTIME", None)
        if counts_sleep is None or not self.same_boot():
            return None
        return max(clock_s - self.monotonic_s + time.clock_gettime(counts_sleep) - time.monotonic(), 0.0)


@contextmanager
def sending(clock: Callable[[], float] = time.monotonic) -> Iterator[Sender]:
    """Name the running process for one act, which is alive until the block ends."""
    pid, act = os.getpid(), uuid4().hex
    sender = Sender(
        host=host(), boot_id=_boot_id(), namespace=_namespace(), pid=pid, started=_started(pid) or "", act=act, monotonic_s=clock()
    )
    _here_and_now.add(act)
    try:
        yield sender
    finally:
        _here_and_now.discard(act)


def liveness(sender: Sender) -> Literal["alive", "dead", "unknown"]:
    """Tell whether an act still goes on; `unknown` where it belongs to another machine or container."""
    if sender.host != host():
        return "unknown"
    if sender.boot_id != _boot_id():
        return "dead"
    if sender.namespace != _namespace():
        return "unknown"
    if sender.pid == os.getpid() and _started(sender.pid) == sender.started:
        return "alive" if sender.act in _here_and_now else "dead"
    return "alive" if _started(sender.pid) == sender.started else "dead"


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return str(round(psutil.boot_time() / 60))


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Give a process's start, or None where it is gone or a zombie. Linux: clock ticks since boot, which no clock change moves."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return _started_elsewhere(pid)
    return None if fields[0] in {"Z", "X"} else fields[19]


def _started_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return ""
