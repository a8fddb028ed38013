"""OpenAI, and hosts that speak its fine-tuning protocol, as a backend of anytune.

The names here are what another provider may build on: `WireBackend` speaks the protocol, a `Dialect` says in which words, a `Connection`
to whom. Nothing of `openai` is loaded before the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

if TYPE_CHECKING:
    from anytune_openai.backend import OpenAIBackend
    from anytune_openai.client import Connection
    from anytune_openai.dialect import OPENAI, Dialect, status_of
    from anytune_openai.settings import SETTINGS
    from anytune_openai.wire import WireBackend

__all__ = ["OPENAI", "SETTINGS", "Connection", "Dialect", "OpenAIBackend", "WireBackend", "status_of"]

_HOMES = {
    "Connection": "anytune_openai.client",
    "Dialect": "anytune_openai.dialect",
    "OPENAI": "anytune_openai.dialect",
    "OpenAIBackend": "anytune_openai.backend",
    "SETTINGS": "anytune_openai.settings",
    "WireBackend": "anytune_openai.wire",
    "status_of": "anytune_openai.dialect",
}

__getattr__ = loader(__name__, _HOMES)
