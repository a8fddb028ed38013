"""Each verb over the real client: one create, one look, what was said in order, and hosts that are not OpenAI."""

from __future__ import annotations

import pytest

from anytune.errors import MalformedReply, NotFound, Unsupported
from anytune.spec import RFT, SFT
from anytune.testing import Life, OpenAISimulator, WireFault, WireFaults
from anytune.testing.simulators.service import Reply
from anytune.values import ModelRef, Status
from anytune_openai import OpenAIBackend

CREATE, POLL, EVENTS = "POST /fine_tuning/jobs", "GET /fine_tuning/jobs/{id}", "GET /fine_tuning/jobs/{id}/events"
GRADER = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.answer}}"}


def ended(backend, job_id):
    while not (seen := backend.poll(job_id)).status.terminal:
        pass
    return seen


def test_a_submit_is_one_post_and_gives_the_job_with_its_tag(sim, backend, order):
    made = order(backend, method=SFT(n_epochs=2, seed=7))
    job = backend.submit(made)
    assert (job.ref, job.spec_hash, job.status, job.base_model) == (made.ref, made.spec_hash, Status.QUEUED, made.model)
    assert job.resolved["num_train_epochs"] == 2
    assert sim.count(CREATE) == 1
    (record,) = sim.jobs
    tag = {"anytune_ref": made.ref, "anytune_spec": made.spec_hash, "anytune_ledger": "01LEDGER", "anytune_name": made.name}
    assert record.metadata == tag
    assert all(len(value) <= 512 for value in record.metadata.values())
    assert (record.suffix, record.seed) == ("recipes", 7)


def test_a_poll_is_one_get(sim, backend, order):
    job = backend.submit(order(backend))
    before = len(sim.requests)
    backend.poll(job.id)
    assert [one.route for one in sim.requests[before:]] == [POLL]


@pytest.mark.parametrize("profile", ["spec", "as_observed"])
def test_a_run_is_watched_to_its_end(backend_on, order, profile):
    with OpenAISimulator(profile=profile) as sim:
        backend = backend_on(sim)
        job = backend.submit(order(backend, method=SFT(n_epochs=2)))
        last = ended(backend, job.id)
        assert last.status is Status.SUCCEEDED
        assert last.model is not None
        assert last.model.id.startswith("ft:gpt-4.1-mini-2025-04-14:")
        assert last.trained_tokens
        assert last.raw["status"] == "succeeded"
        told = [event.message for event in backend.events(job.id)]
        assert told[0].startswith("Created fine-tuning job")
        assert told[-1] == "The job has successfully completed"
        assert [metric.step for metric in backend.metrics(job.id)] == [1, 2, 3, 4]
        points = backend.checkpoints(job.id)
        assert points[-1].model == last.model.id
        assert [point.step for point in points] == sorted(point.step for point in points)


def test_numbers_of_a_running_job_come_from_its_events(backend_on, order):
    now = [1_795_000_000.0]
    with OpenAISimulator(clock=lambda: now[0], life=Life.of(queued=0, steps=9, tick_s=10.0)) as sim:
        backend = backend_on(sim)
        job = backend.submit(order(backend))
        backend.poll(job.id)
        now[0] += 45.0
        steps = [metric.step for metric in backend.metrics(job.id)]
        assert steps == list(range(1, len(steps) + 1))
        assert 4 <= len(steps) < 9
        assert backend.metrics(job.id, after=steps[-1]) == []
        assert [one.step for one in backend.metrics(job.id, after=1)] == steps[1:]


def test_many_events_are_read_over_all_pages_and_the_cursor_ends_the_reading(backend_on, order):
    with OpenAISimulator(life=Life.of(queued=0, steps=250, tick_s=0.001)) as sim:
        backend = backend_on(sim)
        job = backend.submit(order(backend))
        ended(backend, job.id)
        told = backend.events(job.id)
        assert len(told) > 250
        assert len({event.id for event in told}) == len(told)
        before = sim.count(EVENTS)
        assert backend.events(job.id, after=told[-3].id) == told[-2:]
        assert sim.count(EVENTS) - before == 1


def test_the_jobs_of_the_account_are_listed_newest_first_whoever_made_them(backend, order):
    made = order(backend)
    mine = [backend.submit(order(backend)).id for _ in range(3)]
    foreign = backend.client.fine_tuning.jobs.create(model=made.model, training_file=made.files["train"].id)
    listed = backend.list_jobs()
    assert [job.id for job in listed] == [foreign.id, *reversed(mine)]
    assert [job.ref is None for job in listed] == [True, False, False, False]
    assert [(job.ledger, job.name) for job in listed] == [(None, None), *[("01LEDGER", made.name)] * 3]
    assert listed[0].base_model == made.model
    assert [job.id for job in backend.list_jobs(limit=2)] == [foreign.id, mine[-1]]


def test_pausing_and_resuming_twice_is_no_error(backend_on, order):
    with OpenAISimulator(profile="as_observed", life=Life.of(queued=0, steps=30)) as sim:
        backend = backend_on(sim)
        job = backend.submit(order(backend))
        while backend.poll(job.id).status is not Status.RUNNING:
            pass
        backend.pause(job.id)
        backend.pause(job.id)
        while backend.poll(job.id).status is not Status.PAUSED:
            pass
        backend.resume(job.id)
        backend.resume(job.id)
        assert ended(backend, job.id).status is Status.SUCCEEDED


