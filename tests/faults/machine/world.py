"""A provider, its account, two clocks, and processes on several hosts that share one ledger; each may die or be held at any point.

Nothing here runs in a process of its own: a "process" is a runtime whose database and backend stop it at numbered points, before and after
each durable write and each call. One that dies there raises `Death`, which nothing catches, and all that it does afterwards fails. One that
is held there waits while others act, as after SIGSTOP. So thousands of lives fit into a minute, and each can be told again from its seed.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from anytune import FineTuneJob
from anytune.errors import AnytuneError
from anytune.ledger import Ledger
from anytune.ledger.engine import Database, open_database
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.spec import SFT
from anytune.testing import Faults, Life, MemoryBackend
from anytune.testing.course import advance, word_of
from anytune.testing.life import status_of
from anytune.testing.store import JobRecord, Store

if TYPE_CHECKING:
    from pathlib import Path

SETTLE_S = 60.0
WRITES = {"submit", "cancel", "upload", "pause", "resume"}
ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
FOREVER = Life.of(queued=1, steps=3, end=None, tick_s=100)


@cache
def engine(url):
    """Open a database once: what SQLAlchemy has compiled for it is compiled for all examples that put another file in its place."""
    return open_database(url).engine


class Death(BaseException):
    """The process is gone at this point: no handler of its own runs to an effect."""


class Provider(MemoryBackend):
    """The provider as one process sees it: it holds the process at its points, and the world's faults are its own."""

    def __init__(self, world, process):
        self.world, self.process = world, process
        able = MemoryBackend().capabilities.model_copy(update={"settle_s": world.settle_s})
        super().__init__(life=world.lives, store=world.store, clock=lambda: world.seconds, capabilities=able)

    @property
    def faults(self):
        return self.world.faults

    @faults.setter
    def faults(self, _):
        """The world's are set by the world."""

    @contextmanager
    def _call(self, verb):
        self.process.at(f"before {verb}")
        with super()._call(verb) as found:
            yield found
        if verb in WRITES:
            self.process.at(f"after {verb}")

    def submit(self, order):
        self.world.saw_create(order)
        return super().submit(order)

    def cancel(self, job_id):
        self.world.saw_cancel(job_id)
        super().cancel(job_id)


class Halting(Database):
    """The ledger's database as one process sees it."""

    def __init__(self, engine, at):
        super().__init__(engine)
        self._at = at

    @contextmanager
    def read(self):
        self._at("before read")
        with super().read() as connection:
            yield connection

    @contextmanager
    def write(self):
        self._at("before write")
        with super().write() as connection:
            yield connection
            self._at("before commit")
        self._at("after write")


class Process:
    """A process on a host: a runtime that dies or is held at the point it was told to."""

    def __init__(self, world, host):
        self.world, self.host = world, host
        self.dead = False
        self._points = 0
        self.passed: list[str] = []
        self._die_at: int | str | None = None
        self._hold: tuple[int | str, object] | None = None
        database = Halting(engine(world.url), self.at)
        retry = Retry(clock=self.monotonic, sleep=world.sleep, random=lambda: 1.0)
        self.context = Runtime(ledger_url=world.url, retry=retry, clock=self.monotonic, sleep=world.sleep)
        self.context.__dict__["ledger"] = Ledger(database, world.uuid, clock=self.wall)
        self.backend = Provider(world, self)
        self.context.backends["memory"] = self.backend

    def monotonic(self):
        return self.world.seconds + self.world.uptime[self.host]

    def wall(self):
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.world.seconds + self.world.skew.get(self.host, 0.0))

    def at(self, point):
        """Pass a point, or die there, or wait there while others act."""
        if self.dead:
            raise Death(point)
        self._points += 1
        self.passed.append(point)
        if self._die_at is not None and self._due(self._die_at, point):
            self.dead = True
            raise Death(point)
        if self._hold is not None and self._due(self._hold[0], point) and point != "before commit":
            _, others = self._hold
            self._hold = None
            others()

    def _due(self, plan, point):
        if callable(plan):
            return plan(point)
        return point == plan if isinstance(plan, str) else self._points >= plan

    def act(self, deed, *, die_at=None, held_at=None, meanwhile=None):
        """Do something as this process. Errors that are told to the caller are the process's answer; any other is a defect.

        Args:
            deed: What it does.
            die_at: The point where it dies: the n-th, the first of a name, or the first for which a function says so.
            held_at: The point where it is held, the same way.
            meanwhile: What happens while it is held.

        Returns:
            What the deed gave, an `AnytuneError`, or None where the process died.
        """
        before, os.environ["ANYTUNE_HOST"] = os.environ.get("ANYTUNE_HOST"), self.host
        self._points, self._die_at = 0, die_at
        self._hold = None if held_at is None else (held_at, meanwhile)
        try:
            return deed()
        except AnytuneError as error:
            return error
        except Death:
            return None
        finally:
            self._die_at = self._hold = None
            _restore(before)

    def at_next(self, point):
        """Die at the next point of this name."""
        self._die_at = point

    def create(self, name, rate, *, new_attempt=False):
        return FineTuneJob.create(
            backend=self.backend,
            model="base",
            train=self.world.train,
            name=name,
            method=SFT(learning_rate=rate),
            new_attempt=new_attempt,
            context=self.context,
        )

    def get(self, word):
        return FineTuneJob.get(word, context=self.context)


