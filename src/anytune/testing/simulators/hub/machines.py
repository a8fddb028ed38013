"""Processes that really run: a container of the cloud is here a child of the tests' process, with a folder and variables of its own.

A container ends as a whole: when its command ends, or is killed, everything goes that it started, in whatever session or group it is.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess  # argv lists only
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Line", "Log", "Machine", "answers", "free_port", "surroundings"]

_MARK = "SIMULATED_MACHINE"
"""A variable that everything in a machine inherits; by its value it is found again."""

_PASSED_ON = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "TZ", "GOMP_SPINCOUNT", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")
_NOT_FOUND, _NOT_ALLOWED = 127, 126


class Line(NamedTuple):
    """A line of a log; `at_s` in seconds since 1970."""

    at_s: float
    text: str


class Log:
    """Lines that grow until the log is closed; any number of threads may follow it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with nothing."""
        self.lines: list[Line] = []
        self.closed = False
        self._clock = clock
        self._news = threading.Condition()

    def add(self, text: str) -> None:
        """Add a line."""
        with self._news:
            self.lines.append(Line(self._clock(), text))
            self._news.notify_all()

    def close(self) -> None:
        """Let those who follow it come to an end."""
        with self._news:
            self.closed = True
            self._news.notify_all()

    def follow(self, start: int, pause_s: float) -> Iterator[Line | None]:
        """Give the lines from `start` on, until the log is closed; None after each `pause_s` without news."""
        place = start
        while True:
            with self._news:
                if len(self.lines) == place and not self.closed:
                    self._news.wait(pause_s)
                news, done = self.lines[place:], self.closed
            yield from news or (() if done else (None,))
            place += len(news)
            if done and place == len(self.lines):
                return


class Machine:
    """A command in a container. `start` it, wait with `ended`, `kill` it from any thread.

    Args:
        command: What runs; looked for on the PATH of `env`. May be changed until it starts.
        env: All its variables, as `surroundings` gives them.
        log: Gets its output, stdout and stderr together.
        files: What lies in its folder, by path.

    Attributes:
        folder: Where it runs; gone when it has ended.
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], log: Log, files: Mapping[str, bytes] | None = None) -> None:
        """Make the folder, with its files."""
        self.mark = secrets.token_hex(8)
        self.folder = Path(tempfile.mkdtemp(prefix="anytune-machine-"))
        for path, content in (files or {}).items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        home = self.folder / ".home"
        home.mkdir()
        own = {"HOME": str(home), "HF_HOME": str(home / "huggingface"), "TMPDIR": str(home), _MARK: self.mark}
        self._env = {**own, **env}
        self.command = list(command)
        self._log = log
        self._lock = threading.Lock()
        self._killed = self._swept = False
        self._failed: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Of the command, once it runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Run the command. One that cannot be run says so in the log and ends as a shell would end it, with 127 or 126."""
        with self._lock:
            if self._killed:
                self._failed = 128 + signal.SIGKILL
                return
            found = shutil.which(self.command[0], path=self._env["PATH"])
            try:
                self._process = subprocess.Popen(
                    [found or self.command[0], *self.command[1:]],
                    cwd=self.folder,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                self._failed = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_ALLOWED
                self._log.add(f"{self.command[0]}: {error.strerror}")
                return
        self._reader = threading.Thread(target=self._read, args=(self._process,), name="machine-output", daemon=True)
        self._reader.start()

    def ended(self, wait_s: float | None = None) -> int | None:
        """Wait at most `wait_s` for the command to end, and give its exit code (137 if it was killed); None: it still runs.

        To be called from one thread.
        """
        if self._process is None:
            return None if self._failed is None else self._over(self._failed)
        try:
            code = self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return None
        return self._over(code if code >= 0 else 128 - code)

    def kill(self) -> None:
        """End it and everything it started; its command has ended with 137 when this returns."""
        with self._lock:
            self._killed = True
        process = self._process
        if process is None or self._swept:  # its numbers may belong to others by now
            return
        if process.poll() is None:
            process.kill()
        self._sweep()

    def used_bytes(self) -> int:
        """Measure the memory of its command."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.pid is not None else 0
        except psutil.Error:
            return 0

    def _over(self, code: int) -> int:
        if not self._swept:
            self._sweep()
        self._swept = True
        if self._reader is not None:
            self._reader.join()
        shutil.rmtree(self.folder, ignore_errors=True)
        return code

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        with process.stdout or contextlib.nullcontext(()) as output:
            for line in output:
                self._log.add(line.decode("utf-8", "replace").rstrip("\r\n"))

    def _sweep(self) -> None:
        """Kill whatever carries the mark or is in the session, until nothing is: a process may fork while others are looked through."""
        while found := [pid for pid in psutil.pids() if _belongs(pid, self.mark, self.pid)]:
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)  # not psutil's wait: it would take the exit code away from `Popen`


def surroundings(url: str, given: Mapping[str, str]) -> dict[str, str]:
    """Give the variables of a container: those of its order, and where the Hub and this Python are.

    Args:
        url: The simulated Hub.
        given: What was ordered, secrets too; it wins, but that this Python is found first.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), given.get("PATH") or os.environ.get("PATH", os.defpath)))
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    hub = {"HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1"}
    return {**passed, **hub, **given, "PATH": path}


def free_port() -> int:
    """Find a port of loopback on which nothing listens now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Tell whether something listens on a port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def _belongs(pid: int, mark: str, session: int | None) -> bool:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return os.getsid(pid) == session or process.environ().get(_MARK) == mark
    except (psutil.Error, OSError):  # gone, or somebody else's
        return False
