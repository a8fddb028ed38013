"""From a YAML file, and what the command line says beside it, to a `ServeConfig`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune.server.config import ServeConfig
from anytune.settings import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["configured"]


def configured(path: Path | None, said: Mapping[str, Any]) -> ServeConfig:
    """Read the file, and let the command line replace what it says.

    Args:
        path: The file; None for none.
        said: Settings from the command line; None means that one was not said, a mapping is joined with the file's.

    Raises:
        ConfigError: A setting is missing, unknown or wrong; a webhook's secret stands in the file, or is not set in the environment.
    """
    fix = "Start with `backend:`; docs/reference/server.md lists each setting."
    found = {} if path is None else read_yaml(path, what="the server's configuration", fix=fix)
    for key, value in said.items():
        if isinstance(value, dict):
            found[key] = _joined(found.get(key), value)
        elif value is not None:
            found[key] = value
    if "backend" not in found:
        raise ConfigError("No backend is named.", fix="Say who trains: `anytune serve --backend trl`.")
    for name, webhook in (found.get("webhooks") or {}).items():
        secret = webhook.get("secret") if isinstance(webhook, dict) else None
        if secret is not None and not str(secret).startswith("$"):
            raise ConfigError(f"Webhook {name!r} has its secret in {path}.", fix="Write `secret: $NAME`, and set NAME in the environment.")
    return ServeConfig(**found)


def _joined(before: object, more: dict[str, Any]) -> dict[str, Any]:
    return (before if isinstance(before, dict) else {}) | more
