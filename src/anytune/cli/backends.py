"""`anytune backends`: what trains here, and what each can do."""

from __future__ import annotations

from typing import Any

from anytune.cli import show
from anytune.cli.show import Json

__all__ = ["backends", "described"]


def backends(as_json: Json = False) -> None:
    """List the installed backends with version and abilities; those that lack a key or are broken with what to do."""
    found = described()
    if as_json:
        show.document({"backends": found})
        return
    rows = [
        (one["name"], f"{one['distribution']} {one['version']}", ", ".join(one["methods"]), ", ".join(one["adapters"]), _abilities(one))
        for one in found
    ]
    show.table(
        ("backend", "installed", "methods", "adapters", "abilities"),
        rows,
        empty='No backend is installed: `pip install "anytune[trl]"` brings the local one.',
    )


def described() -> list[dict[str, Any]]:
    """Describe every announced backend; one that is not `ready` has its reason in `error`, and what to do in `fix`.

    `unset` lacks a key or an endpoint: nothing is wrong with it, and a profile may hold them. `broken` cannot be imported or made.
    """
    from anytune import plugins, profiles  # noqa: PLC0415 - keeps `--help` light
    from anytune.errors import AnytuneError, ConfigError  # noqa: PLC0415 - as above

    found = []
    for name, point in plugins.installed().items():
        about: dict[str, Any] = {
            "name": name,
            "distribution": point.dist.name if point.dist else point.value,
            "version": point.dist.version if point.dist else "",
            "methods": [],
            "adapters": [],
            "abilities": [],
            "settings": [],
            "local": None,
            "state": "ready",
            "error": "",
            "fix": "",
        }
        try:
            about |= _able(profiles.configured(name))
        except ConfigError as error:
            about |= {"state": "unset", "error": error.message, "fix": error.fix}
        except AnytuneError as error:
            about |= {"state": "broken", "error": error.message, "fix": error.fix}
        except Exception as error:  # noqa: BLE001 - a plugin's constructor may raise anything; it breaks only itself
            fix = f"Reinstall it, or tell the author of {about['distribution']}."
            about |= {"state": "broken", "error": f"{type(error).__name__}: {error}", "fix": fix}
        found.append(about)
    return found


def _able(backend: Any) -> dict[str, Any]:
    try:
        able = backend.capabilities
        names = ("methods", "adapters", "abilities", "settings")
        return {name: sorted(getattr(able, name)) for name in names} | {"local": able.local}
    finally:
        backend.close()


def _abilities(one: dict[str, Any]) -> str:
    if one["state"] == "unset":
        return f"not set up. {one['fix'] or one['error']}"
    return f"broken: {one['error']} {one['fix']}" if one["error"] else ", ".join(one["abilities"])
