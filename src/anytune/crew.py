"""The tuned models that shall share a host: whether they can, before it is written down or asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anytune.errors import ConfigError, NotFound, Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.backend import Backend
    from anytune.model import TunedModel
    from anytune.values import ModelRef

__all__ = ["checked"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,254}")


def checked(model: TunedModel, adapters: Mapping[str, TunedModel], backend: Backend, *, name: str) -> dict[str, ModelRef]:
    """Give what the host of a model shall answer for beside it, by the names that requests send.

    Args:
        model: What is hosted; the base of the adapters.
        adapters: Tuned models by name.
        backend: Who hosts them.
        name: The host's own, which the base answers to.

    Raises:
        ConfigError: A name cannot be sent, or is the host's own.
        NotFound: Files of a model are missing.
        Unsupported: The backend gives each tuned model a host of its own.
    """
    for each in (model, *adapters.values()):
        if each.ref.missing:
            raise NotFound(f"{each.id}: missing {', '.join(each.ref.missing)}.", fix="Restore the files, or train a new attempt.")
    if adapters and "adapters" not in backend.capabilities.abilities:
        raise Unsupported(
            f"Backend {backend.name!r} gives each tuned model a host of its own.", fix="Deploy them one by one.", backend=backend.name
        )
    for word in adapters:
        if not _NAME.fullmatch(word) or word == name:
            why = "the base answers to it" if word == name else "letters, digits and `._:/@+-` can be sent"
            raise ConfigError(f"{word!r} cannot be an adapter's name: {why}.", fix="Give it another name.")
    return {word: each.ref for word, each in adapters.items()}
