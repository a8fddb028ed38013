"""A backend by its word, set up once and as the server's owner said."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from anytune import profiles

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.runtime import Runtime
    from anytune.server.config import ServeConfig

__all__ = ["backend", "options", "packed"]

_lock = threading.Lock()


def options(config: ServeConfig, word: str) -> dict[str, Any]:
    """Give the arguments of a backend's constructor: those of the configuration are for the server's own."""
    return config.options if word == config.backend else {}


def backend(context: Runtime, word: str, settings: dict[str, Any]) -> Backend:
    """Give the backend of a word, the same instance every time.

    Raises:
        BackendMissing: Nothing of that name is installed.
        ConfigError: Its profile or an option is wrong.
    """
    with _lock:
        if word not in context.backends:
            context.backends[word] = profiles.configured(word, **settings)
        return context.backends[word]


def packed(value: object) -> str:
    """Write settings as JSON for a child of this server, secrets and all: never for a log or a file."""
    return json.dumps(value, default=_plain)


def _plain(value: object) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"An option of type {type(value).__name__} cannot be handed to a child.")
