"""What a backend's host takes, and what speaks against a run there today: the catalogue's word, with the backend's own limits beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.data.rules import OPEN

if TYPE_CHECKING:
    from datetime import date

    from anytune.backend import Backend
    from anytune.data.rules import Rules
    from anytune.values import Finding

__all__ = ["catalogued", "held"]


def held(backend: Backend, model: str | None, method: str, today: date | None) -> tuple[Rules, list[Finding]]:
    """Give the rules that rows for a backend are held against, and the findings about its host.

    The backend's own minimum of rows holds beside the host's. Of a local one only the backend can count tokens.
    """
    rules, said = catalogued(backend.catalog, model, method, today)
    able = backend.capabilities
    own = {"min_rows": max(rules.min_rows, able.min_rows), "target": rules.target or backend.name}
    return rules.model_copy(update=own | ({"encoding": None} if able.local else {})), said


def catalogued(host: str | None, model: str | None, method: str, today: date | None) -> tuple[Rules, list[Finding]]:
    """Give the catalogue's rules and findings; none of them for no host."""
    if host is None:
        return OPEN, []
    from anytune import catalog  # noqa: PLC0415 - a backend that speaks to no known host needs none of it

    said = catalog.findings(host, model, method, today=today) if model is not None else []
    return catalog.rules(host, model, method), said
