"""From a name to a backend's class: entry points of the group `anytune.backends`, loaded one at a time and only when named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.backend import CONTRACT_VERSION, Backend
from anytune.errors import BackendMissing
from anytune.settings import nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "advice", "installed", "load"]

GROUP = "anytune.backends"

_EXTRAS = frozenset({"autotrain", "azure", "openai", "trl"})
"""Backends of our own that `pip install "anytune[NAME]"` brings."""


def installed() -> dict[str, EntryPoint]:
    """Give the announced backends by name, sorted, without importing any of them."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - reads the whole environment's metadata

    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def load(name: str) -> type[Backend]:
    """Import one backend's class.

    Raises:
        BackendMissing: None is announced under this name, it cannot be imported, is no `Backend`, or was written for another major
            version of the contract.
    """
    points = installed()
    point = points.get(name)
    if point is None:
        raise BackendMissing(f"No backend {name!r} is installed; there is: {', '.join(points) or 'none'}.", fix=advice(name, list(points)))
    origin = point.dist.name if point.dist else point.value
    try:
        found = point.load()
    except Exception as error:
        raise BackendMissing(
            f"Backend {name!r} of {origin} cannot be imported: {type(error).__name__}: {error}.",
            fix=f"Reinstall it: `pip install --force-reinstall {origin}`.",
            backend=name,
        ) from error
    if not (isinstance(found, type) and issubclass(found, Backend)):
        raise BackendMissing(f"{point.value} of {origin} is no anytune.backend.Backend.", fix="Tell its author.", backend=name)
    if found.contract_version != CONTRACT_VERSION:
        raise BackendMissing(
            f"Backend {name!r} of {origin} is written for version {found.contract_version} of the backend contract, this is version "
            f"{CONTRACT_VERSION}.",
            fix=f"Upgrade: `pip install --upgrade anytune {origin}`.",
            backend=name,
        )
    return found


def advice(name: str, known: list[str]) -> str:
    """Say what to do about a backend that is not installed.

    Args:
        name: What was asked for.
        known: What there is.
    """
    if name in _EXTRAS:
        return f'Install it: `pip install "anytune[{name}]"`.'
    guess = nearest(name, [*known, *_EXTRAS])
    return f"Did you mean {guess!r}?" if guess else "Install the distribution that brings it, or add a profile to anytune.toml."
