"""The budgets that the watch holds: jobs at a provider are looked at while nobody else does, and ended where they are over."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from anytune.budget import budgeted
from anytune.errors import AnytuneError, ConfigError, Transient
from anytune.looking import looked
from anytune.observe import pull_events
from anytune.paths import host
from anytune.values import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from anytune.ledger import JobRow
    from anytune.runtime import Runtime

__all__ = ["Purse", "held", "look"]

log = logging.getLogger(__name__)

_LOOK_S = 60.0
_LIVE = [status for status in Status if not status.terminal]


class Purse:
    """Holds the jobs of one backend account that this machine sent to their budgets.

    Args:
        context: Whose ledger.
        word: What names the backend here.
        account: Whose jobs.
        clock: Gives the time with its zone.
        look_s: Seconds after the last look, whoever made it, before the next one.
    """

    def __init__(self, context: Runtime, word: str, account: str, *, clock: Callable[[], datetime], look_s: float = _LOOK_S) -> None:
        """Know the settings; touch nothing yet."""
        self.context, self.word, self.account, self.clock, self.look_s = context, word, account, clock, look_s
        self._tried: dict[str, datetime] = {}
        self._stuck: dict[str, AnytuneError] = {}

    def rows(self) -> list[JobRow]:
        """Give the jobs to hold."""
        mine = (self.account, host(), self.word)
        return [row for row in held(self.context) if (row.account, row.host, row.profile or row.backend) == mine]

    def look(self, rows: Iterable[JobRow]) -> AnytuneError | None:
        """Look at those that nobody looked at for a while; give an error that time does not mend."""
        listed = list(rows)
        self._stuck = {row.id: self._stuck[row.id] for row in listed if row.id in self._stuck}
        for row in listed:
            at = self.clock()
            last = max(row.updated_at, self._tried.get(row.id, row.updated_at))
            if abs((at - last).total_seconds()) < self.look_s:  # a clock that was set back makes no look lie ahead
                continue
            self._tried[row.id] = at
            try:
                look(row, self.context)
                self._stuck.pop(row.id, None)
            except AnytuneError as error:
                log.warning("job %s cannot be looked at, and is not held to its budget meanwhile: %s", row.id, error)
                if not isinstance(error, Transient):
                    self._stuck[row.id] = error
        return next(iter(self._stuck.values()), None)


def held(context: Runtime) -> list[JobRow]:
    """Give the jobs that were sent and have a budget, whichever machine sent them."""
    return [row for row in context.ledger.jobs(status=_LIVE) if budgeted(row) and row.remote_id is not None]


def look(row: JobRow, context: Runtime) -> JobRow:
    """Look at a job as whoever waits for it does: its events may tell how far it is.

    Raises:
        AnytuneError: Its backend cannot be set up here, or not be asked.
    """
    word = row.profile or row.backend
    backend = context.backend(word)
    if backend.account != row.account:
        raise ConfigError(
            f"Job {row.name} ({row.id}) belongs to account {row.account}, and {word} is set up for {backend.account} here.",
            fix="Give the key, endpoint or profile of that account.",
            job_id=row.id,
        )
    with suppress(AnytuneError):  # the look itself says what is wrong
        pull_events(row, backend, context)
    return looked(row, backend, context)
