"""Who a process is, and how it ends. A number alone is nobody: pids are reused, and strangers are never signalled.

A child is known by pid, start time and boot id together. Its descendants are known by the names `ANYTUNE_REF` and `ANYTUNE_TASK_DIR` in
their environment, which they inherit and no stranger has.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil

from anytune.values import Value

__all__ = ["Identity", "alive", "boot_id", "carriers", "carries", "identify", "leader", "send", "since_boot_s"]


class Identity(Value):
    """One process, in the whole life of one boot."""

    pid: int
    starttime: str
    boot_id: str


def boot_id() -> str:
    """Name this boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"since-{int(psutil.boot_time())}"


def since_boot_s() -> float:
    """Give the seconds of this boot, sleep included where the system counts it: no setting of the clock moves it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def identify(pid: int) -> Identity | None:
    """Give a living process's identity; None where there is none, or only its zombie."""
    try:
        raw = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _identify_elsewhere(pid)
    fields = raw.rpartition(b")")[2].split()
    if fields[0] in {b"Z", b"X"}:
        return None
    return Identity(pid=pid, starttime=fields[19].decode("ascii"), boot_id=boot_id())


def _identify_elsewhere(pid: int) -> Identity | None:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Identity(pid=pid, starttime=str(process.create_time()), boot_id=boot_id())
    except psutil.Error:
        return None


def alive(identity: Identity) -> bool:
    """Tell whether that very process lives."""
    return identify(identity.pid) == identity


def carriers(ref: str, folder: Path) -> list[Identity]:
    """Find every living process of a task, the child itself and all that descend from it; never the one that asks."""
    found = (identify(pid) for pid in psutil.pids() if pid != os.getpid() and carries(pid, ref, folder))
    return [identity for identity in found if identity is not None]


def carries(pid: int, ref: str, folder: Path) -> bool:
    """Tell whether a process has a task's names in its environment; False also where nobody may read that."""
    with contextlib.suppress(psutil.Error, OSError):
        environment = psutil.Process(pid).environ()
        return environment.get("ANYTUNE_REF") == ref and environment.get("ANYTUNE_TASK_DIR") == str(folder)
    return False


def leader(found: list[Identity]) -> Identity | None:
    """Give the one that leads its own group: the child that the agent once started."""
    for identity in found:
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(identity.pid) == identity.pid:
                return identity
    return None


def send(number: signal.Signals, *, child: Identity | None, others: list[Identity]) -> None:
    """Signal a child's group, where that very child leads it, and the other processes of its task."""
    if child is not None and alive(child):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(child.pid) == child.pid:
                os.killpg(child.pid, number)
    for identity in others:
        _send_one(number, identity)


def _send_one(number: signal.Signals, identity: Identity) -> None:
    """Signal one process; by a pidfd, so that its number cannot change hands between look and signal."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if not hasattr(os, "pidfd_open"):
            if alive(identity):
                os.kill(identity.pid, number)
            return
        handle = os.pidfd_open(identity.pid)
        try:
            if alive(identity):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
