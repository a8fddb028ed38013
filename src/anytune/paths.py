"""Where state lives on this machine, and who this machine is."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import platformdirs

__all__ = ["home", "host"]


def home() -> Path:
    """Give the folder of all state, made for the owner only: `ANYTUNE_HOME`, or the platform's data folder."""
    named = os.environ.get("ANYTUNE_HOME")
    folder = Path(named).expanduser().resolve() if named else platformdirs.user_data_path("anytune")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def host() -> str:
    """Name this machine: rows of another host are shown, never polled, failed or reaped."""
    return os.environ.get("ANYTUNE_HOST") or platform.node() or "localhost"
