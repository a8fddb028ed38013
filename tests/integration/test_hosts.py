"""A ledger that several machines share: what another one of them runs is shown here, and never polled, failed, ended or forgotten."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest

from anytune import Deployment, FineTuneJob, Status, watch
from anytune.errors import Unsupported, WaitTimeout
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Life, MemoryBackend
from anytune.upkeep import reap
from anytune.values import now

HERE, THERE = "box-here", "box-there"
ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """Give what two machines see: one ledger, and each its own backend that trains and serves on the machine that asks."""
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    train = tmp_path / "train.jsonl"
    train.write_text("".join(json.dumps(ROW) + "\n" for _ in range(4)), encoding="utf-8")
    clock, made = SimpleNamespace(now=1000.0), []

    def rest(seconds):
        clock.now += seconds

    def machine(name, **settings):
        monkeypatch.setenv("ANYTUNE_HOST", name)
        retry = Retry(sleep=rest, clock=lambda: clock.now, random=lambda: 1.0)
        context = Runtime(ledger_url=f"sqlite:///{tmp_path}/ledger.db", retry=retry, clock=lambda: clock.now, sleep=rest)
        able = MemoryBackend().capabilities.model_copy(update={"local": True})
        backend = MemoryBackend(clock=lambda: clock.now, capabilities=able, **settings)
        context.backends[backend.name] = backend
        made.append(backend)
        return SimpleNamespace(context=context, backend=backend, train=train)

    yield machine
    for backend in made:
        backend.close()


@pytest.fixture
def running(shared):
    """A job that runs on the other machine, as this one sees it."""
    there = shared(THERE, life=Life(words=("queued", "running"), tick_s=1.0))
    job = FineTuneJob.create(backend=there.backend, model="base", train=there.train, name="theirs", context=there.context)
    here = shared(HERE)
    return here, FineTuneJob.get(job.id, context=here.context)


@pytest.fixture
def hosted(shared):
    """A deployment on the other machine, over its time to live, as this one sees it."""
    there = shared(THERE)
    tuned = FineTuneJob.create(backend=there.backend, model="base", train=there.train, name="served", context=there.context).wait()
    deployment = tuned.deploy(ttl_s=1)
    deployment.wait()
    here = shared(HERE)
    yield here, Deployment.get(deployment.id, context=here.context), deployment
    there.backend.undeploy(deployment.row.remote_id)


def asked(backend):
    """Count what a backend was asked."""
    return {name: count for name, count in backend.calls.items() if count}


def test_a_job_of_another_machine_is_shown_as_that_one_reported_it(running):
    here, job = running
    seen = job.refresh()
    assert (job.host, job.status) == (THERE, Status.QUEUED)
    assert seen.status is Status.QUEUED
    assert asked(here.backend) == {}


def test_waiting_for_it_asks_nothing_and_fails_nothing(running):
    here, job = running
    with pytest.raises(WaitTimeout):
        job.wait(timeout_s=30)
    assert asked(here.backend) == {}
    assert here.context.ledger.job(job.id).status is Status.QUEUED


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
def test_a_wish_for_it_is_told_where_to_say_it(running, verb):
    here, job = running
    with pytest.raises(Unsupported, match=THERE):
        getattr(job, verb)()
    assert asked(here.backend) == {}


def test_its_end_there_is_seen_here(running):
    here, job = running
    end = job.row.model_copy()
    here.context.ledger.record(job.id, here_snapshot(end.remote_id))
    assert FineTuneJob.get(job.id, context=here.context).refresh().status is Status.SUCCEEDED


def here_snapshot(remote_id):
    from anytune.values import ModelRef, Snapshot

    return Snapshot(id=remote_id, status=Status.SUCCEEDED, model=ModelRef(id="m"))


def test_a_deployment_of_another_machine_is_neither_polled_nor_stopped_nor_reaped(hosted):
    here, deployment, _ = hosted
    before = asked(here.backend)
    assert (deployment.host, deployment.refresh().state) == (THERE, "ready")
    with pytest.raises(Unsupported, match=THERE):
        deployment.stop()
    later = now() + timedelta(days=1)
    assert deployment.expires_at < later
    done = reap.reap(context=here.context)
    assert (done.gone, done.failed) == ([], [])
    assert watch.overdue(here.context) == []
    assert asked(here.backend) == before
    assert here.context.ledger.deployment(deployment.id).state == "ready"


def test_its_own_machine_ends_it(hosted, monkeypatch):
    _, _, theirs = hosted
    monkeypatch.setenv("ANYTUNE_HOST", THERE)
    assert theirs.stop().state == "gone"


def test_what_a_host_cost_is_not_forgotten_when_it_sleeps_or_is_gone(hosted):
    from anytune.backend import RemoteDeployment

    _, _, theirs = hosted
    ledger, remote_id = theirs._context.ledger, theirs.row.remote_id
    for state, hourly_usd in (("ready", 0.8), ("ready", 0.0), ("gone", 0.0)):
        row = ledger.record_deployment(theirs.id, RemoteDeployment(id=remote_id, state=state, hourly_usd=hourly_usd))
        assert row.hourly_usd == 0.8
