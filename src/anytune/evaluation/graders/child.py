"""A program that is not trusted, run beside us: so long, so much to say, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Overrun", "said"]


class Overrun(Exception):
    """The program took too long, or said too much."""


def said(
    argv: Sequence[str], told: bytes, *, most_s: float, most_bytes: int, environment: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Run a program to its end.

    Args:
        argv: The program and its words.
        told: What it reads from its standard input.
        most_s: Seconds after which it is killed, with its process group.
        most_bytes: What it may write; more, and it is killed. Its standard error is thrown away.
        environment: Its environment; ours by default.

    Returns:
        Its exit status and what it wrote.

    Raises:
        Overrun: It was killed.
        OSError: It could not be started.
    """
    with tempfile.TemporaryFile() as source:
        source.write(told)
        source.seek(0)
        child = subprocess.Popen(
            list(argv), stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
        )
    late = threading.Event()
    timer = threading.Timer(most_s, _end, (child, late))
    timer.start()
    try:
        with child:
            text = child.stdout.read(most_bytes + 1) if child.stdout else b""
            if len(text) > most_bytes:
                raise Overrun(f"it wrote more than {most_bytes} bytes")
            child.wait()
    finally:
        timer.cancel()
        _kill(child)
    if late.is_set():
        raise Overrun(f"it took longer than {most_s:g} s")
    return child.returncode, text


def _end(child: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
