"""Where a job may run: each backend on each machine that it knows, set up with placeholders where no key is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from anytune import plugins, profiles
from anytune.errors import BackendMissing, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anytune.backend import Backend, Capabilities

__all__ = ["Place", "named", "places"]

_PLACEHOLDER = "placeholder"
_KEYS: Mapping[str, Any] = {
    "api_key": _PLACEHOLDER,
    "endpoint": "https://placeholder.openai.azure.com",
    "subscription_id": _PLACEHOLDER,
    "resource_group": _PLACEHOLDER,
    "account_name": _PLACEHOLDER,
}
"""What stands for a key, an address or an account; nobody is asked."""
_HOSTED: Mapping[str, tuple[str, ...]] = {
    "openai": ("api_key",),
    "azure": ("endpoint", "api_key", "subscription_id", "resource_group", "account_name"),
}
_COMPUTES = ("local", "hf_jobs", "spaces")
_COMPUTING = ("trl", "autotrain")


class Place(NamedTuple):
    """A backend as it is set up.

    Attributes:
        word: What it is called: the backend's name, with `on …` where it does not compute on this machine.
        able: What it can do.
        served: Its models answer without a deployment.
    """

    word: str
    able: Capabilities
    served: bool


def places() -> list[Place]:
    """Give the places of our own backends, as far as they are installed; a machine that a backend does not know yet is left out."""
    found = [_place(name, name, {key: _KEYS[key] for key in keys}) for name, keys in _HOSTED.items()]
    for name in _COMPUTING:
        found += [_place(name if how == "local" else f"{name} on {how}", name, {"compute": how}) for how in _COMPUTES]
    return [place for place in found if place is not None]


def named(word: str) -> Place:
    """Give the place that a word means: a profile, an installed backend, or one of `places` (`trl on hf_jobs`).

    Raises:
        BackendMissing: Nothing of that name is installed.
        ConfigError: The profile is wrong.
    """
    try:
        return _described(word, lambda: profiles.configured(word))
    except (BackendMissing, ConfigError):  # one that is not set up has its capabilities all the same
        known = next((place for place in places() if place.word == word), None)
        if known is None:
            raise
        return known


def _place(word: str, name: str, settings: Mapping[str, Any]) -> Place | None:
    try:
        cls = plugins.load(name)
        return _described(word, lambda: cls(**settings))
    except Exception:  # noqa: BLE001 - a plugin that is missing, broken, or without this machine breaks only itself
        return None


def _described(word: str, make: Callable[[], Backend]) -> Place:
    from anytune.backend import Backend  # noqa: PLC0415 - to see what is inherited

    backend = make()
    try:
        able = backend.capabilities
        return Place(word, able, served="deploy" not in able.abilities and type(backend).address is not Backend.address)
    finally:
        backend.close()
