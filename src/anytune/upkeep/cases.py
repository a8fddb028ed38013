"""What reconciling gives: one case for everything that was not settled, with what is known of it now."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from anytune.values import Value

__all__ = ["Case", "Extra", "Reconciled", "Unasked"]


class Case(Value):
    """One row of the ledger that was not settled.

    Attributes:
        kind: What it is.
        id: Its id in the ledger; of a file its sha256.
        name: A word for people.
        backend: Who was asked, by the word that the row was made with.
        was: Its state before.
        now: Its state after.
        open: Something may exist or bill there that nobody has confirmed yet.
        said: What was done, or what is known and what is not.
        fix: The next step.
        until: When a listing that shows nothing will prove that there is nothing.
        usd: What a job was quoted at, in US dollars; None where that is not known.
        hourly_usd: What a host bills by the hour; None where that is not known.
    """

    kind: Literal["job", "file", "deployment"]
    id: str
    name: str
    backend: str
    was: str
    now: str
    open: bool
    said: str
    fix: str = ""
    until: datetime | None = None
    usd: float | None = None
    hourly_usd: float | None = None


class Extra(Value):
    """A second remote job of one row.

    Attributes:
        backend: Where it is.
        remote_id: Its id there.
        job_id: The row whose tag it carries.
        cancelled: Whether its end was taken; else a later round asks again.
    """

    backend: str
    remote_id: str
    job_id: str
    cancelled: bool


class Unasked(Value):
    """A backend that could not be asked: what is there stays as it was last known."""

    backend: str
    type: str
    message: str
    fix: str = ""


class Reconciled(Value):
    """What one round did.

    Attributes:
        cases: What was not settled when it began.
        extras: Second jobs that a late create left.
        failed: Backends that could not be asked.
    """

    cases: tuple[Case, ...] = ()
    extras: tuple[Extra, ...] = ()
    failed: tuple[Unasked, ...] = ()

    @property
    def open(self) -> bool:
        """Whether something may exist or bill that nobody has confirmed yet."""
        return bool(self.failed) or any(case.open for case in self.cases) or not all(extra.cancelled for extra in self.extras)
