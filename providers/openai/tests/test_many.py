"""Many jobs at OpenAI: seen by a request for a hundred, watched through whatever the wire does, and waited for without end."""

from __future__ import annotations

import asyncio
import socket

import pytest

from anytune import FineTuneJob, Status, aio, watch_many
from anytune.cli.follow import looks
from anytune.errors import AuthError, Transient
from anytune.fleet import Fleet
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Life, OpenAISimulator, WireFault, WireFaults
from anytune_openai import OpenAIBackend

JOBS = "GET /fine_tuning/jobs"
JOB = "GET /fine_tuning/jobs/{id}"
LIFE = Life(words=("queued", "running", "running", "succeeded"))
CLOCKED = Life(words=LIFE.words, tick_s=0.3)
"""A listing does not move a simulated job on, as a look at the job does: the clock has to."""


@pytest.fixture
def context(tmp_path):
    """A runtime whose clock only sleeping moves."""
    clock = [1000.0]

    def sleep(seconds):
        clock[0] += seconds

    made = Runtime(
        ledger_url=f"sqlite:///{tmp_path}/ledger.db",
        retry=Retry(sleep=sleep, clock=lambda: clock[0], random=lambda: 1.0),
        clock=lambda: clock[0],
        sleep=sleep,
    )
    yield made
    made.ledger.close()


def create(backend, train, context, name="job"):
    return FineTuneJob.create(backend=backend, model="gpt-4.1-mini-2025-04-14", train=train.path, name=name, context=context)


def test_a_request_shows_a_hundred_jobs_whole(sim, backend, order):
    made = order(backend)
    ids = [backend.client.fine_tuning.jobs.create(model=made.model, training_file=made.files["train"].id).id for _ in range(230)]
    before = sim.count(JOBS)
    seen = backend.poll_many(ids)
    assert set(seen) == set(ids)
    assert sim.count(JOBS) - before == 3
    assert sim.count(JOB) == 0


def test_the_newest_ones_cost_one_request(sim, backend, order):
    made = order(backend)
    ids = [backend.client.fine_tuning.jobs.create(model=made.model, training_file=made.files["train"].id).id for _ in range(130)]
    before = sim.count(JOBS)
    assert set(backend.poll_many(ids[-20:])) == set(ids[-20:])
    assert sim.count(JOBS) - before == 1


TROUBLES = {
    "503": {"kind": "error", "status": 503},
    "502 in HTML": {"kind": "error", "status": 502},
    "429": {"kind": "refuse", "name": "rate_limit", "headers": {"retry-after": "20"}},
    "half a page": {"kind": "truncated"},
    "a sign-in page": {"kind": "html"},
    "a lost connection": {"kind": "drop"},
    "a lost reply": {"kind": "drop_reply"},
}


def waited(job):
    job.wait()


def awaited(job):
    async def scene():
        await aio.FineTuneJob(job).wait(poll_s=0.0)

    asyncio.run(scene())


def followed(job):
    list(looks(job, clock=job.context.clock, sleep=job.context.sleep))


def watched(job):
    for change in watch_many([job], context=job.context):
        assert change.error is None


def watched_with_others(job):
    for change in watch_many(context=job.context):
        assert change.error is None


CASES = [(trouble, waited) for trouble in TROUBLES] + [("503", wait) for wait in (awaited, followed, watched, watched_with_others)]


@pytest.mark.parametrize(("trouble", "wait"), CASES)
def test_no_trouble_of_the_wire_ends_a_wait(trouble, wait, backend_on, context, train):
    faults = tuple(WireFault(on=on, times=23, **TROUBLES[trouble]) for on in (JOB, JOBS))
    names = ("one", "two", "three") if wait is watched_with_others else ("one",)
    with OpenAISimulator(life=LIFE if len(names) == 1 else CLOCKED) as sim:
        backend = backend_on(sim)
        jobs = [create(backend, train, context, name) for name in names]
        sim.faults = WireFaults(calls=faults)
        wait(jobs[0])
        assert FineTuneJob.get("one", context=context).status is Status.SUCCEEDED
        assert sim.count(JOB) + sim.count(JOBS) > 23


@pytest.mark.parametrize(
    "conditions", [{"short_pages": True}, {"empty_pages": True}, {"reordered_pages": True}, {"no_has_more": True}], ids=str
)
def test_listings_that_lie_lose_no_job(conditions, backend_on, context, train):
    with OpenAISimulator(life=CLOCKED) as sim:
        backend = backend_on(sim)
        for name in ("one", "two", "three"):
            create(backend, train, context, name)
        sim.faults = WireFaults(**conditions)
        ended = {change.job.name for change in watch_many(context=context) if change.snapshot.status is Status.SUCCEEDED}
        assert ended == {"one", "two", "three"}


def test_a_key_that_does_not_work_any_more_ends_a_wait(backend_on, context, train):
    with OpenAISimulator(life=LIFE) as sim:
        job = create(backend_on(sim), train, context)
        sim.faults = WireFaults(calls=(WireFault(kind="refuse", name="bad_key", on=JOB, times=99),))
        with pytest.raises(AuthError):
            job.wait()
        (change,) = watch_many([job], context=context)
        assert isinstance(change.error, AuthError)


@pytest.mark.parametrize("address", ["refused", "http://no-such-host.invalid/v1"])
def test_an_address_where_nobody_answers_may_answer_later(address, backend_on, context):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    where = f"http://127.0.0.1:{port}/v1" if address == "refused" else address
    backend = OpenAIBackend(base_url=where, api_key="sk-nobody-answers-here")
    with pytest.raises(Transient):
        context.retry.read(lambda: backend.poll("ftjob-1"), backend=backend)
    with pytest.raises(Transient):
        context.retry.read(lambda: backend.poll_many(["ftjob-1"]), backend=backend)
    backend.close()


def test_one_layer_tries_again(backend_on, context, train):
    """5 tries a look, made by core: a client that tried again too would make 15."""
    with OpenAISimulator(life=LIFE) as sim:
        backend = backend_on(sim)
        for name in ("one", "two", "three"):
            create(backend, train, context, name)
        sim.faults = WireFaults(calls=(WireFault(kind="error", status=500, on=JOBS, times=99),))
        before = sim.count(JOBS)
        fleet = Fleet(context=context, poll_s=1e6)
        for _ in range(20):
            fleet.step(0.2)
        fleet.close()
        assert sim.count(JOBS) - before == 5


def test_looks_at_a_host_that_is_down_for_an_hour_spend_the_bucket_and_no_more(backend_on, context, train):
    with OpenAISimulator(life=LIFE) as sim:
        backend = backend_on(sim)
        for name in ("one", "two", "three"):
            create(backend, train, context, name)
        sim.faults = WireFaults(calls=(WireFault(kind="error", status=500, on=JOBS, times=9999),))
        before, began = sim.count(JOBS), context.clock()
        with Fleet(context=context, poll_s=30.0) as fleet:
            while context.clock() - began < 3600.0:
                fleet.step(30.0)
        asked = sim.count(JOBS) - before
        assert asked <= 3600 / 30 + 1 + 100, "a look each 30 s, and 100 more tries for a bucket of 500"
