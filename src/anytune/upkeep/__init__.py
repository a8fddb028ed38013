"""Keeping the books straight: what is in doubt is cleared up, what nobody knows of is shown, what is over its time is ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

_HOMES = {
    "Case": "anytune.upkeep.cases",
    "Extra": "anytune.upkeep.cases",
    "Orphan": "anytune.upkeep.strays",
    "Orphans": "anytune.upkeep.strays",
    "Reconciled": "anytune.upkeep.cases",
    "Unasked": "anytune.upkeep.cases",
    "adopt": "anytune.upkeep.strays",
    "end": "anytune.upkeep.strays",
    "orphans": "anytune.upkeep.strays",
    "reconcile": "anytune.upkeep.doubts",
    "resend": "anytune.upkeep.doubts",
}

__all__ = ["Case", "Extra", "Orphan", "Orphans", "Reconciled", "Unasked", "adopt", "end", "orphans", "reconcile", "resend"]

if TYPE_CHECKING:
    from anytune.upkeep.cases import Case, Extra, Reconciled, Unasked
    from anytune.upkeep.doubts import reconcile, resend
    from anytune.upkeep.strays import Orphan, Orphans, adopt, end, orphans


__getattr__ = loader(__name__, _HOMES)
