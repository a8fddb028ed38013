"""Reaping: what is over its time or its budget is ended, whichever process or machine began it. Made to be run by cron."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anytune import posting, watch
from anytune.deploy import Deployment
from anytune.errors import AnytuneError
from anytune.paths import host
from anytune.runtime import Runtime, runtime

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.ledger import JobRow

__all__ = ["Reaped", "reap", "rewatch"]


@dataclass
class Reaped:
    """What one round did.

    Attributes:
        gone: Hosts that were over their time, or whose end was asked for, and are confirmed gone.
        failed: Hosts that should be gone and may still bill, each with the reason.
        ended: Jobs that were over their budget, and whose end was asked for.
        held: Jobs that were looked at and are within their budget.
        unheld: Jobs with a budget that could not be looked at, each with the reason.
        unwatched: Words of backends whose hosts nobody on this machine watches, each with the reason.
    """

    gone: list[Deployment] = field(default_factory=list)
    failed: list[tuple[Deployment, AnytuneError]] = field(default_factory=list)
    ended: list[JobRow] = field(default_factory=list)
    held: list[JobRow] = field(default_factory=list)
    unheld: list[tuple[JobRow, AnytuneError]] = field(default_factory=list)
    unwatched: list[tuple[str, AnytuneError]] = field(default_factory=list)

    @property
    def errors(self) -> list[AnytuneError]:
        """Why something may still bill; empty where nothing does that should not."""
        return [error for _, error in (*self.failed, *self.unheld)]


def reap(*, backend: str | None = None, timeout_s: float = 120.0, context: Runtime | None = None) -> Reaped:
    """Do one round. Doing it again, or twice at a time, is no error.

    Hosts at providers are ended whichever machine asked for them: its watch may be dead. What runs on another machine of one's own is left
    to that machine, and its agent keeps the time there.

    Args:
        backend: Only this backend or profile.
        timeout_s: Seconds that each host may take until it is confirmed gone.
        context: Ledger, retries and clock; the process's own by default.
    """
    context = context or runtime()
    done = Reaped()
    due = [one for one in watch.overdue(context) if _meant(backend, one.row.backend, one.row.profile)]
    done.gone, done.failed = watch.end(due, timeout_s=timeout_s)
    for row in watch.held(context):
        if _meant(backend, row.backend, row.profile):
            _hold(row, context, done)
    live = [one for one in Deployment.list(context=context) if _meant(backend, one.row.backend, one.row.profile)]
    done.unwatched = rewatch(live, (*done.held, *done.ended), context)
    return done


def rewatch(deployments: Iterable[Deployment], jobs: Iterable[JobRow], context: Runtime) -> list[tuple[str, AnytuneError]]:
    """Let what this machine began be watched again, where its watch is gone: after a restart nothing runs by itself.

    Returns:
        Words of backends whose watch did not start, each with the reason.
    """
    mine = [(one.row.profile or one.row.backend, one) for one in deployments if one.host == host() and one.state != "gone"]
    ours = [(row.profile or row.backend, row) for row in jobs if row.host == host() and not row.status.terminal]
    failed: list[tuple[str, AnytuneError]] = []
    for word in dict.fromkeys(word for word, _ in (*mine, *ours)):
        try:
            backend = context.backend(word)
            able = backend.capabilities
            watched = any(one.watched for its, one in mine if its == word)
            budgets = any(its == word for its, _ in ours) and not (able.local or able.scripted)
            if watched or budgets:
                posting.ensure(word, backend, context)
        except AnytuneError as error:
            failed.append((word, error))
    return failed


def _hold(row: JobRow, context: Runtime, done: Reaped) -> None:
    try:
        if context.backend(row.profile or row.backend).capabilities.local:
            return  # its agent holds it, on whichever machine that is
        seen = watch.look(row, context)
    except AnytuneError as error:
        done.unheld.append((row, error))
        return
    over = seen.cancel_requested or seen.overdrawn_at is not None
    (done.ended if over else done.held).append(seen)


def _meant(word: str | None, backend: str, profile: str | None) -> bool:
    return word is None or word in {backend, profile}
