"""Starting the agent where none runs, and in the place of one whose code is older than its caller's."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from typing import TYPE_CHECKING

from anytune.local import detached, locks
from anytune.local.folder import local_home
from anytune.local.processes import identify
from anytune.local.task import DEFAULT_ENV

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ensure_agent", "introduce"]

_SETTINGS = ("ANYTUNE_SLOTS", "ANYTUNE_AGENT_IDLE_S")
_HAND_OVER_S = 20.0
"""Seconds in which an agent that was told to leave has left: it looks five times a second, and a look may take some seconds."""


def ensure_agent() -> None:
    """Start the agent, unless one runs. Any number of callers start one.

    The agent gets no key of the caller: its environment has `DEFAULT_ENV` and its own settings, `ANYTUNE_SLOTS` and
    `ANYTUNE_AGENT_IDLE_S`, only. One of an older anytune leaves when a newer one asks, and its children go on under the next: it would not
    understand all that is ordered, and its modules are no longer those on the disk.

    Raises:
        AnytuneError: It could not be started; the text has what it printed.
    """
    folder = local_home()
    lock = folder / "agent.lock"
    if locks.held(lock) and _version() > _said(lock)[1]:
        _relieve(lock)
    environment = {name: os.environ[name] for name in (*DEFAULT_ENV, *_SETTINGS) if name in os.environ}
    detached.ensure(
        "The local agent",
        "anytune.local",
        lock=lock,
        said=folder / "agent.start",
        log=folder / "agent.log",
        environment=environment | {"ANYTUNE_HOME": str(folder.parent)},
        cwd="/",
    )


def introduce(lock: int) -> None:
    """Write into the agent's lock who holds it: process, start time and version."""
    who = identify(os.getpid())
    version = ".".join(map(str, _version()))
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()} {who.starttime if who else '-'} {version}\n".encode("ascii"), 0)


def _relieve(lock: Path) -> None:
    """Tell an older agent to leave, and wait until it has; where it does not, it goes on, and so does the caller with it."""
    pid, _, starttime = _said(lock)
    who = identify(pid) if pid else None
    if who is None or who.starttime != starttime:
        return  # it writes its name at this moment, or has left
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _HAND_OVER_S
    while locks.held(lock) and _said(lock)[0] == pid and time.monotonic() < deadline:
        time.sleep(0.05)


def _said(lock: Path) -> tuple[int, tuple[int, ...], str]:
    """Give process, version and start time of the agent; where it says none yet, a version that nothing is newer than."""
    words = lock.read_text(encoding="ascii", errors="replace").split()
    if len(words) != 3 or not words[0].isdecimal():  # noqa: PLR2004 - as `introduce` writes them
        return 0, (2**31,), ""
    return int(words[0]), _numbers(words[2]), words[1]


def _version() -> tuple[int, ...]:
    from anytune import __version__  # noqa: PLC0415 - the package, which is loaded long since

    return _numbers(__version__)


def _numbers(version: str) -> tuple[int, ...]:
    """Give the numbers of a version, so that 0.10 comes after 0.9; of an unfinished one (`0.2.0.dev1`) those before the word."""
    return tuple(int(number) for number in re.findall(r"\d+", re.split(r"[a-z+]", version, maxsplit=1)[0]))
