"""A budget is held while a job runs: what all attempts took is summed at every look, and a job over it is ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.costs import Spent, so_far, total

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.ledger import JobRow
    from anytune.runtime import Runtime

__all__ = ["CHECKPOINT_S", "budgeted", "overdrawn", "spent"]

CHECKPOINT_S = 300.0
"""Seconds that a backend has to pause a job with its checkpoint before the job is cancelled; the local agent gives as many."""


def budgeted(row: JobRow) -> bool:
    """Tell whether somebody has to hold a job to its budget while it runs."""
    return any(limit is not None for limit in (row.spec.get("budget") or {}).values()) and not row.status.terminal


def spent(backend: Backend, name: str, context: Runtime) -> Spent:
    """Add up what all attempts of a name took so far, by their backend's word or by dated prices."""
    rows = context.ledger.jobs(backend=backend.name, name=name)
    return total(so_far(row, backend, context, at=context.ledger.clock()) for row in rows if row.account == backend.account)


def overdrawn(row: JobRow, backend: Backend, context: Runtime) -> str:
    """Say by what a live job is over its budget; empty where it is not, or has none.

    Local jobs are left to the agent, which holds them to their hours whether or not anybody looks.
    """
    budget = row.spec.get("budget") or {}
    if not budgeted(row) or backend.capabilities.local:
        return ""
    took = spent(backend, row.name, context)
    usd, hours = budget.get("max_usd"), budget.get("max_hours")
    if usd is not None and took.usd is not None and took.usd > usd:
        how = f" ({took.basis})" if took.estimated else ""
        return f"The budget of {usd:g} US dollars is used up: {took.usd:.2f} were spent over {_attempts(row)}{how}."
    if hours is not None and took.minutes is not None and took.minutes / 60 > hours:
        share = f"{took.minutes / 60:.2f}" if took.minutes >= 1 else f"{took.minutes / 60:.1g}"
        return f"The budget of {hours:g} hours is used up: {share} were spent over {_attempts(row)}."
    return ""


def _attempts(row: JobRow) -> str:
    return "1 attempt" if row.attempt == 1 else f"{row.attempt} attempts"
