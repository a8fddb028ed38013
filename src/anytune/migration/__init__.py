"""Off one host and onto another: what a model answers is kept while it still does, the same job is trained elsewhere, both are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

_HOMES = {
    "Captured": "anytune.evaluation.goldens",
    "Migration": "anytune.migration.values",
    "capture": "anytune.migration.capturing",
    "captured": "anytune.evaluation.goldens",
    "migrate": "anytune.migration.migrating",
}

__all__ = ["Captured", "Migration", "capture", "captured", "migrate"]

if TYPE_CHECKING:
    from anytune.evaluation.goldens import Captured
    from anytune.migration.capturing import capture
    from anytune.migration.migrating import migrate
    from anytune.migration.values import Migration


__getattr__ = loader(__name__, _HOMES)
