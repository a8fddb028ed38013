"""Jobs and models that come in from outside, and jobs of one's own that were lost on the way."""

from __future__ import annotations

import json

import pytest

from anytune import FineTuneJob, TunedModel
from anytune.errors import SubmitInDoubt, Unreachable
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Fault, Faults, MemoryBackend

ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
LOST = Faults(calls=(Fault(kind="drop_reply"), Fault(kind="server_error", on="find", times=5)))


@pytest.fixture
def runtimes(tmp_path, monkeypatch):
    """Give a runtime on a ledger of its own, by name."""
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    (tmp_path / "train.jsonl").write_text((json.dumps(ROW) + "\n") * 2, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    retry = Retry(sleep=lambda _: None, random=lambda: 0.0)
    return lambda name="ledger": Runtime(ledger_url=f"sqlite:///{tmp_path}/{name}.db", retry=retry, sleep=lambda _: None)


def create(backend, context, **settings):
    return FineTuneJob.create(backend=backend, context=context, **{"model": "base", "train": "train.jsonl", "name": "recipes"} | settings)


def test_attaching_a_job_whose_reply_was_lost_gives_the_row_that_sent_it(runtimes):
    context, backend = runtimes(), MemoryBackend(faults=LOST)
    with pytest.raises(SubmitInDoubt):
        create(backend, context)
    (lost,) = FineTuneJob.list(context=context)
    attached = FineTuneJob.attach(backend, "job-000001", context=context)
    assert (attached.id, attached.name, attached.row.submit_state) == (lost.id, "recipes", "submitted")
    assert len(FineTuneJob.list(context=context)) == 1
    assert create(backend, context).id == lost.id
    assert backend.calls["jobs"] == 1


def test_attaching_a_job_of_this_ledger_gives_its_row(runtimes):
    context, backend = runtimes(), MemoryBackend()
    job = create(backend, context)
    assert FineTuneJob.attach(backend, job.remote_id, name="another", context=context).id == job.id
    assert len(FineTuneJob.list(context=context)) == 1


def test_a_row_in_doubt_is_not_given_to_a_job_of_another_ledger(runtimes):
    context, backend = runtimes(), MemoryBackend(faults=LOST)
    with pytest.raises(SubmitInDoubt):
        create(backend, context)
    other = create(backend.reopened(), runtimes("other"), name="other")
    attached = FineTuneJob.attach(backend, other.remote_id, context=context)
    assert attached.name == other.remote_id
    assert len(FineTuneJob.list(context=context)) == 2


def test_a_job_attached_under_the_name_of_one_in_doubt_is_what_became_of_it(runtimes):
    context, backend = runtimes(), MemoryBackend(faults=LOST)
    with pytest.raises(SubmitInDoubt):
        create(backend, context)
    stripped = create(backend.reopened(), runtimes("other"), name="other")  # its tag says nothing of this ledger's row
    (lost,) = FineTuneJob.list(context=context)
    attached = FineTuneJob.attach(backend, stripped.remote_id, name="recipes", context=context)
    assert (attached.id, attached.remote_id, attached.row.submit_state) == (lost.id, stripped.remote_id, "submitted")
    assert create(backend.reopened(), context).id == lost.id
    assert backend.calls["jobs"] == 2


def test_an_attached_job_says_its_base_model_once_the_provider_does(runtimes):
    backend = MemoryBackend()
    remote_id = create(backend, runtimes()).remote_id
    attached = FineTuneJob.attach(backend, remote_id, context=runtimes("other"))
    assert attached.wait().base_model == "base"
    assert attached.row.model == "base"


@pytest.mark.parametrize(
    ("model_id", "base"),
    [
        ("ft:gpt-4.1-mini-2025-04-14:acme:recipes:abc12345", "gpt-4.1-mini-2025-04-14"),
        ("ft:gpt-4o-2024-08-06:acme::abc12345:ckpt-step-20", "gpt-4o-2024-08-06"),
        ("gpt-4.1-mini-2025-04-14.ft-0e208cf33a6a466994aff31a08aba678-recipes", "gpt-4.1-mini-2025-04-14"),
        ("somebodys-own-model", None),
    ],
)
def test_a_model_that_comes_in_by_its_id_knows_the_base_that_the_id_names(runtimes, model_id, base):
    assert TunedModel.from_id(MemoryBackend(), model_id, context=runtimes()).base_model == base


def test_a_base_model_that_is_given_is_kept(runtimes):
    tuned = TunedModel.from_id(MemoryBackend(), "ft:gpt-4.1-2025-04-14:acme::abc12345", base_model="mine", context=runtimes())
    assert tuned.base_model == "mine"


@pytest.mark.parametrize("gone", ["unavailable", "auth"])
def test_what_an_attached_job_told_stays_when_its_backend_tells_nothing_any_more(runtimes, gone):
    context, backend = runtimes(), MemoryBackend()
    made = create(backend, context)
    made.wait(poll_s=0)
    elsewhere = runtimes("elsewhere")
    FineTuneJob.attach(backend, made.remote_id, name="found", context=elsewhere)
    backend.faults = Faults(calls=(Fault(kind=gone, on="events", times=99), Fault(kind=gone, on="metrics", times=99)))
    found = FineTuneJob.get("found", context=elsewhere)
    assert len(found.events()) == len(context.ledger.events(made.id)) > 0
    assert [metric.step for metric in found.metrics()] == [1, 2, 3, 4]


def test_a_backend_that_cannot_be_reached_just_now_is_said(runtimes):
    context, backend = runtimes(), MemoryBackend()
    job = create(backend, context)
    job.wait(poll_s=0)
    backend.faults = Faults(calls=(Fault(kind="server_error", on="events", times=99),))
    with pytest.raises(Unreachable):
        job.events()
