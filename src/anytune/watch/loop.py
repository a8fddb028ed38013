"""The watch itself: look, stop what is due, hold budgets, sleep until the next is due."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING

from anytune import posting
from anytune.deploy import Deployment
from anytune.errors import AnytuneError, ConfigError, Transient, WaitTimeout
from anytune.local import locks
from anytune.paths import host
from anytune.values import now
from anytune.watch.ending import due
from anytune.watch.purse import Purse

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from anytune.ledger import JobRow
    from anytune.runtime import Runtime

__all__ = ["Watch"]

log = logging.getLogger(__name__)

_FIRST_S, _LOOK_S = 0.5, 15.0
"""Seconds between two looks at the ledger: short after something changed, so that it leaves soon; then longer. A look is one query."""

_AGAIN_S, _AGAIN_LONGEST_S = 1.0, 300.0
_DOUBLINGS = 9
"""After so many the longest pause is reached. Unbounded, the power of the 1,024th try, after 3.5 days, ends the watch (`OverflowError`)."""
_STOP_S = 60.0
_ENTER_S = 1.0


class Watch:
    """Ends the hosts that this machine asked for at one backend account, and holds its jobs there to their budgets.

    Args:
        context: Whose ledger.
        word: What names the backend here.
        account: Whose hosts.
        lock: The file that is locked for as long as it runs.
        clock: Gives the time with its zone.
        pause: Waits so many seconds.
    """

    def __init__(
        self,
        context: Runtime,
        word: str,
        account: str,
        *,
        lock: Path,
        pause: Callable[[float], object],
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Know the settings; touch nothing yet."""
        self.context, self.word, self.account = context, word, account
        self.lock, self.clock, self.pause = lock, clock, pause
        self._purse = Purse(context, word, account, clock=clock)
        self._handle: int | None = None
        self._leaving = False
        self._trouble: Exception | None = None
        self._stuck: dict[str, Exception] = {}
        self._again: dict[str, tuple[int, datetime]] = {}
        self._seen: set[str] = set()
        self._calm_s = _FIRST_S

    def check(self) -> None:
        """Set the backend up, as far as that goes without asking it.

        Raises:
            AnytuneError: That cannot be done here, or gives another account than the one to be watched.
        """
        found = self.context.backend(self.word).account
        if found != self.account:
            raise ConfigError(
                f"Backend {self.word!r} is set up for account {found} here, not for {self.account}.", fix="Correct the profile."
            )

    def enter(self) -> bool:
        """Become the watch of this scope; False where another one is. Tries for a while: callers that look hold the lock for a moment."""
        self._handle = locks.wait_for(self.lock, _ENTER_S)
        return self._handle is not None

    def leave(self) -> None:
        """Leave at the next look."""
        self._leaving = True

    def run(self) -> None:
        """Look, act and sleep until nothing is left to watch."""
        log.info("watch over %s at %s begins", self.word, self.account)
        while not self._leaving:
            if not self._home_is_there():
                return
            hosts: list[Deployment] = []
            jobs: list[JobRow] = []
            try:
                hosts, jobs = self._hosts(), self._purse.rows()
                if not hosts and not jobs and self._left_in_order():
                    return
            except (AnytuneError, OSError) as error:  # a database that is away comes back, and the hosts bill on meanwhile
                log.warning("the ledger cannot be read: %s", error)
                if self._handle is None and not self.enter():
                    return
            if self._able(hosts, jobs):
                self.pause(self._nap_s(hosts))
            elif not self._hand_over(hosts):
                return
        log.info("watch leaves: it was told to")

    def _hosts(self) -> list[Deployment]:
        """Give the hosts to watch. Rows of other machines are theirs: this one may lack what they need."""
        mine = (self.account, host())
        rows = [row for row in self.context.ledger.deployments(live=True) if (row.account, row.host) == mine]
        found = [Deployment(row, context=self.context) for row in rows if (row.profile or row.backend) == self.word]
        ids = {deployment.id for deployment in found}
        if ids != self._seen:
            self._seen, self._calm_s = ids, _FIRST_S
        return found

    def _able(self, hosts: list[Deployment], jobs: list[JobRow]) -> bool:
        """Act; where that fails for a reason that time does not mend, such as a key that was withdrawn, leave word of it."""
        try:
            trouble = self._act(hosts) or self._purse.look(jobs)
        except (AnytuneError, OSError) as error:  # the ledger went away meanwhile
            log.warning("the ledger cannot be read: %s", error)
            return True
        if trouble is not None:
            posting.leave_word(self.lock, self.word, self.account, str(trouble))
        elif self._trouble is not None:
            posting.take_back(self.lock)
        self._trouble = trouble
        return trouble is None

    def _act(self, hosts: list[Deployment]) -> Exception | None:
        """Stop what is due; give why something could not be stopped, if time does not mend it."""
        helpless: Exception | None = None
        for deployment in hosts:
            tries, again_at = self._again.get(deployment.id, (0, self.clock()))
            if not due(deployment, self.clock()):
                continue
            if again_at > self.clock():
                helpless = helpless or self._stuck.get(deployment.id)
                continue
            try:
                deployment.stop(timeout_s=_STOP_S)
                self._stuck.pop(deployment.id, None)
                log.info("%s (%s) is gone", deployment.id, deployment.row.remote_id)
            except Exception as error:  # noqa: BLE001 - a host that still bills is worth every further try
                wait_s = min(_AGAIN_LONGEST_S, _AGAIN_S * 2.0 ** min(tries, _DOUBLINGS))
                self._again[deployment.id] = (tries + 1, self.clock() + timedelta(seconds=wait_s))
                if not isinstance(error, (Transient, WaitTimeout)):
                    self._stuck[deployment.id] = helpless = error
                log.warning("%s is not gone, again in %g s: %s: %s", deployment.id, wait_s, type(error).__name__, error)
        return helpless

    def _nap_s(self, hosts: list[Deployment]) -> float:
        """Give the seconds to the next host that is due, or to the next look at the ledger."""
        self._calm_s = min(_LOOK_S, self._calm_s * 2)
        moments = [max(deployment.expires_at, self._again.get(deployment.id, (0, deployment.expires_at))[1]) for deployment in hosts]
        nearest = min(((moment - self.clock()).total_seconds() for moment in moments), default=self._calm_s)
        return min(self._calm_s, max(nearest, 0.05))

    def _hand_over(self, hosts: list[Deployment]) -> bool:
        """Give the lock back while it is of no use, such as with a key that was withdrawn: who comes with a better one takes over."""
        self._give_back()
        self.pause(self._nap_s(hosts))
        if self.enter():
            return True
        log.info("watch leaves: another one took over")
        return False

    def _left_in_order(self) -> bool:
        """Give the lock back, then look once more: who wrote a host down before that saw the lock held and started nobody."""
        self._give_back()
        if self._hosts() or self._purse.rows():
            return not self.enter()
        posting.take_back(self.lock)
        log.info("watch leaves: nothing is left")
        return True

    def _home_is_there(self) -> bool:
        """Tell whether the lock's file is still the one that it holds: a home that was removed has no hosts."""
        try:
            return self._handle is not None and os.path.samestat(self.lock.stat(), os.fstat(self._handle))
        except OSError:
            return False

    def _give_back(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
