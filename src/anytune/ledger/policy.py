"""What is done on its own after a lost reply, and what is left to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.ledger.reconcile import OnInDoubt
    from anytune.ledger.rows import JobRow

__all__ = ["ASK_ABOVE_USD", "policy_for"]

ASK_ABOVE_USD = 10.0
"""A job that may cost more is not sent a second time before a person said so."""


def policy_for(row: JobRow, backend: Backend) -> OnInDoubt:
    """Say whether a create that was shown to have had no effect is made again without a question.

    The settle window is the whole safety argument, and a listing may lag by more than the backend says: what is cheap is sent again, what
    is dear is asked about. Local and scripted jobs cost nothing. Where no estimate was had, the budget bounds the bill; without one either,
    it is asked at a host that the catalogue knows to bill, and sent again at one that it does not know, which often is one's own.
    """
    if backend.capabilities.local or backend.capabilities.scripted:
        return "reconcile_then_resend"
    known = (row.estimate or {}).get("cost_usd")
    most = known if known is not None else (row.spec.get("budget") or {}).get("max_usd")
    if most is None:
        return "reconcile_then_resend" if backend.catalog is None else "reconcile_then_ask"
    return "reconcile_then_resend" if most <= ASK_ABOVE_USD else "reconcile_then_ask"