class World:
    """Everything outside the processes, and what a person would count there.

    Attributes:
        store: What the provider holds.
        skew: Seconds by which each host's wall clock is off.
        uptime: Seconds on each host's monotonic clock when the world began.
        creates: How often a create was sent, by tag.
        honest: Whether the provider kept what it promised (listings within the settle window) and no process was held at a point.
    """

    def __init__(self, folder: Path, template: Path, *, lives=(FOREVER,)):
        self.folder, self.lives, self.settle_s = folder, lives, SETTLE_S
        self.path = folder / "ledger.db"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, self.path)
        self.uuid = _uuid(template)
        self.train = folder / "train.jsonl"
        self.train.write_text(json.dumps(ROW) + "\n", encoding="utf-8")
        self.store = Store()
        self.faults = Faults()
        self.seconds = 0.0
        self.skew: dict[str, float] = {}
        self.uptime: dict[str, float] = Counter({"here": 1000.0, "there": 77_000.0})
        self.creates: Counter[str] = Counter()
        self.honest = True
        self.foreign: set[str] = set()
        self.complaints: list[str] = []

    @property
    def url(self):
        return f"sqlite:///{self.path}"

    def process(self, host="here"):
        return Process(self, host)

    def sleep(self, seconds):
        self.seconds += max(seconds, 0.001)

    def saw_create(self, order):
        """Hold a create against G1: its intent is on disk, as being sent."""
        self.creates[order.ref] += 1
        row = self.raw("SELECT submit_state, fence FROM anytune_jobs WHERE id = ?", order.ref)
        if not row:
            self.complaints.append(f"{order.ref} was created without a row")
        elif self.creates[order.ref] > row[0][1]:
            self.complaints.append(f"{order.ref} was created {self.creates[order.ref]} times by {row[0][1]} sends")

    def saw_cancel(self, job_id):
        """Hold a cancel against row 16: nothing of anybody else's."""
        if job_id in self.foreign:
            self.complaints.append(f"{job_id} is not ours and was cancelled")

    def raw(self, query, *values):
        """Read the database beside SQLAlchemy."""
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    @property
    def state(self):
        """What the provider holds, itself and no copy: those took nine tenths of all time."""
        with self.store.change() as state:
            return state

    def jobs(self) -> dict[str, JobRecord]:
        """Give the provider's jobs that exist by now, moved on to now."""
        with self.store.change() as state:
            for job in state.jobs.values():
                if job.created_at <= self.seconds:
                    advance(job, self.seconds, poll=False)
            return {key: job for key, job in state.jobs.items() if job.created_at <= self.seconds}

    def live(self):
        return [job for job in self.jobs().values() if job.id not in self.foreign and not status_of(word_of(job)).terminal]

    def plant(self, job_id, **fields):
        """Let somebody else's job exist in the same account."""
        given = {"ref": "", "ledger": "", "name": "theirs", "spec_hash": "", "model": "base", "life": FOREVER} | fields
        job = JobRecord(id=job_id, created_at=self.seconds, visible_at=self.seconds, since=self.seconds, **given)
        with self.store.change() as state:
            state.jobs[job_id] = job
        self.foreign.add(job_id)

    def move(self):
        """Copy the ledger to another file, which everybody opens from now on: a machine was given up for a new one."""
        self.close()
        moved = self.folder / ("ledger.db" if self.path.name == "moved.db" else "moved.db")
        shutil.copyfile(self.path, moved)
        self.path = moved

    def close(self):
        engine(self.url).dispose()


def _uuid(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT value FROM anytune_facts WHERE key = 'uuid'").fetchone()[0]
    finally:
        connection.close()


def _restore(before):
    if before is None:
        os.environ.pop("ANYTUNE_HOST", None)
    else:
        os.environ["ANYTUNE_HOST"] = before
