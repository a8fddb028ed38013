"""anytune's own `openai` and `azure` backends train through the server: one machine's anytune may be another one's backend."""

from __future__ import annotations

import os

import pytest
from tests.server.clients.rows import chat_file, until

import anytune
from anytune.errors import JobFailed
from anytune.infer import Endpoint
from anytune.runtime import Runtime
from anytune.values import Address
from anytune_azure import AzureBackend
from anytune_openai import OpenAIBackend

MINI = "gpt-4.1-mini-2025-04-14"


@pytest.fixture
def train(tmp_path):
    place = tmp_path / "train.jsonl"
    place.write_bytes(chat_file())
    return place


@pytest.fixture
def remote(serve, recorded, tmp_path):
    """Start a recorded server, and give what makes a job there, from a ledger of its own: the backend and the arguments of `create`."""
    backends, contexts = [], []

    def make(kind, **settings):
        served = serve(**({"models": {MINI: {"model": "memory-1"}}} | settings))
        if kind == "openai":
            front = recorded(served.base_url)
            backends.append(OpenAIBackend(base_url=front.base_url, api_key=served.key, settle_s=1))
        else:
            front = recorded(f"{served.root}/openai/v1")
            backends.append(AzureBackend(endpoint=front.base_url.removesuffix("/openai/v1"), api_key=served.key, settle_s=1))
        contexts.append(Runtime(ledger_url=f"sqlite:///{tmp_path}/client-{len(contexts)}.db"))
        return front, {"backend": backends[-1], "model": MINI, "name": "recipes", "context": contexts[-1]}

    yield make
    for backend in backends:
        backend.close()
    for context in contexts:
        context.ledger.close()


@pytest.mark.parametrize("kind", ["openai", "azure"])
def test_a_job_of_anytune_trains_at_another_anytune(remote, train, kind):
    front, given = remote(kind)
    job = anytune.FineTuneJob.create(train=train, method=anytune.SFT(num_train_epochs=2), **given)
    tuned = job.wait(timeout_s=60, poll_s=0.1)
    assert tuned.id.startswith(f"ft:{MINI}:anytune:")
    assert any("memory-1" in event.message for event in job.events()), "the stand-in is named in the job's events"
    assert [metric.values for metric in job.metrics()]
    assert job.checkpoints()
    again = anytune.FineTuneJob.create(train=train, method=anytune.SFT(num_train_epochs=2), **given)
    assert again.remote_id == job.remote_id
    assert [each.name for each in front.exchanges].count("POST /fine_tuning/jobs") == 1


def test_a_model_of_the_server_is_asked_through_an_endpoint_of_anytune(remote, train):
    _, given = remote("openai")
    tuned = anytune.FineTuneJob.create(train=train, **given).wait(timeout_s=60, poll_s=0.1)
    with tuned.deploy() as endpoint:
        assert "3 cups of rice" in endpoint.chat("3 cups of rice")


def test_a_model_that_was_trained_below_azures_paths_answers_below_them(remote, train):
    front, given = remote("azure")
    tuned = anytune.FineTuneJob.create(train=train, **given).wait(timeout_s=60, poll_s=0.1)
    address = Address(base_url=front.base_url, model=tuned.id, credential=os.environ["ANYTUNE_API_KEY"])
    with Endpoint(address) as endpoint:
        assert "3 cups of rice" in endpoint.chat("3 cups of rice")


@pytest.mark.parametrize("kind", ["openai", "azure"])
def test_a_job_of_anytune_is_cancelled_at_another_anytune(remote, train, kind):
    _, given = remote(kind, options={"life": {"words": ["queued", *["running"] * 500, "succeeded"]}})
    job = anytune.FineTuneJob.create(train=train, **given)
    until(job.refresh, lambda seen: seen.status == anytune.Status.RUNNING)
    job.cancel()
    with pytest.raises(JobFailed):
        job.wait(timeout_s=60, poll_s=0.1)
    assert job.status == anytune.Status.CANCELLED
