"""Runs pip in another environment, and says what went wrong in one line."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anytune.errors import ConfigError, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["alone", "environment", "install", "run"]

_ELSEWHERE = {
    "PIP_CONSTRAINT",
    "PIP_PREFIX",
    "PIP_PYTHON",
    "PIP_REQUIREMENT",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
}
"""What would make pip install something else, or to another place; where it looks for packages is the user's own configuration."""

_OFFLINE = re.compile(
    r"NewConnectionError|NameResolutionError|name resolution|Network is unreachable|Connection refused|ConnectTimeout|ProxyError"
)
_URL = re.compile(r"\b(?:https?|file)://\S+")
_LINK = re.compile(r"\bhttps?://\S*/")
_POLL_S = 0.2


_KEYS = frozenset(
    {"ANYTUNE_API_KEY", "AZURE_ARM_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_API_KEY", "HF_TOKEN"}
    | {"HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "WANDB_API_KEY"}
)


def environment() -> dict[str, str]:
    """Give the caller's environment without vendors' keys, and without what would lead another interpreter to the caller's packages."""
    left_out = _ELSEWHERE | _KEYS
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "__PYVENV")) and name not in left_out}


def run(
    argv: Sequence[str], *, keep: int | None = None, log: Path | None = None, heard: Callable[[str], None] | None = None
) -> tuple[int, list[str]]:
    """Run a program to its end; give its exit status and the last lines of what it said.

    Args:
        argv: The program and its arguments.
        keep: A descriptor that the child holds open too: a lock that outlives a killed parent for as long as its child works.
        log: Where all of it is kept.
        heard: Is told each line.
    """
    lines: list[str] = []
    with subprocess.Popen(
        list(argv), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        encoding="utf-8", errors="replace", pass_fds=[] if keep is None else [keep],
    ) as child:  # fmt: skip
        try:
            for line in child.stdout or ():
                lines = [*lines[-199:], line.rstrip()]
                if heard:
                    heard(line.strip())
                if log:
                    with log.open("a", encoding="utf-8") as file:
                        file.write(redact(line))
        except BaseException:
            child.kill()
            raise
    return child.returncode, [line for line in lines if line.strip()]


def install(
    python: Path, what: Sequence[str], *, keep: int | None = None, log: Path | None = None, say: Callable[[str], None] | None = None
) -> None:
    """Install into the environment of an interpreter.

    Args:
        python: The interpreter, which has pip.
        what: Arguments of `pip install`.
        keep: As for `run`.
        log: As for `run`.
        say: Is told each download, with its size.

    Raises:
        ConfigError: pip failed; its last useful line, and what to do.
    """
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--prefer-binary"]

    def heard(line: str) -> None:
        if say and line.startswith("Downloading "):
            say(_LINK.sub("", line)[:120])

    status, lines = run([str(python), "-I", "-m", "pip", "install", *options, *what], keep=keep, log=log, heard=heard)
    if status == 0:
        return
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    said = _URL.sub("(address)", redact(errors[-1] if errors else lines[-1] if lines else f"it ended with {status}"))[:400]
    again = "Run it again then: what is installed already is kept."
    if any(_OFFLINE.search(line) for line in lines):
        fix = f"pip reached no package index: connect to the network, or set pip's own options (`pip config`). {again}"
    elif "No space left" in said:
        fix = f"Make room on the disk. {again}"
    else:
        fix = f"pip installs from where your pip configuration says (`pip config list`). {again}"
    raise ConfigError(f"AutoTrain's environment could not be installed. pip said: {said}", fix=fix)


@contextmanager
def alone(path: Path, waiting: Callable[[], None]) -> Iterator[int]:
    """Hold the lock at `path`; while another process has it, call `waiting` now and then.

    The lock is the kernel's and belongs to the open file: a child that is given the descriptor keeps it when its parent is killed, which is
    why this is not filelock, whose descriptor is its own.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"{path.parent} cannot be written to: {error.strerror}.", fix="Correct its permissions, or use another."
        ) from error
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(_POLL_S)
        yield descriptor
    finally:
        os.close(descriptor)
