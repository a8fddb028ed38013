"""Which entry of a catalogue a model's name means: an exact id, a short name, or a model that was tuned before."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from anytune.catalog import files

if TYPE_CHECKING:
    from anytune.catalog.figures import Host, Model

__all__ = ["Named", "base_of", "named", "tuned_at"]


class Named(NamedTuple):
    """What a name means.

    Attributes:
        name: The base model's exact id.
        entry: What the catalogue says of it.
        alias: A short name was given.
        tuned: The name of a tuned model was given: the run would continue it.
    """

    name: str
    entry: Model
    alias: bool = False
    tuned: bool = False


def named(host: Host, model: str) -> Named | None:
    """Find a model; None where the catalogue does not know it."""
    base = _base(host, model)
    word = base or model
    for name, entry in host.models.items():
        if word == name or word in entry.aliases:
            return Named(name, entry, alias=word != name, tuned=base is not None)
    return None


def tuned_at(model: str) -> str | None:
    """Tell which host's tuned models have such a name, or None for none known."""
    for backend in files.hosts():
        found = files.opened(backend)
        if found is not None and _base(found.host, model) is not None:
            return backend
    return None


def base_of(model: str) -> str | None:
    """Read the base model's id out of a tuned model's, where a host that the catalogue knows writes it into the name.

    Example:
        >>> base_of("ft:gpt-4.1-mini-2025-04-14:acme:recipes:abc12345")
        'gpt-4.1-mini-2025-04-14'
    """
    known = (files.opened(backend) for backend in files.hosts())
    return next((base for found in known if found is not None and (base := _base(found.host, model))), None)


def _base(host: Host, model: str) -> str | None:
    found = None if host.tuned_name is None else _pattern(host.tuned_name).match(model)
    return None if found is None else found["base"]


@functools.lru_cache(maxsize=16)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)