def test_an_unknown_job_cannot_be_asked_for_anything(backend):
    for verb in ("poll", "cancel", "pause", "resume", "events", "metrics", "checkpoints"):
        with pytest.raises(Exception, match="Could not find") as raised:
            getattr(backend, verb)("ftjob-unknown")
        assert isinstance(backend.translate(raised.value), NotFound), verb


def test_a_model_that_answers_has_an_address_and_is_asked_once(sim, backend, order):
    model = ended(backend, backend.submit(order(backend)).id).model
    before = len(sim.requests)
    address = backend.address(model)
    assert (address.base_url, address.model) == (sim.base_url, model.id)
    assert address.credential is not None
    assert backend.address(model) == address
    looked, asked = sim.requests[before:]
    assert looked.route == "GET /models/{id:path}"
    assert (asked.route, asked.json["max_tokens"]) == ("POST /chat/completions", 1)


def test_a_model_that_does_not_answer_yet_is_not_found_until_it_does(backend_on, order):
    now = [1_795_000_000.0]
    with OpenAISimulator(clock=lambda: now[0], faults=WireFaults(model_lag_s=120.0)) as sim:
        backend = backend_on(sim)
        model = ended(backend, backend.submit(order(backend)).id).model
        with pytest.raises(Exception, match="does not exist") as raised:
            backend.address(model)
        assert isinstance(backend.translate(raised.value), NotFound)
        now[0] += 120.0
        assert backend.address(model).model == model.id


@pytest.mark.parametrize("name", ["null_in_string", "rate_limit"])
def test_a_model_that_refuses_the_question_is_there_all_the_same(sim, backend, name):
    sim.faults = WireFaults(calls=(WireFault(kind="refuse", name=name, on="POST /chat/completions"),))
    assert backend.address(ModelRef(id="ft:m")).model == "ft:m"


@pytest.mark.parametrize("name", ["missing_scope", "bad_key", "overloaded"])
def test_a_key_that_may_not_ask_or_a_host_that_is_down_is_no_answer(sim, backend, name):
    sim.faults = WireFaults(calls=(WireFault(kind="refuse", name=name, on="*"),))
    with pytest.raises(Exception, match="Error code"):
        backend.address(ModelRef(id="ft:m"))


def test_a_deleted_model_answers_no_more(backend_on, sim, backend, order):
    model = ended(backend, backend.submit(order(backend)).id).model
    backend.delete_model(model)
    with pytest.raises(Exception, match="does not exist"):
        backend_on(sim).address(model)


def test_hosting_is_refused_since_models_answer_without(backend):
    with pytest.raises(Unsupported):
        backend.undeploy("x")
    assert "deploy" not in backend.capabilities.abilities


def test_reinforcement_sends_its_grader(sim, backend, order):
    made = order(backend, method=RFT(grader=GRADER, eval_samples=2), model="o4-mini-2025-04-16")
    backend.submit(made)
    (asked,) = [one.json for one in sim.requests if one.route == CREATE]
    assert asked["method"]["reinforcement"] == {"grader": GRADER, "hyperparameters": {"eval_samples": 2}}


class Bare(OpenAISimulator):
    """A host that answers with as little as it may, or with less."""

    reply: dict = {}  # noqa: RUF012 - set by each test

    def handled(self, endpoint, request, values):
        return Reply(self.reply) if "/fine_tuning/" in request.path else super().handled(endpoint, request, values)


@pytest.mark.parametrize("reply", [{}, {"id": None}, {"id": ""}, {"id": 7}, []], ids=str)
def test_a_job_without_an_id_is_malformed_and_leaves_the_outcome_open(backend_on, order, monkeypatch, reply):
    monkeypatch.setattr(Bare, "reply", reply)
    with Bare() as sim:
        backend = backend_on(sim)
        made = order(backend)
        with pytest.raises(MalformedReply):
            backend.submit(made)
        assert sim.count(CREATE) == 1


def test_another_host_is_named_in_its_errors_and_never_priced(sim, backend):
    assert backend.catalog is None
    with pytest.raises(Exception, match="Could not find") as raised:
        backend.poll("ftjob-unknown")
    assert backend.translate(raised.value).message.startswith("127.0.0.1:")


def test_two_instances_say_the_same_and_one_may_be_closed(sim, backend_on, order):
    one, two = backend_on(sim), backend_on(sim)
    assert (one.account, one.capabilities) == (two.account, two.capabilities)
    job = one.submit(order(one))
    two.poll(job.id)
    two.close()
    two.close()
    assert one.poll(job.id).id == job.id


def test_the_settle_window_is_longer_than_a_call_may_take():
    assert OpenAIBackend(api_key="k").capabilities.settle_s == 180.0
    assert OpenAIBackend(api_key="k", timeout_s=10).capabilities.settle_s == 130.0
    assert OpenAIBackend(api_key="k", settle_s=5).capabilities.settle_s == 5.0
