"""Models that answer without a host of their own: a new one may take a while, one that is not there is said so at once."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from anytune import FineTuneJob, TunedModel, aio
from anytune.deploy import Deployment
from anytune.errors import AuthError, DeploymentFailed, NotFound, WaitTimeout
from anytune.ledger import Ledger
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Fault, Faults, MemoryBackend

ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


class Desk:
    """A ledger, a hosted backend that serves its models by itself, and time that only sleeping moves."""

    def __init__(self, folder):
        self.now = 0.0
        self.slept = []
        self.train = folder / "train.jsonl"
        self.train.write_text((json.dumps(ROW) + "\n") * 2, encoding="utf-8")
        retry = Retry(sleep=self.sleep, clock=lambda: self.now, random=lambda: 1.0)
        self.context = Runtime(retry=retry, clock=lambda: self.now, sleep=self.sleep)
        self.context.ledger = self.ledger = Ledger.open(f"sqlite:///{folder}/ledger.db", clock=self.wall)

    def wall(self):
        return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=self.now)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def backend(self, **faults):
        able = MemoryBackend().capabilities
        able = able.model_copy(update={"abilities": able.abilities - {"deploy", "list_deployments"}})
        return MemoryBackend(capabilities=able, served=True, faults=Faults(**faults), clock=lambda: self.now)

    def tuned(self, backend):
        tuned = FineTuneJob.create(backend=backend, model="base", train=self.train, context=self.context).wait()
        self.slept.clear()
        return tuned

    def states(self):
        return [deployment.state for deployment in Deployment.list(live=False, context=self.context)]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    desk = Desk(tmp_path)
    yield desk
    desk.ledger.close()


def test_a_model_that_was_just_made_is_waited_for_until_it_answers(desk):
    deployment = desk.tuned(desk.backend(address_polls=4)).deploy()
    assert deployment.state == "starting"
    with deployment as endpoint:
        assert endpoint.chat("hello")
    assert desk.slept == [0.5, 0.75, 1.125]


@pytest.mark.parametrize(("known", "hourly_usd"), [("openai", 0.0), ("memory", None), (None, None)])
def test_only_of_a_host_that_the_catalogue_knows_it_is_said_that_nothing_bills(desk, monkeypatch, known, hourly_usd):
    tuned = desk.tuned(desk.backend())
    monkeypatch.setattr(MemoryBackend, "catalog", known)
    assert tuned.deploy().hourly_usd == hourly_usd


def test_the_looks_at_a_hosted_model_grow_rarer_up_to_ten_seconds(desk):
    with desk.tuned(desk.backend(address_polls=15)).deploy() as endpoint:
        assert endpoint.chat("hello")
    assert max(desk.slept) == 10.0


def test_the_timeout_says_what_the_provider_said_last(desk):
    deployment = desk.tuned(desk.backend(address_polls=10_000)).deploy()
    with pytest.raises(WaitTimeout, match=r"starting after 900 s\. The model 'memory:.*' does not exist"):
        deployment.wait()


def test_a_model_that_does_not_exist_is_not_found_at_once_and_leaves_nothing_live(desk):
    with pytest.raises(NotFound, match="memory:nobody"):
        TunedModel.from_id(desk.backend(), "memory:nobody", context=desk.context).deploy()
    assert desk.states() == ["gone"]
    assert desk.slept == []


def test_a_model_that_was_made_long_ago_and_is_not_found_is_gone(desk):
    backend = desk.backend()
    tuned = desk.tuned(backend)
    desk.now += 7200
    tuned.delete()
    with pytest.raises(NotFound):
        tuned.deploy()
    assert desk.states() == ["gone"]


def test_a_served_model_that_is_deleted_later_is_seen_to_be_gone(desk):
    tuned = desk.tuned(desk.backend())
    deployment = tuned.deploy()
    assert deployment.wait()
    desk.now += 7200
    tuned.delete()
    with pytest.raises(DeploymentFailed, match=r"is gone\. No model"):
        deployment.wait()


def test_any_other_refusal_leaves_nothing_live(desk):
    backend = desk.backend(calls=(Fault(kind="auth", on="address"),))
    with pytest.raises(AuthError):
        desk.tuned(backend).deploy()
    assert desk.states() == ["gone"]


def test_a_new_model_can_be_awaited_on_the_loop(desk):
    tuned = aio.TunedModel(desk.tuned(desk.backend(address_polls=2)))

    async def ask():
        async with await tuned.deploy() as endpoint:
            return await endpoint.chat("hello")

    assert "hello" in asyncio.run(ask())
