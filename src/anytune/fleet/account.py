"""The jobs of one account: which of them are looked at when, at a bounded rate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anytune.budget import budgeted
from anytune.errors import redact
from anytune.observe import rhythm_of
from anytune.paths import host
from anytune.values import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.backend import Backend
    from anytune.ledger import JobRow
    from anytune.pauses import Rhythm

__all__ = ["Account", "Watched"]

_PAGE = 100
"""Jobs that a request for many is taken to show."""
_FEW = 2
"""Jobs that are asked for singly: a listing would not save a request."""
_LANES = 4
"""Calls at the same time at one account."""
_HOSTED_A_SECOND, _LOCAL_A_SECOND = 4.0, 20.0
"""Jobs of an account that are asked for singly, or tended to, in a second."""
_TEND_EVERY_S = 60.0
_LAST_TRIES = 5
"""How often the events and metrics of an ended job are asked for; whoever wants them later asks again."""


@dataclass(slots=True)
class Watched:
    """One job, and how far it was looked at."""

    row: JobRow
    rhythm: Rhythm
    due: float = 0.0
    nudges: int = 0
    figures: tuple[object, ...] = ()
    tend_at: float = 0.0
    swept: float | None = None
    tries: int = 0
    out: bool = False
    """Somebody is at it."""
    ended: bool = False
    """Only what it leaves is still to be taken."""

    def news(self, seen: Snapshot) -> bool:
        """Tell whether a look shows what the last one did not: a status, a step, a cost, a model; not a clock that ran on."""
        self.figures = self.figures or _figures(self.snapshot)
        return _figures(seen) != self.figures

    def took(self, row: JobRow, seen: Snapshot | None = None) -> bool:
        """Keep the row as it is now, after a look or as somebody else left it, and tell whether it says something new.

        What was read before the row was last changed is out of date, and left.
        """
        if row.updated_at < self.row.updated_at:
            return False
        before, told = _figures(self.snapshot), (self.ended, self.row.cancel_requested)
        self.row, self.ended = row, row.status.terminal
        now = _figures(self.snapshot)
        self.figures = now if seen is None else _figures(seen)
        if (self.ended, row.cancel_requested) != told:
            self.tend_at = 0.0
        return now != before

    @property
    def snapshot(self) -> Snapshot:
        """As last seen, by whoever looked."""
        if self.row.snapshot is not None:
            return Snapshot.model_validate(self.row.snapshot)
        return Snapshot(id=self.row.remote_id or self.row.id, status=self.row.status, error=self.row.error, host=self.row.host)

    def wants(self, at: float) -> bool:
        """Tell whether something is to be done for it beside looking."""
        row = self.row
        if row.remote_id is None or at < self.tend_at:
            return False
        return self.ended or row.cancel_requested or budgeted(row) or row.fence > 1

    def tended(self, at: float, *, whole: bool) -> bool:
        """Note that it was tended to, and tell whether that was the last time."""
        self.tries += not whole
        self.tend_at = at + (self.rhythm() if self.ended or self.row.cancel_requested else _TEND_EVERY_S)
        return self.ended and (whole or self.tries >= _LAST_TRIES)


@dataclass
class Account:
    """The watched jobs of one account at one backend."""

    backend: Backend
    poll_s: float | None
    jobs: dict[str, Watched] = field(default_factory=dict)
    due: float = 0.0
    looking: bool = False
    out: int = 0
    next_s: float = 0.0

    def __post_init__(self) -> None:
        """Learn what the backend can do."""
        able = self.backend.capabilities
        self.rhythm = rhythm_of(self.backend)
        self.many = "poll_many" in able.abilities
        self.grouped = False
        self.local = able.local
        self.rate = _LOCAL_A_SECOND if able.local else _HOSTED_A_SECOND

    def add(self, row: JobRow, *, at: float) -> Watched:
        """Take a job in; its first look is now."""
        self.jobs[row.id] = Watched(row, rhythm_of(self.backend), due=at, nudges=row.nudges)
        return self.jobs[row.id]

    def elsewhere(self, row: JobRow) -> bool:
        """Tell whether a job runs on another machine: what that one writes down is all that is known here."""
        return self.local and row.host != host()

    def together(self) -> list[Watched]:
        """Give the jobs that are looked at by one question for many; none where that would not save anything."""
        found = [each for each in self.jobs.values() if self._sent(each)] if self.many else []
        self.grouped = len(found) > _FEW
        return sorted(found, key=lambda each: each.due) if self.grouped else []

    def soonest(self) -> float:
        """Give when something is due next."""
        if self.out >= _LANES:
            return self.due
        singly = [each.due for each in self.jobs.values() if self._singly(each)]
        tending = [each.tend_at for each in self.jobs.values() if each.ended]
        return min(self.due, max(min(singly + tending, default=self.due), self.next_s))

    def alone(self, at: float) -> Iterator[Watched]:
        """Give the jobs that are due to be looked at or tended to singly, those first that wait longest, as many as the rate allows."""
        if self.out >= _LANES or at < self.next_s:
            return
        ready = [each for each in self.jobs.values() if not each.out and (each.wants(at) or (at >= each.due and self._singly(each)))]
        for each in sorted(ready, key=lambda each: each.due):
            if self.out >= _LANES or at < self.next_s:
                return
            self.next_s = max(self.next_s, at - 1.0) + 1.0 / self.rate
            yield each

    def pause(self, each: Watched, *, news: bool, asked_s: float | None = None) -> float:
        """Give the seconds until the next single look at a job."""
        if self.poll_s is not None:
            return self.poll_s
        return each.rhythm(news=news, asked_s=asked_s)

    def pause_of_all(self, looked_at: int, *, news: bool, eta_s: float | None, asked_s: float | None = None) -> float:
        """Give the seconds until the next look at all jobs: a request a second on the average, at most."""
        if self.poll_s is not None:
            return self.poll_s
        return max(self.rhythm(news=news, eta_s=eta_s, asked_s=asked_s), looked_at / _PAGE)

    def _sent(self, each: Watched) -> bool:
        return not each.ended and each.row.remote_id is not None and not self.elsewhere(each.row)

    def _singly(self, each: Watched) -> bool:
        """Tell whether a job is looked at, or sent, by itself."""
        return not each.ended and not (self.grouped and each.row.remote_id is not None) and not self.elsewhere(each.row)


def _figures(seen: Snapshot) -> tuple[object, ...]:
    return (seen.status, seen.step, seen.total_steps, seen.trained_tokens, seen.cost_usd, redact(seen.error), seen.model, seen.host)
