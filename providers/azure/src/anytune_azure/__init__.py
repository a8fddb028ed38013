"""Azure OpenAI (Microsoft Foundry) as a backend of anytune. Nothing of `openai` or `azure` is loaded before the first call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

if TYPE_CHECKING:
    from anytune_azure.backend import AzureBackend

__all__ = ["AzureBackend"]

_HOMES = {"AzureBackend": "anytune_azure.backend"}

__getattr__ = loader(__name__, _HOMES)
