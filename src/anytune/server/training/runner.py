"""Takes orders through their life: files are looked at, a slot comes free, a backend is asked, the job is followed to its end.

All of it is read from the book again and again, so that a server which was killed goes on where it was.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from anytune.pauses import growing
from anytune.server.errors import ApiError
from anytune.server.training import backends
from anytune.server.training.clerk import AGAIN, Errand
from anytune.server.training.desk import Desk
from anytune.server.training.ending import failed, hooks_of
from anytune.server.training.follow import Follower
from anytune.server.training.queue import pick
from anytune.server.training.wishes import early

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from anytune.runtime import Runtime
    from anytune.server.book import Book
    from anytune.server.book.rows import JobRow, Wish
    from anytune.server.config import ServeConfig
    from anytune.server.metrics import Metrics
    from anytune.server.store import Store
    from anytune.server.training.clerk import Phase
    from anytune.server.training.desk import Return

__all__ = ["Runner"]

log = logging.getLogger(__name__)

_CHECKS: Final = 2
"""Orders whose files are looked at at the same time: each takes a processor and what its tokenizer takes."""
_SUBMITS: Final = 4
_LOOKS: Final = 8
"""Jobs that are looked at at the same time; a look may wait for a slow backend."""
_DEATHS: Final = 3
_IDLE_S: Final = 10.0
_LEAVE_S: Final = 5.0
_TROUBLE_S: Final = (1.0, 300.0)
"""Pauses before something that failed is tried again."""


class Runner:
    """The loop behind all orders, in a thread of its own.

    Args:
        config: What the server's owner decided.
        context: Ledger, retries and backends.
        book: The rows.
        store: Where files lie.
        metrics: What is counted.
    """

    def __init__(self, config: ServeConfig, context: Runtime, book: Book, store: Store, metrics: Metrics) -> None:
        """Keep the parts; nothing runs yet."""
        self.config, self.context, self.book, self.store, self.metrics = config, context, book, store, metrics
        self._called = threading.Event()
        self._leaving = False
        self._thread: threading.Thread | None = None
        self._desk = Desk(store.root.parent / "clerks", self.wake)
        self._follower = Follower(config, context, book, store)
        self._now = 0.0
        self._due: dict[str, float] = {}
        self._again: dict[str, Callable[[], float]] = {}
        self._deaths: Counter[str] = Counter()
        self._looking: set[str] = set()
        self._heard: dict[str, Wish | None] = {}
        self._checked: dict[str, datetime] = {}
        self._served: dict[str, datetime] | None = None
        self._counted: set[str] = set()

    async def start(self) -> None:
        """Begin to look after orders."""
        self._leaving = False
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Leave; jobs at backends go on, and all else after the next start."""
        self._leaving = True
        self.wake()
        if self._thread is not None:
            await to_thread.run_sync(self._thread.join)

    def wake(self) -> None:
        """Say that something changed. Any thread may."""
        self._called.set()

    def ask(self, job_id: str, word: Wish) -> JobRow:
        """Write down what an owner asks for, and do it at once where no backend has the order yet."""
        order = self.book.jobs.wish(job_id, word)
        if not order.ended:
            order = early(self.book, hooks_of(self.config, order.owner), order)
            if order.ended:
                self._desk.recall(order.id)
        self.wake()
        return order

    def _run(self) -> None:
        pause = growing(*_TROUBLE_S)
        while not self._leaving:
            self._called.clear()
            try:
                nap = self._turn()
                pause = growing(*_TROUBLE_S)
            except Exception:  # the book may be away for a while: orders wait
                log.exception("orders cannot be looked after now")
                nap = pause()
            self._called.wait(nap)
        self._desk.close()
        deadline = time.monotonic() + _LEAVE_S
        while self._looking and time.monotonic() < deadline:
            self._called.wait(0.05)
            self._called.clear()

    def _turn(self) -> float:
        """Do all that can be done now; give the seconds until something is due by itself."""
        self._now = time.monotonic()
        for back in self._desk.returned():
            self._came_back(back)
        self._grant()
        self._check()
        live = self.book.jobs.in_stage("submitted")
        live += self._take(live)
        self._hand_over([order for order in live if order.ledger_id is None])
        self._follow([order for order in live if order.ledger_id is not None])
        coming = min((due for due in list(self._due.values()) if due > self._now), default=self._now + _IDLE_S)
        return max(0.0, coming - time.monotonic())

    def _came_back(self, back: Return) -> None:
        """Take in how a clerk ended: what it did is in the book, unless it died."""
        order = self.book.jobs.get(back.order, None)
        stage = {"check": "received", "submit": "submitted"}[back.phase]
        if order.stage != stage or order.ledger_id is not None:
            self._done_with(order)
            return
        if back.status != AGAIN:
            self._deaths[order.id] += 1
            log.error("the clerk of %s (%s) ended with status %d: %s", order.id, back.phase, back.status, back.said)
        if self._deaths[order.id] >= _DEATHS:
            what = "that reads its files" if back.phase == "check" else "that hands it to the backend"
            how = f"by signal {-back.status}" if back.status < 0 else f"with status {back.status}"
            said = f"The process {what} ended {_DEATHS} times, last {how}. Try a smaller or simpler file, or ask who runs the server."
            self._done_with(failed(self.book, hooks_of(self.config, order.owner), order, said, code="server_error"))
            return
        self._put_off(order.id)

    def _grant(self) -> None:
        """Do what owners ask for where no backend has the order; else look at the job now, once for each wish."""
        wished = self.book.jobs.wished()
        for each in wished:
            order = early(self.book, hooks_of(self.config, each.owner), each)
            if order.ended:
                self._desk.recall(order.id)
                self._done_with(order)
            elif self._heard.get(order.id) != order.wish and order.id not in self._looking:
                self._heard[order.id] = order.wish
                self._due.pop(order.id, None)
        self._heard = {each.id: self._heard[each.id] for each in wished if each.id in self._heard}

    def _check(self) -> None:
        """Send clerks to look at files, in the queue's order."""
        if self._desk.busy("check") >= _CHECKS:
            return
        waiting = self.book.jobs.waiting("received")
        busy = Counter(one.owner for one in waiting if self._desk.has(one.id))
        free = [one for one in waiting if not self._desk.has(one.id) and self._is_due(one.id)]
        while self._desk.busy("check") < _CHECKS and (one := pick(free, busy, self._checked)) is not None:
            free.remove(one)
            busy[one.owner] += 1
            self._checked[one.owner] = self.book.clock()
            self._send(self.book.jobs.get(one.id, None), "check")

    def _take(self, live: list[JobRow]) -> list[JobRow]:
        """Give free slots to orders that wait. A paused job has none: else whoever pauses would stop everybody."""
        if self._served is None:
            self._served = self.book.jobs.served()
        waiting = self.book.jobs.waiting("checked")
        running = Counter(order.owner for order in live if order.status != "paused")
        taken: list[JobRow] = []
        while running.total() < self.config.slots and (one := pick(waiting, running, self._served)) is not None:
            waiting.remove(one)
            order = self.book.jobs.move(one.id, "checked", unless="paused", stage="submitted")
            if order is not None:
                taken.append(order)
                running[one.owner] += 1
                self._served[one.owner] = self.book.clock()
        self.metrics.queue(waiting=len(waiting), running=running.total())
        return taken

    def _hand_over(self, orders: list[JobRow]) -> None:
        for order in orders:
            if self._desk.busy("submit") < _SUBMITS and not self._desk.has(order.id) and self._is_due(order.id):
                self._send(order, "submit")

    def _send(self, order: JobRow, phase: Phase) -> None:
        roles = {"train": "training_file", "validation": "validation_file"}
        try:
            errand = Errand(
                order=order.id,
                phase=phase,
                ledger=self.context.ledger_url,
                backend=order.backend,
                options=backends.options(self.config, order.backend),
                files={role: self.store.path(order.request[key]) for role, key in roles.items() if order.request.get(key)},
                hooks=hooks_of(self.config, order.owner),
                allow=self.config.allow,
                lock=self._desk.lock(order.id),
            )
            self._desk.send(errand)
        except ApiError as error:
            failed(self.book, hooks_of(self.config, order.owner), order, error.message, code="invalid_training_file", param="training_file")
        except Exception:  # one order keeps no other one waiting
            log.exception("no clerk can be sent out for %s", order.id)
            self._put_off(order.id)

    def _follow(self, orders: list[JobRow]) -> None:
        for order in orders:
            if len(self._looking) >= _LOOKS:
                return
            if order.id not in self._looking and self._is_due(order.id):
                self._looking.add(order.id)
                self._due.pop(order.id, None)
                threading.Thread(target=self._look, args=(order.id,), name=f"look-{order.id}", daemon=True).start()

    def _look(self, order_id: str) -> None:
        try:
            nap = self._follower.look(order_id)
            if nap is None:
                self._done_with(self.book.jobs.get(order_id, None))
            else:
                self._due[order_id] = time.monotonic() + nap
        except Exception:  # a backend may raise anything: the others are looked at all the same
            log.exception("%s cannot be looked at", order_id)
            self._put_off(order_id)
        finally:
            self._looking.discard(order_id)
            self.wake()

    def _is_due(self, order_id: str) -> bool:
        return self._due.get(order_id, 0.0) <= self._now

    def _put_off(self, order_id: str) -> None:
        self._due[order_id] = time.monotonic() + self._again.setdefault(order_id, growing(*_TROUBLE_S))()

    def _done_with(self, order: JobRow) -> None:
        """Forget the troubles of an order that goes on to another stage; count one that has ended, once."""
        self._due.pop(order.id, None)
        self._again.pop(order.id, None)
        self._deaths.pop(order.id, None)
        if order.ended and order.id not in self._counted:
            self._counted.add(order.id)
            self.metrics.jobs_ended(order.status)
            if order.trained_tokens and order.status == "succeeded":
                self.metrics.tokens("trained", order.trained_tokens)
