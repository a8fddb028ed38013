"""The ledger: the durable record of intents, jobs, files and deployments, and the protocol that creates a remote job effectively once.

Names load when they are first used: `from anytune.ledger import JobRow` costs no SQLAlchemy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

_HOMES = {
    "DeploymentRow": "anytune.ledger.rows",
    "JobRow": "anytune.ledger.rows",
    "Ledger": "anytune.ledger.store",
    "Sender": "anytune.ledger.sender",
    "SubmitState": "anytune.ledger.rows",
    "answer": "anytune.ledger.reconcile",
    "following": "anytune.ledger.statuses",
    "submit": "anytune.ledger.submission",
    "sweep": "anytune.ledger.reconcile",
}

__all__ = ["DeploymentRow", "JobRow", "Ledger", "Sender", "SubmitState", "answer", "following", "submit", "sweep"]

if TYPE_CHECKING:
    from anytune.ledger.reconcile import answer, sweep
    from anytune.ledger.rows import DeploymentRow, JobRow, SubmitState
    from anytune.ledger.sender import Sender
    from anytune.ledger.statuses import following
    from anytune.ledger.store import Ledger
    from anytune.ledger.submission import submit


__getattr__ = loader(__name__, _HOMES)
