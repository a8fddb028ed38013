"""What authors of plugins and their tests import: a backend in memory with scripted lives and faults, and the conformance suite.

Names are loaded when they are first used; only the conformance suite needs pytest (`pip install "anytune[testing]"`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from anytune.lazy import loader

_HOMES = {
    "BackendConformance": "anytune.testing.conformance",
    "BackendKit": "anytune.testing.kit",
    "DurableMemoryBackend": "anytune.testing.memory",
    "Engine": "anytune.testing.engine",
    "Fault": "anytune.testing.faults",
    "Faults": "anytune.testing.faults",
    "Life": "anytune.testing.life",
    "MemoryBackend": "anytune.testing.memory",
}

__all__ = [
    "BackendConformance",
    "BackendKit",
    "DurableMemoryBackend",
    "Engine",
    "Fault",
    "Faults",
    "Life",
    "MemoryBackend",
]

if TYPE_CHECKING:
    from anytune.testing.conformance import BackendConformance
    from anytune.testing.engine import Engine
    from anytune.testing.faults import Fault, Faults
    from anytune.testing.kit import BackendKit
    from anytune.testing.life import Life
    from anytune.testing.memory import DurableMemoryBackend, MemoryBackend


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
