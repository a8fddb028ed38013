"""A nudge ends the pause between two looks, whichever process it came from; without one a pause is a pause."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from anytune import FineTuneJob, Status, aio
from anytune.cli.follow import looks
from anytune.errors import LedgerError
from anytune.naps import Nap
from anytune.runtime import Runtime
from anytune.testing import Life, MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


class Night:
    """A job that ends at its second look, and a clock by which the sleeper is nudged."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANYTUNE_HOME", str(folder))
        self.url = f"sqlite:///{folder}/ledger.db"
        self.now, self.slept, self.at, self.do = 0.0, 0, 1e9, lambda: None
        self.context = Runtime(ledger_url=self.url, clock=lambda: self.now, sleep=self.sleep)
        train = folder / "train.jsonl"
        train.write_text((json.dumps(ROW) + "\n") * 2)
        self.backend = MemoryBackend(life=Life(words=("queued", "running", "succeeded")))
        self.job = FineTuneJob.create(backend=self.backend, model="base", train=train, context=self.context)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += 1
        if self.now >= self.at:
            self.at = 1e9
            self.do()

    def nudge(self) -> None:
        """Do what a webhook does, as another process."""
        Runtime(ledger_url=self.url).ledger.nudge(str(self.job.remote_id))


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    return Night(tmp_path, monkeypatch)


def waited(job: FineTuneJob) -> None:
    job.wait(poll_s=300.0)


def watched(job: FineTuneJob) -> None:
    list(looks(job, poll_s=300.0, clock=job.context.clock, sleep=job.context.sleep))


@pytest.mark.parametrize("wait", [waited, watched], ids=["wait", "jobs watch"])
def test_a_nudge_ends_the_pause(night: Night, wait: Callable[[FineTuneJob], Any]) -> None:
    night.at, night.do = 300.0 + 20.0, night.nudge
    wait(night.job)
    assert night.job.status is Status.SUCCEEDED
    assert 320.0 <= night.now <= 322.0


def test_without_a_nudge_the_pause_is_as_long_as_it_was_meant(night: Night) -> None:
    night.job.wait(poll_s=300.0)
    assert night.now == pytest.approx(600.0)


def test_a_nudge_that_comes_while_a_look_is_made_is_not_lost(night: Night) -> None:
    nap = Nap(night.context.ledger.job(night.job.id), night.context)
    night.nudge()
    assert nap(300.0)
    assert night.now == 0.0


def test_one_nudge_ends_one_pause(night: Night) -> None:
    nap = Nap(night.job.row, night.context)
    night.nudge()
    assert [nap(10.0), nap(10.0)] == [True, False]


def test_nudges_of_others_wake_nobody(night: Night) -> None:
    nap = Nap(night.job.row.model_copy(update={"id": "0" * 26}), night.context)
    night.nudge()
    assert not nap(10.0)


def test_short_pauses_ask_the_ledger_nothing(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    nap = Nap(night.job.row, night.context)
    monkeypatch.setattr(night.context.ledger, "nudges", lambda: pytest.fail("asked"))
    assert not nap(1.0)


def test_a_ledger_that_is_away_only_makes_pauses_whole(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> dict[str, int]:
        raise LedgerError("The ledger is away.")

    monkeypatch.setattr(night.context.ledger, "nudges", away)
    assert not Nap(night.job.row, night.context)(10.0)
    assert night.now == 10.0


def test_a_nudge_ends_the_pause_of_a_coroutine_too(night: Night) -> None:
    async def scene() -> float:
        job = aio.FineTuneJob(night.job)
        waiting = asyncio.create_task(job.wait(poll_s=300.0))
        began = time.monotonic()
        while not waiting.done():
            assert time.monotonic() - began < 60.0
            await asyncio.sleep(0.2)
            await asyncio.to_thread(night.nudge)
        await waiting
        return time.monotonic() - began

    assert asyncio.run(scene()) < 30.0
    assert night.job.status is Status.SUCCEEDED


def test_the_question_costs_next_to_nothing_where_nobody_is_nudged(night: Night) -> None:
    ledger = night.context.ledger
    plan = "EXPLAIN QUERY PLAN SELECT id, nudges FROM anytune_jobs WHERE nudges > 0"
    with ledger.database.read() as connection:
        assert "COVERING INDEX" in str(connection.exec_driver_sql(plan).all())
