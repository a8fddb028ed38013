"""The process that trains: the driver in AutoTrain's own environment, and its events as they come."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = ["Interrupted", "events"]

_DRIVER = Path(__file__).with_name("driver.py")
_SECRETS = ("TOKEN", "KEY", "SECRET", "PASSWORD", "CREDENTIAL")
_UNWANTED = ("PYTHON", "VIRTUAL_ENV", "CONDA")
_GRACE_S = 10


class Interrupted(Exception):
    """The process ended without a word: killed, or crashed beneath Python."""


def events(python: Path, run: Mapping[str, Any], folder: Path) -> Generator[dict[str, Any]]:
    """Start the driver and give its events; it ends with the iteration.

    It stays in this process's group, so that whoever ends the group ends it too. Its own output goes where this process's goes.

    Args:
        python: The interpreter of AutoTrain's environment.
        run: What the driver reads from RUN.json.
        folder: Where RUN.json is written.

    Raises:
        Interrupted: It ended without `finished`, `paused` or `failed`.
    """
    told = folder / "RUN.json"
    told.write_text(json.dumps(run, indent=1), encoding="utf-8")
    told.chmod(0o600)
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [str(python), "-I", "-B", str(_DRIVER), str(told)],
            pass_fds=(writing,),
            env=_environment(python) | {"ANYTUNE_EVENTS_FD": str(writing)},
            stdin=subprocess.DEVNULL,
        )
    finally:
        os.close(writing)
    last = ""
    try:
        with os.fdopen(reading, encoding="utf-8") as lines:
            for line in lines:
                with contextlib.suppress(ValueError):  # a half line of a process that was killed
                    event = json.loads(line)
                    last = str(event.get("event"))
                    yield event
        status = process.wait()
    finally:
        _end(process)
    if last not in {"finished", "paused", "failed"}:
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        raise Interrupted(f"AutoTrain's process ended without a word ({how}).")


def _environment(python: Path) -> dict[str, str]:
    """Give the child's environment: that one's programs first, none of our packages, and no secrets."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_UNWANTED) and not any(word in name.upper().split("_") for word in _SECRETS)
    }
    return kept | {"PATH": os.pathsep.join((str(python.parent), os.environ.get("PATH", os.defpath))), "PYTHONUNBUFFERED": "1"}


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
