"""What authors of plugins and their tests import: a backend in memory with scripted lives and faults, and the conformance suite.

Names are loaded when they are first used; only the conformance suite needs pytest (`pip install "anytune[testing]"`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use (PEP 562)."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'anytune.testing' has no attribute {name!r}") from None
    from importlib import import_module  # noqa: PLC0415 - only needed once a name is asked for

    if name == "BackendConformance" and home not in sys.modules:
        import pytest  # noqa: PLC0415 - an extra, needed by the suite only

        pytest.register_assert_rewrite(home, "anytune.testing.scenarios")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
