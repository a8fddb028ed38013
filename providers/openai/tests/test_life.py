"""A job's life through core, when the host falters: what is waited for, what is raised, and that nothing is paid twice."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from anytune import FineTuneJob, Status, TunedModel
from anytune.errors import JobFailed, MalformedReply, NotFound, Rejected, SubmitInDoubt, WaitTimeout
from anytune.ledger import Ledger
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Life, OpenAISimulator, WireFault, WireFaults
from anytune_openai import OpenAIBackend

if TYPE_CHECKING:
    from pathlib import Path

CREATE, UPLOAD, LOOK = "POST /fine_tuning/jobs", "POST /files", "GET /fine_tuning/jobs/{id}"
MODEL = "gpt-4.1-mini-2025-04-14"


class Bench:
    """A simulated OpenAI, a ledger, and a clock that only sleeping moves: for both of them."""

    def __init__(self, folder: Path, train: Path, **settings) -> None:
        self.folder, self.train = folder, train
        self.began, self.now = time.time(), 1000.0
        self.sim = OpenAISimulator(clock=lambda: self.wall, **settings)

    def context(self) -> Runtime:
        """Give a runtime as another process would have it."""
        retry = Retry(sleep=self.sleep, clock=lambda: self.now, random=lambda: 1.0)
        made = Runtime(retry=retry, clock=lambda: self.now, sleep=self.sleep)
        made.ledger = Ledger.open(f"sqlite:///{self.folder}/ledger.db", clock=lambda: datetime.fromtimestamp(self.wall, UTC))
        return made

    @property
    def wall(self) -> float:
        return self.began + self.now - 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.001)

    def backend(self, **settings) -> OpenAIBackend:
        return OpenAIBackend(base_url=self.sim.base_url, api_key=self.sim.api_key, **settings)

    def create(self, **settings) -> FineTuneJob:
        given = {"backend": self.backend(), "model": MODEL, "train": self.train, "name": "recipes", "context": self.context()}
        return FineTuneJob.create(**(given | settings))

    def break_call(self, kind, on, **more) -> None:
        self.sim.faults = WireFaults(calls=(WireFault(kind=kind, on=on, **more),))


@pytest.fixture
def begin(tmp_path, train, monkeypatch):
    """Give benches; keywords set the simulator up."""
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    made = []

    def bench(**settings):
        made.append(Bench(tmp_path, train.path, **settings))
        return made[-1]

    yield bench
    for one in made:
        one.sim.close()


@pytest.fixture
def bench(begin):
    return begin()


FALTERS = {
    "cut": {"kind": "drop"},
    "late": {"kind": "drop_reply"},
    "html": {"kind": "html"},
    "half": {"kind": "truncated"},
    "500": {"kind": "error", "status": 500},
    "503": {"kind": "error", "status": 503},
    "rate limit": {"kind": "refuse", "name": "rate_limit"},
}


@pytest.mark.parametrize("fault", FALTERS.values(), ids=FALTERS.keys())
def test_a_look_that_fails_is_made_again(bench, fault):
    job = bench.create()
    bench.sim.faults = WireFaults(calls=tuple(WireFault(on=LOOK, skip=skip, **fault) for skip in (0, 2, 5)))
    tuned = job.wait()
    assert tuned.id == bench.sim.jobs[0].tuned
    assert bench.sim.count(CREATE) == 1


@pytest.mark.parametrize("profile", ["spec", "as_observed"])
def test_events_metrics_and_checkpoints_are_complete(begin, profile):
    bench = begin(profile=profile, life=Life(words=("queued", *["running"] * 6, "succeeded")))
    heard = []
    job = bench.create()
    job.wait(on_event=lambda event: heard.append(event.message))
    (made,) = bench.sim.jobs
    assert heard == [event.message for event in made.events]
    assert [metric.step for metric in job.metrics()] == [1, 2, 3, 4, 5, 6]
    assert set(job.metrics()[0].values) >= {"loss", "mean_token_accuracy"}
    assert [point.step for point in job.checkpoints()] == [2, 4, 6]


def test_a_word_that_nobody_knows_is_unknown_and_waited_out(begin):
    bench = begin(life=Life(words=("queued", "pondering", "running", "succeeded")))
    job = bench.create()
    assert job.observe().snapshot.status is Status.QUEUED
    assert job.observe().snapshot.status is Status.UNKNOWN
    job.wait()
    assert job.status is Status.SUCCEEDED


def test_a_failed_job_says_why_and_what_helps(bench):
    job = bench.create()
    bench.sim.fail(job.remote_id, "invalid_n_examples")
    with pytest.raises(JobFailed, match=r"invalid_n_examples.*at least 10") as raised:
        job.wait()
    assert "Add rows" in str(raised.value)


def test_a_model_that_is_not_there_yet_is_waited_for(bench):
    bench.sim.faults = WireFaults(model_lag_s=40.0)
    tuned = bench.create().wait()
    endpoint = tuned.deploy(ttl_s=600).wait()
    assert endpoint.chat("3 cups of rice") == "rice 3"


def test_a_model_that_was_deleted_answers_no_more(bench):
    tuned = bench.create().wait()
    bench.backend().client.models.delete(tuned.id)
    with pytest.raises(NotFound):
        TunedModel.from_id(bench.backend(), tuned.id, context=bench.context()).deploy(ttl_s=600).wait()


def test_a_file_that_is_never_ready_is_not_waited_for_for_ever_and_no_job_is_made(bench):
    bench.sim.faults = WireFaults(stuck_files=True)
    with pytest.raises(WaitTimeout, match="Run the same script again"):
        bench.create()
    assert bench.sim.count(CREATE) == 0
    bench.sim.faults = WireFaults()
    assert bench.create().remote_id == bench.sim.jobs[0].id
    assert bench.sim.count(UPLOAD) == 1


def test_a_file_that_the_host_refuses_stops_the_job_and_is_not_used_again(bench):
    bench.sim.faults = WireFaults(file_error="Line 3 is no JSON.")
    with pytest.raises(Rejected, match="Line 3 is no JSON"):
        bench.create()
    assert bench.sim.count(CREATE) == 0
    bench.sim.faults = WireFaults()
    bench.create()
    assert len(bench.sim.jobs) == 1


def test_a_file_that_was_deleted_at_the_host_is_sent_again(bench):
    first = bench.create()
    first.wait()
    (file,) = [one for one in bench.sim.files if one.purpose == "fine-tune"]
    bench.backend().client.files.delete(file.id)
    bench.sleep(3600)
    second = bench.create(name="again")
    assert bench.sim.world.jobs[second.remote_id].training_file != file.id
    assert bench.sim.count(UPLOAD) == 2


def test_a_refused_training_file_is_looked_for_again_by_the_same_script(bench):
    bench.break_call("refuse", CREATE, name="bad_training_file")
    with pytest.raises(Rejected):
        bench.create()
    assert bench.create().remote_id == bench.sim.jobs[0].id


def test_a_job_is_cancelled_once_and_stays_so(bench):
    job = bench.create()
    job.cancel()
    with pytest.raises(JobFailed, match="cancelled"):
        job.wait()
    assert bench.sim.jobs[0].word == "cancelled"


def test_a_job_that_anytune_did_not_make_is_attached_and_its_model_taken(bench):
    client = bench.backend().client
    file = client.files.create(file=("mine.jsonl", bench.train.read_bytes()), purpose="fine-tune")
    theirs = client.fine_tuning.jobs.create(model=MODEL, training_file=file.id, suffix="by-hand")
    job = FineTuneJob.attach(bench.backend(), theirs.id, context=bench.context())
    tuned = job.wait()
    assert tuned.id == bench.sim.jobs[0].tuned
    assert tuned.base_model == MODEL
    again = FineTuneJob.attach(bench.backend(), theirs.id, context=bench.context())
    assert again.id == job.id


def test_a_tuned_model_by_its_id_answers_and_is_trained_further(bench):
    tuned = bench.create().wait()
    taken = TunedModel.from_id(bench.backend(), tuned.id, context=bench.context())
    assert taken.deploy(ttl_s=600).wait().chat("5 cups of rice") == "rice 5"
    further = bench.create(model=taken, name="further")
    assert bench.sim.world.jobs[further.remote_id].model == tuned.id
    assert further.wait().id != tuned.id


def test_what_is_in_doubt_survives_the_process_and_is_settled_by_the_next(bench):
    bench.sim.faults = WireFaults(
        calls=(WireFault(kind="drop_reply", on=CREATE), WireFault(kind="error", on="GET /fine_tuning/jobs", times=99, status=503, skip=1))
    )
    with pytest.raises(SubmitInDoubt):
        bench.create()
    bench.sim.faults = WireFaults()
    assert bench.create().remote_id == bench.sim.jobs[0].id
    assert bench.sim.count(CREATE) == 1


def test_the_order_carries_what_the_spec_says(bench):
    bench.create(method={"type": "sft", "num_train_epochs": 3, "seed": 7})
    (asked,) = [one.json for one in bench.sim.requests if one.route == CREATE]
    assert asked["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}
    assert asked["seed"] == 7
    assert json.dumps(asked).count("sk-") == 0


class Mixing(OpenAISimulator):
    """A host, or a cache before it, that gives somebody else's job."""

    def handled(self, endpoint, request, values):
        reply = super().handled(endpoint, request, values)
        if endpoint == "retrieve_job":
            reply.body.update(id="ftjob-of-somebody", status="succeeded", fine_tuned_model="ft:of:somebody::1")
        return reply


