"""The ledger: the durable record of intents, jobs, files and deployments, and the protocol that creates a remote job effectively once.

Names load when they are first used: `from anytune.ledger import JobRow` costs no SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

_HOMES = {
    "DeploymentRow": "anytune.ledger.rows",
    "JobRow": "anytune.ledger.rows",
    "Ledger": "anytune.ledger.store",
    "Sender": "anytune.ledger.sender",
    "SubmitState": "anytune.ledger.rows",
    "following": "anytune.ledger.statuses",
    "submit": "anytune.ledger.submission",
    "sweep": "anytune.ledger.reconcile",
}

__all__ = ["DeploymentRow", "JobRow", "Ledger", "Sender", "SubmitState", "following", "submit", "sweep"]

if TYPE_CHECKING:
    from anytune.ledger.reconcile import sweep
    from anytune.ledger.rows import DeploymentRow, JobRow, SubmitState
    from anytune.ledger.sender import Sender
    from anytune.ledger.statuses import following
    from anytune.ledger.store import Ledger
    from anytune.ledger.submission import submit


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use (PEP 562)."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'anytune.ledger' has no attribute {name!r}") from None
    from importlib import import_module  # noqa: PLC0415 - only needed once a name is asked for

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
