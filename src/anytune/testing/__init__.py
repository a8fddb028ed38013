"""What authors of plugins and their tests import: a backend in memory, the conformance suite, hosted providers over real HTTP.

Names are loaded when they are first used; the conformance suite needs pytest, the simulators need werkzeug
(`pip install "anytune[testing]"`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from anytune.lazy import loader

_HOMES = {
    "AzureSimulator": "anytune.testing.simulators.azure",
    "BackendConformance": "anytune.testing.conformance",
    "BackendKit": "anytune.testing.kit",
    "DurableMemoryBackend": "anytune.testing.memory",
    "Engine": "anytune.testing.engine",
    "Fault": "anytune.testing.faults",
    "Faults": "anytune.testing.faults",
    "HubSimulator": "anytune.testing.simulators.hub",
    "Life": "anytune.testing.life",
    "MemoryBackend": "anytune.testing.memory",
    "OpenAISimulator": "anytune.testing.simulators.openai",
    "WireFault": "anytune.testing.simulators.faults",
    "WireFaults": "anytune.testing.simulators.faults",
}

__all__ = [
    "AzureSimulator",
    "BackendConformance",
    "BackendKit",
    "DurableMemoryBackend",
    "Engine",
    "Fault",
    "Faults",
    "HubSimulator",
    "Life",
    "MemoryBackend",
    "OpenAISimulator",
    "WireFault",
    "WireFaults",
]

if TYPE_CHECKING:
    from anytune.testing.conformance import BackendConformance
    from anytune.testing.engine import Engine
    from anytune.testing.faults import Fault, Faults
    from anytune.testing.kit import BackendKit
    from anytune.testing.life import Life
    from anytune.testing.memory import DurableMemoryBackend, MemoryBackend
    from anytune.testing.simulators.azure import AzureSimulator
    from anytune.testing.simulators.faults import WireFault, WireFaults
    from anytune.testing.simulators.hub import HubSimulator
    from anytune.testing.simulators.openai import OpenAISimulator


_load = loader(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use (PEP 562)."""
    if name == "BackendConformance" and _HOMES[name] not in sys.modules:
        import pytest  # noqa: PLC0415 - an extra, needed by the suite only

        pytest.register_assert_rewrite(_HOMES[name], "anytune.testing.scenarios")
    return _load(name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
