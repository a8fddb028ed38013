"""Processes that outlive whoever starts them: nobody's children, known by a lock that they hold for life."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from anytune.errors import AnytuneError, redact
from anytune.local import locks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["detach", "ensure", "log_to"]

_START_S = 60.0
"""An interpreter and the agent's imports take 0.3 s here (2026-11-22); a busy machine takes longer."""


def ensure(
    what: str, module: str, words: Sequence[str] = (), *, lock: Path, said: Path, log: Path, environment: Mapping[str, str], cwd: Path | str
) -> None:
    """Start the process that holds `lock`, unless one does. Any number of callers start one.

    Args:
        what: What it is called in errors.
        module: What runs, as `python -m MODULE --detach`.
        words: More arguments; no secrets, since everybody on the machine sees them.
        lock: The file that it locks for life.
        said: Where it prints what goes wrong before it has its log.
        log: Its log, to be named in errors.
        environment: All of its environment.
        cwd: Its working folder.

    Raises:
        AnytuneError: It could not be started; the text has what it printed.
    """
    if locks.held(lock):
        return
    turn = locks.wait_for(lock.with_suffix(".turn"), _START_S)  # for good manners only: the process's own lock is what counts
    try:
        if not locks.held(lock):
            _start(what, [sys.executable, "-P", "-m", module, "--detach", *words], lock, said, log, environment, cwd)
    finally:
        if turn is not None:
            os.close(turn)


def _start(  # noqa: PLR0917 - `ensure`'s, one by one
    what: str, command: list[str], lock: Path, said: Path, log: Path, environment: Mapping[str, str], cwd: Path | str
) -> None:
    """Run the launcher: it forks the process, and ends once that one holds its lock, so that the process is nobody's child."""
    with os.fdopen(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as output:
        launcher = subprocess.Popen(
            command, env=dict(environment), cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            code = launcher.wait(_START_S)
        except subprocess.TimeoutExpired:
            launcher.kill()
            launcher.wait()
            code = -1
    if code != 0 and not locks.held(lock):
        text = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise AnytuneError(f"{what} did not start: {text[-1] if text else f'exit code {code}'}.", fix=f"See {said} and {log}.")


def detach() -> int:
    """Fork: the parent waits until the child says that it runs, then ends; the child gets the pipe's end to say so."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        os._exit(0 if os.read(reader, 1) else 1)
    os.close(reader)
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, sys.stdin.fileno())
    os.dup2(silence, sys.stdout.fileno())  # stderr stays where the launcher put it: a crash must leave a trace
    return writer


def log_to(path: Path, *names: str) -> None:
    """Let loggers write to a file of at most 1 MiB, with one older one beside it; what looks like a key is left out."""
    handler = RotatingFileHandler(path, maxBytes=2**20, backupCount=1, encoding="utf-8")
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(process)d %(message)s"))
    for name in names:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
