"""Jobs and models that anytune did not make come in by their ids, and work like its own."""

from __future__ import annotations

import pytest

from anytune import FineTuneJob, TunedModel
from anytune.errors import NotFound
from anytune.runtime import Runtime
from anytune.values import Status

MODEL = "gpt-4.1-mini-2025-04-14"


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    return Runtime(ledger_url=f"sqlite:///{tmp_path}/ledger.db", sleep=lambda seconds: None)


@pytest.fixture
def foreign(client, train):
    """A job that somebody made with the vendor's own client."""
    with train.path.open("rb") as stream:
        held = client.files.create(file=("theirs.jsonl", stream), purpose="fine-tune")
    return client.fine_tuning.jobs.create(model=MODEL, training_file=held.id, suffix="by-hand")


def test_a_job_that_anytune_did_not_make_is_attached_watched_and_used(backend, foreign, context):
    job = FineTuneJob.attach(backend, foreign.id, context=context)
    tuned = job.wait(poll_s=0.0)
    assert job.status is Status.SUCCEEDED
    assert tuned.base_model == MODEL
    assert ":by-hand:" in tuned.id
    assert [metric.step for metric in job.metrics()] == [1, 2, 3, 4]
    assert job.events()[-1].message == "The job has successfully completed"
    with tuned.deploy(ttl_s=60) as endpoint:
        assert endpoint.chat("3 cups of rice") == "rice 3"


def test_attaching_again_gives_the_same_handle_and_sends_nothing(sim, backend, foreign, context):
    first = FineTuneJob.attach(backend, foreign.id, context=context)
    assert FineTuneJob.attach(backend, foreign.id, context=context).id == first.id
    assert sim.count("POST /fine_tuning/jobs") == 1


def test_attaching_what_is_not_there_is_not_found(backend, context):
    with pytest.raises(NotFound, match="ftjob-nowhere"):
        FineTuneJob.attach(backend, "ftjob-nowhere", context=context)


def test_a_model_that_was_tuned_long_ago_is_taken_in_by_its_id_and_answers(client, backend, foreign, context):
    while client.fine_tuning.jobs.retrieve(foreign.id).status != "succeeded":
        pass
    name = client.fine_tuning.jobs.retrieve(foreign.id).fine_tuned_model
    with TunedModel.from_id(backend, name, context=context).deploy(ttl_s=60) as endpoint:
        assert endpoint.chat("7 cups of rice") == "rice 7"
        assert endpoint.address.base_url == str(client.base_url).rstrip("/")


def test_a_model_of_that_name_that_is_not_there_is_not_found(backend, context):
    with pytest.raises(NotFound, match="does not exist"):
        TunedModel.from_id(backend, f"ft:{MODEL}:nobody::none1234", context=context).deploy(ttl_s=60)


def test_checkpoints_are_tuned_models_of_their_own(backend, foreign, context):
    job = FineTuneJob.attach(backend, foreign.id, context=context)
    job.wait(poll_s=0.0)
    first = job.checkpoints()[0]
    with TunedModel.from_id(backend, first.model, context=context).deploy(ttl_s=60) as endpoint:
        assert endpoint.chat("5 cups of rice") == "rice 5"


def test_a_tuned_model_is_tuned_further(backend, foreign, context, train):
    tuned = FineTuneJob.attach(backend, foreign.id, context=context).wait(poll_s=0.0)
    again = FineTuneJob.create(backend=backend, model=tuned, train=train.path, name="further", context=context)
    assert again.wait(poll_s=0.0).id != tuned.id


def test_a_host_without_metadata_is_used_by_its_suffix(sim, backend_on, train, context):
    backend = backend_on(sim, tag="suffix")
    job = FineTuneJob.create(backend=backend, model=MODEL, train=train.path, name="recipes", context=context)
    tuned = job.wait(poll_s=0.0)
    assert f":recipes-{job.id[-12:].lower()}:" in tuned.id
