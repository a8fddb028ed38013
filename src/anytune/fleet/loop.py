"""The loop: who is due is asked for, in other threads; what comes back goes into the ledger in one transaction, then to whoever watches."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from anytune.errors import AnytuneError, AuthError, JobPaused, NotFound, Transient, WaitTimeout
from anytune.fleet.account import Account
from anytune.fleet.asking import Seen, Tended, seen_alone, seen_together, tended
from anytune.fleet.hands import Hands
from anytune.job import FineTuneJob
from anytune.ledger import JobRow
from anytune.naps import EVERY_S
from anytune.observe import refuse_to_wait
from anytune.runtime import runtime
from anytune.values import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from anytune.fleet.account import Watched
    from anytune.fleet.hands import Done
    from anytune.runtime import Runtime
    from anytune.values import Snapshot

__all__ = ["Change", "Fleet", "watch_many"]

_THREADS = 16
_AT_ONCE = 100
"""Rows written in one transaction: others wait for it."""
_LIVE = [status for status in Status if not status.terminal]

_log = logging.getLogger(__name__)


class Change(NamedTuple):
    """What is new of a job.

    Attributes:
        job: Its handle, as it is now.
        snapshot: The last observation.
        error: Why it is not watched any more, though it has not ended: a key that does not work, a job that its provider does not know, one
            that was rejected or that its host paused. None otherwise.
    """

    job: FineTuneJob
    snapshot: Snapshot
    error: AnytuneError | None = None


class _Task(NamedTuple):
    account: Account
    each: Watched | None = None


def watch_many(
    jobs: Iterable[FineTuneJob] | None = None,
    *,
    timeout_s: float | None = None,
    poll_s: float | None = None,
    context: Runtime | None = None,
) -> Iterator[Change]:
    """Watch many jobs until all have ended, and give what changes.

    Each job is given at least once: when it ends, or at once where it had ended before. A backend that cannot be reached for a while ends
    nothing. What goes wrong with a job or an account (`Change.error`) is told once, and the others go on. Jobs that were not sent yet are
    sent; budgets are held, wishes to cancel are repeated, and the events and metrics of a job are in the ledger once it has ended.

    Args:
        jobs: Handles; None takes all jobs of the ledger that have not ended.
        timeout_s: Seconds of patience; None watches for as long as it takes.
        poll_s: Seconds between two looks; None takes the rhythm of `anytune.pauses`, and at most one request a second for each account
            whose backend shows many jobs at once (`poll_many`), or four where each is asked for alone.
        context: Ledger, retries and clock; the process's own by default.

    Raises:
        WaitTimeout: Patience ended; the jobs go on.
        LedgerError: The ledger cannot be written, and waiting does not help.
    """
    context = context or runtime()
    deadline = None if timeout_s is None else context.clock() + timeout_s
    with Fleet(jobs, poll_s=poll_s, context=context) as fleet:
        while fleet.watched:
            yield from fleet.step()
            if deadline is not None and fleet.watched and context.clock() >= deadline:
                raise fleet.out_of_patience(timeout_s or 0.0)
        yield from fleet.step(0.0)


class Fleet:
    """The watch itself, one step at a time: for loops that have other things to do as well.

    Arguments as for `watch_many`.
    """

    def __init__(self, jobs: Iterable[FineTuneJob] | None = None, *, poll_s: float | None = None, context: Runtime | None = None) -> None:
        """Read the rows; nothing is asked yet."""
        self._context = context or runtime()
        self._poll_s = poll_s
        self._accounts: dict[tuple[str, str], Account] = {}
        self._of: dict[str, tuple[Account, Watched]] = {}
        self._changes: list[Change] = []
        self._hands: Hands[_Task] = Hands(_THREADS)
        self._listened = self._context.clock()
        ledger = self._context.ledger
        rows = ledger.jobs(status=_LIVE) if jobs is None else ledger.rows([job.id for job in jobs]).values()
        for row in sorted(rows, key=lambda row: row.sequence):
            self._add(row)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    @property
    def watched(self) -> int:
        """How many jobs are watched still, those among them that have ended and leave something to be taken."""
        return len(self._of)

    @property
    def live(self) -> int:
        """How many of them have not ended."""
        return sum(not each.ended for _, each in self._of.values())

    def step(self, limit_s: float = EVERY_S) -> list[Change]:
        """Ask for what is due, and give what is new; takes so many seconds at most.

        Raises:
            LedgerError: As for `watch_many`.
        """
        at = self._context.clock()
        with suppress(Transient):  # a ledger that is away for a while
            self._listen(at)
        for account in list(self._accounts.values()):
            self._send(account, at)
        if self._changes or not self.watched:
            limit_s = 0.0
        if self._hands.out:
            for done in self._hands.take(limit_s):
                self._take(done)
        elif limit_s:
            soonest = min(account.soonest() for account in self._accounts.values())
            self._context.sleep(min(limit_s, max(soonest - self._context.clock(), 0.0)))
        given, self._changes = self._changes, []
        return given

    def out_of_patience(self, waited_s: float) -> WaitTimeout:
        """Say that patience ended before the jobs did."""
        jobs = "1 job has" if self.live == 1 else f"{self.live} jobs have"
        return WaitTimeout(f"{jobs} not ended after {waited_s:g} s.", fix="Nothing was stopped; watch again: `anytune jobs watch --all`.")

    def close(self) -> None:
        """Watch no more; the jobs go on."""
        self._hands.close()
        self._of.clear()

    def _add(self, row: JobRow) -> None:
        """Take a job in, or tell why not."""
        if row.status.terminal:
            self._changes.append(self._change(row))
            return
        word = row.profile or row.backend
        key = (word, row.account)
        try:
            if key not in self._accounts:
                self._accounts[key] = Account(self._context.backend(word), self._poll_s)
        except AnytuneError as error:
            self._changes.append(self._change(row, error.at(job_id=row.id)))
            return
        account = self._accounts[key]
        self._of[row.id] = account, account.add(row, at=self._context.clock())

    def _listen(self, at: float) -> None:
        """Look at jobs whose webhooks called, without waiting for their turn."""
        if at - self._listened < EVERY_S:
            return
        self._listened = at
        for job_id, count in self._context.ledger.nudges().items():
            account, each = self._of.get(job_id, (None, None))
            if account is None or each is None or count == each.nudges:
                continue
            each.nudges, each.due, account.due = count, at, at

    def _send(self, account: Account, at: float) -> None:
        """Hand out what is due at an account."""
        context, backend = self._context, account.backend
        if at >= account.due and not account.looking:
            with suppress(Transient):
                self._reread(account)
            together = [each.row for each in account.together()]
            account.due = at + account.pause_of_all(len(account.jobs), news=False, eta_s=None)
            if together:
                account.looking = True
                self._hands.give(_Task(account), lambda: seen_together(together, backend, context))
        for each in account.alone(at):
            each.out, account.out, row, swept = True, account.out + 1, each.row, each.swept
            if each.wants(at):
                self._hands.give(_Task(account, each), lambda row=row, swept=swept: tended(row, backend, context, swept))  # type: ignore[misc]
            elif row.remote_id is None:
                self._hands.give(_Task(account, each), lambda row=row: _sent(row, context))  # type: ignore[misc]
            else:
                self._hands.give(_Task(account, each), lambda row=row: seen_alone([row], backend, context))  # type: ignore[misc]

    def _reread(self, account: Account) -> None:
        """Take what other processes wrote: a wish to cancel, an end that they saw, a job that was forgotten."""
        marks = self._context.ledger.marks(account.jobs)
        stale = [job_id for job_id, each in account.jobs.items() if job_id in marks and marks[job_id] != each.row.updated_at]
        for row in self._context.ledger.rows(stale).values() if stale else ():
            self._moved(account.jobs[row.id], row)
        for job_id in [job_id for job_id in account.jobs if job_id not in marks]:
            row = account.jobs[job_id].row
            gone = NotFound(f"Job {row.name} ({row.id}) was removed from the ledger.", fix="Nothing is left to watch.", job_id=row.id)
            self._drop(row.id, gone)

    def _take(self, done: Done[_Task]) -> None:
        """Take back a call."""
        account, each = done.of
        at = self._context.clock()
        if each is None:
            account.looking = False
        else:
            account.out, each.out = account.out - 1, False
        if isinstance(done.error, AnytuneError):
            self._failed_all(account, done.error) if each is None else self._failed(account, each, done.error)
        elif done.error is not None:
            raise done.error
        elif isinstance(done.answer, Tended):
            self._tended(each, done.answer, at)
        elif isinstance(done.answer, Seen):
            self._seen(account, done.answer, at, every=each is None)
        elif isinstance(done.answer, JobRow) and each is not None and each.row.id in self._of:
            self._moved(each, done.answer)
            each.due = at + account.pause(each, news=False)

    def _seen(self, account: Account, seen: Seen, at: float, *, every: bool) -> None:
        """Write down what a look showed, and say when the next one is."""
        news = self._recorded(account, seen.snapshots)
        for job_id, error in seen.errors.items():
            if job_id in account.jobs:
                self._failed(account, account.jobs[job_id], error)
        for job_id in (seen.alone & seen.snapshots.keys()) & account.jobs.keys():
            each = account.jobs[job_id]
            each.due = at + account.pause(each, news=job_id in news)
        if every:
            times = [one.eta_s for one in seen.snapshots.values() if one.eta_s and one.status is Status.RUNNING]
            account.due = at + account.pause_of_all(len(account.jobs), news=bool(news), eta_s=min(times, default=None))

    def _recorded(self, account: Account, snapshots: Mapping[str, Snapshot]) -> set[str]:
        """Write what is new, and give the ids of those jobs; what the ledger cannot take now is new at the next look again."""
        new = [(account.jobs[job_id], seen) for job_id, seen in snapshots.items() if job_id in account.jobs]
        new = [(each, seen) for each, seen in new if each.news(seen)]
        try:
            for start in range(0, len(new), _AT_ONCE):
                some = [(each.row, seen) for each, seen in new[start : start + _AT_ONCE]]
                for row in self._context.ledger.record_many(some):
                    self._moved(account.jobs[row.id], row, snapshots[row.id])
        except (Transient, NotFound) as error:  # one that was removed from the ledger meanwhile is dropped before the next look
            _log.warning("What was seen of %s jobs waits for the ledger: %s", len(new), error)
        return {each.row.id for each, _ in new}

    def _moved(self, each: Watched, row: JobRow, seen: Snapshot | None = None) -> None:
        """Keep a row, and tell what is new of it."""
        if not each.took(row, seen):
            return
        try:
            refuse_to_wait(each.row, each.snapshot)
        except JobPaused as error:
            self._drop(each.row.id, error)
            return
        self._changes.append(self._change(each.row))
        if each.ended and each.row.remote_id is None:
            self._forget(each.row.id)

    def _tended(self, each: Watched | None, answer: Tended, at: float) -> None:
        if each is None or each.row.id not in self._of:
            return
        each.swept = answer.swept
        self._moved(each, answer.row)
        if each.tended(at, whole=answer.error is None or not isinstance(answer.error, Transient)):
            self._forget(each.row.id)

    def _failed(self, account: Account, each: Watched, error: AnytuneError) -> None:
        """Ask again later, or tell why not."""
        if isinstance(error, Transient) and not getattr(error, "asks", False):
            each.due = self._context.clock() + account.pause(each, news=False, asked_s=getattr(error, "retry_after", None))
        elif each.row.id in self._of:
            self._drop(each.row.id, error)

    def _failed_all(self, account: Account, error: AnytuneError) -> None:
        """Ask again later, or singly, or tell all of an account why not."""
        if isinstance(error, Transient):
            asked_s = getattr(error, "retry_after", None)
            account.due = self._context.clock() + account.pause_of_all(len(account.jobs), news=False, eta_s=None, asked_s=asked_s)
        elif isinstance(error, AuthError):
            for job_id in [job_id for job_id, each in account.jobs.items() if not each.ended]:
                self._drop(job_id, error)
        else:
            _log.warning("%s cannot be asked for many jobs at once, so each is asked for alone: %s", account.backend.name, error)
            account.many = False

    def _drop(self, job_id: str, error: AnytuneError) -> None:
        """Tell why a job is not watched any more."""
        self._changes.append(self._change(self._of[job_id][1].row, error))
        self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        account, _ = self._of.pop(job_id)
        del account.jobs[job_id]
        if not account.jobs:
            self._accounts = {key: each for key, each in self._accounts.items() if each is not account}

    def _change(self, row: JobRow, error: AnytuneError | None = None) -> Change:
        job = FineTuneJob(row, context=self._context)
        return Change(job, job.snapshot, error)


def _sent(row: JobRow, context: Runtime) -> JobRow:
    """Send a job that was not sent yet, or look for one whose reply was lost."""
    job = FineTuneJob(row, context=context)
    job.refresh()
    return job.row
