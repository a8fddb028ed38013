"""Real processes that are stopped (SIGSTOP) in the middle of something and go on (SIGCONT) after others have acted (row 8)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from anytune import SFT, FineTuneJob, Status
from anytune.errors import SubmitInDoubt
from anytune.ledger import Ledger
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import MemoryBackend
from anytune.values import now

pytestmark = pytest.mark.slow
ASLEEP = Path(__file__).with_name("asleep.py")
ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


class House:
    """This process as another one on the same ledger, on any host and with a clock of its own; and children that stop themselves."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.monkeypatch = folder, monkeypatch
        self.state = folder / "provider.json"
        self.train = folder / "train.jsonl"
        self.train.write_text(json.dumps(ROW) + "\n", encoding="utf-8")
        self.children, self.ledgers = [], []

    def asleep(self, deed="create", **points):
        """Start a child and wait until it has stopped itself."""
        settings = {"deed": deed, "state": str(self.state), "train": str(self.train)} | points
        command = [sys.executable, str(ASLEEP), json.dumps(settings)]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"ANYTUNE_HOST": "here"}
        )
        self.children.append(child)
        _, how = os.waitpid(child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(how), child.communicate()
        return child

    def wake(self, child, *, code=0):
        """Let a child go on, and give what it says at its end."""
        child.send_signal(signal.SIGCONT)
        out, err = child.communicate(timeout=60)
        assert child.returncode == code, err
        return json.loads(out) if out else {}

    def context(self, host="there", *, ahead=timedelta()):
        """Give the surroundings of a process on a host whose wall clock is ahead; it sleeps no real seconds."""
        self.monkeypatch.setenv("ANYTUNE_HOST", host)
        seconds = [1000.0]

        def sleep(length):
            seconds[0] += max(length, 5.0)

        retry = Retry(clock=lambda: seconds[0], sleep=sleep, random=lambda: 1.0)
        made = Runtime(retry=retry, clock=lambda: seconds[0], sleep=sleep)
        began = seconds[0]
        ledger = Ledger.open(clock=lambda: now() + ahead + timedelta(seconds=seconds[0] - began))
        self.ledgers.append(ledger)
        made.__dict__["ledger"] = ledger
        made.backend(self.backend())
        return made

    def backend(self):
        able = MemoryBackend().capabilities.model_copy(update={"settle_s": 1.0})
        return MemoryBackend(state_file=self.state, life={"words": ["queued", "running"], "tick_s": 0.01}, capabilities=able)

    def create(self, context):
        return FineTuneJob.create(
            backend=context.backend("memory"),
            model="base",
            train=self.train,
            name="recipes",
            method=SFT(learning_rate=1e-4),
            context=context,
        )

    def jobs(self):
        return self.backend().store.read().jobs

    def live(self):
        return [job.id for job in self.jobs().values() if not job.cancelled]


@pytest.fixture
def house(tmp_path, database, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANYTUNE_HOST", "here")
    Ledger.open().close()
    made = House(tmp_path, monkeypatch)
    yield made
    for ledger in made.ledgers:
        ledger.close()
    for child in made.children:
        child.kill()
        child.communicate()


LATER = timedelta(seconds=901)


def test_one_that_slept_before_its_create_cancels_what_it_makes_when_it_wakes(house):
    child = house.asleep(stop="before create")
    job = house.create(house.context(ahead=LATER))
    assert house.wake(child)["remote_id"] == job.remote_id
    assert len(house.jobs()) == 2
    assert house.live() == [job.remote_id]


def test_one_that_dies_before_it_can_cancel_that_leaves_it_to_the_next_look(house):
    child = house.asleep(stop="before create", die="after create")
    job = house.create(house.context(ahead=LATER))
    house.wake(child, code=9)
    assert len(house.live()) == 2
    job.refresh()
    assert house.live() == [job.remote_id]


def test_one_that_slept_between_the_reply_and_the_ledger_finds_its_job_adopted(house):
    child = house.asleep(stop="after create")
    job = house.create(house.context(ahead=LATER))
    assert house.wake(child)["remote_id"] == job.remote_id
    assert house.live() == list(house.jobs()) == [job.remote_id]


def test_one_that_slept_after_a_poll_does_not_undo_what_was_seen_since(house):
    context = house.context()
    job = house.create(context)
    child = house.asleep("look", stop="after poll")
    house.context()
    assert job.pause().status is Status.PAUSED
    assert house.wake(child)["status"] == "paused"
    assert context.ledger.job(job.id).status is Status.PAUSED


def test_one_that_sleeps_on_this_machine_is_alive_and_nobody_sends_for_it(house):
    child = house.asleep(stop="before create")
    with pytest.raises(SubmitInDoubt, match=f"process {child.pid}"):
        house.create(house.context("here", ahead=timedelta(days=2)))
    assert house.jobs() == {}
    assert house.wake(child)["remote_id"] == "job-000001"


@pytest.mark.parametrize("ahead", [timedelta(minutes=-10), timedelta(minutes=10)])
def test_clocks_of_two_hosts_that_differ_by_minutes_make_nobody_take_a_live_sender_for_dead(house, ahead):
    child = house.asleep(stop="before create")
    with pytest.raises(SubmitInDoubt, match="on here"):
        house.create(house.context(ahead=ahead))
    assert house.wake(child)["remote_id"] == "job-000001"
    assert len(house.jobs()) == 1


@pytest.mark.parametrize("ahead", [timedelta(days=-2), timedelta(days=2)])
def test_a_clock_that_is_days_off_costs_at_most_a_job_that_is_cancelled_at_once(house, ahead):
    child = house.asleep(stop="after create")
    job = house.create(house.context(ahead=ahead))
    assert house.wake(child)["remote_id"] == job.remote_id
    assert house.live() == [job.remote_id]
