"""Waiting between two looks at a job: until the pause is over, or until somebody says that there is news."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.ledger import JobRow
    from anytune.runtime import Runtime

__all__ = ["nap"]


def nap(row: JobRow, context: Runtime, seconds: float) -> None:
    """Wait so many seconds; a webhook that names the job ends it early."""
    _ = row
    context.sleep(seconds)
