"""Libraries that only evaluations need: loaded when first used, and named with the command that installs them where they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from anytune.errors import ConfigError

__all__ = ["need"]


def need(name: str) -> Any:
    """Give a module of the extra `evaluate`.

    Args:
        name: Such as `scipy.stats`.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f"Evaluations need {name.partition('.')[0]}.", fix='Install it: `pip install "anytune[evaluate]"`.') from error
