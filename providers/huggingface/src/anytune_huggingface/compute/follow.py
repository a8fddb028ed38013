"""A training child in the cloud: started with nothing secret, followed through its Reporter's files, asked to pause, ended as a group."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess  # argv lists only
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from anytune.errors import redact
from anytune.local import DEFAULT_ENV
from anytune_huggingface.compute.lines import Kind, Said
from anytune_huggingface.compute.tasks import child_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Child", "Follower", "child_environment_of"]

_PROGRESS_S = 5.0
_LAST_LINES = 20


class Follower:
    """Tells each new line of a Reporter's files once.

    Args:
        task: The folder that the Reporter writes to.
        start_ms: When this runner started, in milliseconds since 1970.
        tell: Gets each record.
        progress_s: Seconds between two records of progress.
    """

    def __init__(self, task: Path, start_ms: int, tell: Callable[[Said], None], *, progress_s: float = _PROGRESS_S) -> None:
        """Begin before the first line."""
        self._task, self._start_ms, self._tell, self._progress_s = task, start_ms, tell, progress_s
        self._number = 0
        self._read_bytes = {"events.jsonl": 0, "metrics.jsonl": 0}
        self._progress: dict[str, Any] | None = self.read("progress.json")
        self._progress_at = 0.0

    def look(self, *, last: bool = False) -> None:
        """Tell what is new; with `last`, progress too, however short ago it was told."""
        for name, kind in _LOGS.items():
            for record in self._lines(name):
                self._say(kind, record)
        now = time.monotonic()
        if last or now - self._progress_at >= self._progress_s:
            said = self.read("progress.json")
            if said is not None and said != self._progress:
                self._progress, self._progress_at = said, now
                self._say("progress", said)

    def read(self, name: str) -> dict[str, Any] | None:
        """Read one of the whole files; None where there is none."""
        try:
            content = json.loads((self._task / name).read_bytes())
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def _say(self, kind: Kind, body: dict[str, Any]) -> None:
        said = Said(self._start_ms, self._number, kind, body)
        self._number += 1
        self._tell(said)

    def _lines(self, name: str) -> list[dict[str, Any]]:
        """Read the whole lines that came since; a half one is left for the next look."""
        try:
            with (self._task / name).open("rb") as file:
                file.seek(self._read_bytes[name])
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._read_bytes[name] += len(whole)
        found = []
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                record = json.loads(line)
                if isinstance(record, dict):
                    found.append(record)
        return found


_LOGS: dict[str, Kind] = {"events.jsonl": "event", "metrics.jsonl": "metric"}


class Child:
    """One start of the program, in a session of its own.

    Args:
        argv: What runs.
        env: All its variables.
        folder: Its working folder.
        show: Gets each line that it prints, without what looks like a secret.
    """

    def __init__(self, argv: list[str], env: Mapping[str, str], folder: Path, show: Callable[[str], None]) -> None:
        """Start it."""
        self._show = show
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._process = subprocess.Popen(  # argv of ours
            argv,
            env=dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="child-output", daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        """Tell whether it has not ended."""
        return self._process.poll() is None

    @property
    def last_lines(self) -> str:
        """What it printed last."""
        return "\n".join(self._last)

    def end(self) -> None:
        """Kill what is left of its group, and take the rest of its output."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(5.0)

    def _read(self) -> None:
        for raw in self._process.stdout or ():
            line = redact(raw.decode("utf-8", "replace").rstrip("\r\n").rsplit("\r", 1)[-1])
            if line.strip():
                self._last.append(line)
                self._show(line)


def child_environment_of(task: Path, additions: Mapping[str, str]) -> dict[str, str]:
    """Give all that the program has in its environment: offline, and without a token."""
    passed = {name: os.environ[name] for name in (*DEFAULT_ENV, *_DRIVER) if name in os.environ}
    return passed | child_environment(offline=True) | dict(additions) | {"ANYTUNE_TASK_DIR": str(task)}


_DRIVER = ("NVIDIA_DRIVER_CAPABILITIES", "LIBRARY_PATH", "TRITON_CACHE_DIR")


def program_argv(module: str, run_dir: Path) -> list[str]:
    """Give what starts a program: the working folder is not searched for modules."""
    return [sys.executable, "-P", "-m", module, str(run_dir)]