def test_another_job_than_was_asked_for_is_not_taken_for_ours(tmp_path, train, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    with Mixing() as sim:
        backend = OpenAIBackend(base_url=sim.base_url, api_key=sim.api_key)
        context = Runtime(ledger_url=f"sqlite:///{tmp_path}/ledger.db", retry=Retry(sleep=lambda seconds: None))
        job = FineTuneJob.create(backend=backend, model=MODEL, train=train.path, name="recipes", context=context)
        with pytest.raises(MalformedReply, match="ftjob-of-somebody came back"):
            job.refresh()
        assert job.status is Status.QUEUED
        backend.close()


def test_a_job_that_was_deleted_after_its_success_still_gives_its_model(bench):
    tuned = bench.create().wait()
    del bench.sim.world.jobs[bench.sim.jobs[0].id]
    assert bench.create().wait().id == tuned.id
    assert bench.sim.count(CREATE) == 1


class Strict(OpenAISimulator):
    """A compatible host that refuses a filter that it does not know."""

    def handled(self, endpoint, request, values):
        if any(name.startswith("metadata") for name in request.args):
            return self.refusal("bad_json", request)
        return super().handled(endpoint, request, values)


def test_a_host_that_takes_no_filter_is_looked_through(tmp_path, train, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    with Strict(faults=WireFaults(calls=(WireFault(kind="drop_reply", on=CREATE),))) as sim:
        backend = OpenAIBackend(base_url=sim.base_url, api_key=sim.api_key)
        context = Runtime(ledger_url=f"sqlite:///{tmp_path}/ledger.db", retry=Retry(sleep=lambda seconds: None))
        job = FineTuneJob.create(backend=backend, model=MODEL, train=train.path, name="recipes", context=context)
        assert [one.id for one in sim.jobs] == [job.remote_id]
        assert sim.count(CREATE) == 1
        backend.close()
