"""A process that is killed at any failpoint, or at two of them, loses no job, makes none twice, and leaves no host behind.

The seed is printed; `SEED=… pytest …` draws the same again. `make faults` tries every failpoint at every provider.
"""

from __future__ import annotations

import os
import random

import pytest
from tests.faults import lives
from tests.faults.crashes import Stage
from tests.faults.ledgers import Broken

from anytune import FineTuneJob
from anytune.backend import Order
from anytune.data import describe
from anytune.spec import TrainingSpec


@pytest.fixture
def seed():
    """Give the seed of what is drawn; pytest shows it where a test fails."""
    drawn = int(os.environ.get("SEED") or random.randrange(1_000_000))
    print(f"SEED={drawn}")
    return drawn


def some_points(stage, every, seed):
    """Die at every so many of a life's failpoints, from a drawn one on; give how many there are."""
    point, died = 1 + seed % every, ["…"]
    while died:
        died = stage.case((point,))
        point += every
    return point - every - 1


@pytest.mark.slow
def test_killed_at_every_failpoint_at_the_memory_backend():
    with Stage("memory") as stage:
        assert stage.singles().crashes >= 60


@pytest.mark.slow
@pytest.mark.parametrize("script", [lives.cancelled, lives.queued])
def test_killed_at_some_failpoints_of_other_lives(script, seed):
    with Stage("memory", script) as stage:
        assert some_points(stage, 5, seed) >= 25


@pytest.mark.slow
def test_killed_at_every_failpoint_while_the_ledger_is_made(seed):
    with Stage("memory", migrated=False) as stage:
        assert some_points(stage, 8, seed) >= 50


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "script", "every"),
    [("openai", lives.whole, 4), ("openai", lives.cancelled, 6), ("azure", lives.whole, 8), ("trl@hf_jobs", lives.cancelled, 16)],
)
def test_killed_at_some_failpoints_at_a_provider(name, script, every, seed):
    with Stage(name, script) as stage:
        assert some_points(stage, every, seed) >= 40


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("memory", 20), ("openai", 6), ("azure", 4)])
def test_killed_twice(name, count, seed):
    with Stage(name) as stage:
        assert stage.sampled(60, count, seed).crashes > 0


def test_killed_around_the_create():
    """The quick one: the moments on either side of the one call that must not be made twice."""
    with Stage("memory") as stage:
        passed = stage.points()
        for name in ("before sending: submit", "after receiving: submit"):
            at = passed.index(name) + 1
            assert stage.case((at,)) == [name]
            assert len(stage.case((at, 2))) == 2


def test_the_harness_sees_a_job_that_was_made_before_its_row():
    def careless(world, context, backend, train):
        spec = TrainingSpec(backend=backend.name, model=world.model, train=train)
        data = {"train": describe(train, "train")}
        files = {"train": backend.upload(data["train"])}
        order = Order(
            ref="R1", ledger="L1", sequence=1, name="n", spec=spec, spec_hash="1:0", model=world.model, files=files, data=data
        )  # fmt: skip
        made = backend.submit(order)
        FineTuneJob.attach(backend, made.id, name="recipes", context=context).wait(poll_s=0.0)

    with Stage("memory", careless) as stage, pytest.raises(Broken, match="G1"):
        stage.singles()


def test_the_harness_sees_a_job_that_is_made_twice():
    def forgetful(world, context, backend, train):
        job = lives.created(world, context, backend, train)
        backend.submit(Order(ref=job.id, ledger="L1", sequence=1, name="n", spec=TrainingSpec(backend="memory", model="m", train=train),
                             spec_hash="1:0", model="m", files={"train": backend.upload(job.row.data["train"])}, data=job.row.data))  # fmt: skip
        job.wait(poll_s=0.0)

    with Stage("memory", forgetful) as stage, pytest.raises(Broken, match="G2"):
        stage.case(())


def test_the_harness_sees_a_host_that_is_left():
    def leaving(world, context, backend, train):
        lives.whole(world, context, backend, train)
        with backend.store.change() as state:
            for host in state.deployments.values():
                host.state = "ready"

    with Stage("memory", leaving) as stage, pytest.raises(Broken, match="G7"):
        stage.case(())
