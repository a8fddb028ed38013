"""Waiting between two looks at a job: until the pause is over, or until somebody says that there is news."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from anytune.errors import AnytuneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anytune.ledger import JobRow
    from anytune.runtime import Runtime

__all__ = ["EVERY_S", "Nap"]

EVERY_S = 1.0
"""Seconds between two questions to the ledger whether somebody was nudged."""


class Nap:
    """The pauses of one wait. A nudge (`anytune.webhooks`, in whichever process) ends the one it falls into, or the next one.

    Args:
        row: The job, as it was before the first look: a nudge from then on means a look that was not made yet.
        context: Ledger and sleep.
        sleep: Another way to wait for seconds than the context's.
    """

    def __init__(self, row: JobRow, context: Runtime, *, sleep: Callable[[float], Any] | None = None) -> None:
        """Keep the parts; nothing is read."""
        self._job_id, self._context, self._known = row.id, context, row.nudges
        self._sleep = sleep or context.sleep

    def __call__(self, seconds: float) -> bool:
        """Wait so many seconds, and tell whether a nudge ended it early."""
        for part in self.parts(seconds):
            if seconds > EVERY_S and self.nudged():
                return True
            self._sleep(part)
        return False

    def nudged(self) -> bool:
        """Tell whether the job was nudged since this was last asked. A ledger that is away says nothing: the pause goes on."""
        with suppress(AnytuneError):
            counted = self._context.ledger.nudges().get(self._job_id, self._known)
            before, self._known = self._known, counted
            return counted != before
        return False

    @staticmethod
    def parts(seconds: float) -> Iterator[float]:
        """Cut a pause into pieces after which to ask."""
        while seconds > EVERY_S:
            yield EVERY_S
            seconds -= EVERY_S
        yield seconds
