"""What is done on its own after a lost reply, and what is left to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.ledger.reconcile import OnInDoubt
    from anytune.ledger.rows import JobRow

__all__ = ["ASK_ABOVE_USD", "policy_for"]

ASK_ABOVE_USD = 10.0
"""A job that was estimated at more is not sent a second time before a person said so."""


def policy_for(row: JobRow, backend: Backend) -> OnInDoubt:
    """Say whether a create that was shown to have had no effect is made again without a question.

    The settle window is the whole safety argument, and a listing may lag by more than the backend says: what is cheap is sent again, what
    is dear is asked about. Local and scripted jobs cost nothing.
    """
    estimate = (row.estimate or {}).get("cost_usd")
    if backend.capabilities.local or backend.capabilities.scripted or estimate is None or estimate <= ASK_ABOVE_USD:
        return "reconcile_then_resend"
    return "reconcile_then_ask"
