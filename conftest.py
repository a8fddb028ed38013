"""No test may touch the state of the person who runs it: all of them start with a home of their own."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

_HOME = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Point anytune at an empty folder, and at no ledger or configuration of the person's own."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background; children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[_HOME] = Path(tempfile.mkdtemp(prefix="anytune-tests-"))
    os.environ["ANYTUNE_HOME"] = str(config.stash[_HOME])
    for name in ("ANYTUNE_LEDGER", "ANYTUNE_CONFIG", "ANYTUNE_HOST"):
        os.environ.pop(name, None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Delete the folder."""
    shutil.rmtree(config.stash[_HOME], ignore_errors=True)
