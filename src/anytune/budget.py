"""A budget is held while a job runs: what all attempts took is summed at every look, and a job over it is ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.ledger import JobRow
    from anytune.runtime import Runtime

__all__ = ["overdrawn"]


def overdrawn(row: JobRow, context: Runtime) -> str:
    """Say by what a live job is over its budget; empty where it is not, or has none."""
    budget = row.spec.get("budget") or {}
    if not budget or row.status.terminal:
        return ""
    usd, minutes = context.ledger.spent(row.backend, row.account, row.name)
    if budget.get("max_usd") is not None and usd > budget["max_usd"]:
        return f"The budget of {budget['max_usd']:g} US dollars is used up: {usd:.2f} over all attempts."
    if budget.get("max_hours") is not None and minutes / 60 > budget["max_hours"]:
        return f"The budget of {budget['max_hours']:g} hours is used up: {minutes / 60:.2f} over all attempts."
    return ""
