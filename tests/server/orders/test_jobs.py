"""Jobs over HTTP, as the real client asks for them."""

from __future__ import annotations

import threading
import time

import httpx2
import openai
import pytest
from tests.server.waiting import until

from anytune.backend import Capabilities
from anytune.runtime import Runtime
from anytune.testing import MemoryBackend
from anytune.values import ModelRef

MODELS = {"small": {"model": "starter"}, "gpt-4.1-mini-2025-04-14": {"model": "starter"}, "fixed": {"train": False}}
SAME = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.a}}"}
PYTHON = {"type": "python", "name": "code", "source": "def grade(sample, item): return 1"}


@pytest.fixture
def served(still):
    return still(models=MODELS)


@pytest.fixture
def client(served):
    return served.client()


def refused(call, **arguments):
    with pytest.raises(openai.APIStatusError) as caught:
        call(**arguments)
    return caught.value


def posted(served, content, **headers):
    told = {"authorization": f"Bearer {served.key}", "content-type": "application/json"} | headers
    return httpx2.post(f"{served.base_url}/fine_tuning/jobs", content=content, headers=told)


def test_a_job_is_made_as_it_was_ordered(client, ordered):
    job = ordered(client, suffix="mine", seed=5, hyperparameters={"n_epochs": 2}, metadata={"team": "a"})
    assert job.id.startswith("ftjob-")
    assert (job.object, job.model, job.status, job.seed) == ("fine_tuning.job", "small", "validating_files", 5)
    assert (job.hyperparameters.n_epochs, job.hyperparameters.batch_size) == (2, "auto")
    assert (job.error, job.fine_tuned_model, job.finished_at, job.result_files) == (None, None, None, [])
    assert (job.metadata, job.integrations, job.organization_id) == ({"team": "a"}, [], "anytune")
    assert job.method.supervised.hyperparameters.n_epochs == 2
    assert client.fine_tuning.jobs.retrieve(job.id) == job


def test_without_a_seed_one_is_drawn_and_kept(client, ordered):
    first, second = ordered(client), ordered(client)
    assert first.seed != second.seed
    assert client.fine_tuning.jobs.retrieve(first.id).seed == first.seed


def test_the_first_events_tell_where_the_name_leads(client, ordered):
    job = ordered(client, model="gpt-4.1-mini-2025-04-14")
    told = client.fine_tuning.jobs.list_events(job.id).data
    assert [event.message for event in told] == [
        "gpt-4.1-mini-2025-04-14 is trained here as starter by memory.",
        f"Created fine-tuning job: {job.id}",
    ]
    assert {(event.object, event.level, event.type) for event in told} == {("fine_tuning.job.event", "info", "message")}


def test_a_model_that_is_not_offered_is_not_available_for_tuning(client, ordered):
    for model in ("nothing", "fixed", "starter", "../etc/passwd", "ft:small:anytune::abcdefgh", "x" * 500):
        error = refused(ordered, client=client, model=model)
        assert (error.status_code, error.code, error.param, error.type) == (400, "model_not_available", "model", "invalid_request_error")


def test_a_file_that_is_not_there_is_invalid(client, ordered):
    for param in ("training_file", "validation_file"):
        for file_id in ("file-none", "file-" + "a" * 24, "../../etc/passwd"):
            error = refused(ordered, client=client, **{param: file_id})
            assert (error.status_code, error.param, error.body["message"]) == (400, param, f"invalid {param}: {file_id}")
        assert refused(ordered, client=client, **{param: "file-\0"}).status_code == 400


def test_somebody_elses_file_is_invalid_in_the_same_words(served, client, uploaded):
    strangers = uploaded(served.client(served.key_of("bob")))
    ann = served.client(served.key_of("ann"))
    error = refused(ann.fine_tuning.jobs.create, model="small", training_file=strangers)
    assert (error.status_code, error.body["message"]) == (400, f"invalid training_file: {strangers}")


def test_a_file_of_another_purpose_is_invalid(served, client, ordered):
    row = served.house.book.files.add("default", "file-" + "r" * 24, "step_metrics.csv", "fine-tune-results", 1, "0" * 64)
    error = refused(ordered, client=client, training_file=row.id)
    assert "fine-tune-results" in error.body["message"]


def test_a_method_that_the_backend_lacks_is_refused_with_those_it_has(client, ordered):
    error = refused(ordered, client=client, method={"type": "reinforcement", "reinforcement": {"grader": SAME}})
    assert (error.code, error.param) == ("method_not_available", "method.type")
    assert "supervised, dpo" in error.body["message"]


def test_code_in_a_request_is_refused(client, ordered):
    error = refused(ordered, client=client, method={"type": "reinforcement", "reinforcement": {"grader": PYTHON}})
    assert error.code == "python_grader_refused"
    assert client.fine_tuning.jobs.list().data == []


def test_integrations_are_refused(client, ordered):
    assert refused(ordered, client=client, integrations=[{"type": "wandb", "wandb": {"project": "p"}}]).param == "integrations"


def test_an_unknown_field_is_refused_by_name(client, ordered):
    error = refused(ordered, client=client, extra_body={"api_base": "http://127.0.0.1:1"})
    assert (error.status_code, error.param) == (400, "api_base")


def test_what_is_no_order_is_refused_in_openais_shape(served):
    surrogates = (b'{"model": "\\ud800", "training_file": "x"}', b'{"\\ud800": 1}')
    for content in (b"", b"[]", b"{", b"null", b'{"model": NaN}', b"[" * 5000, *surrogates):
        reply = posted(served, content)
        assert reply.status_code == 400, content
        assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


def test_jobs_are_listed_newest_first_page_by_page(client, uploaded):
    file_id = uploaded(client)
    made = [client.fine_tuning.jobs.create(model="small", training_file=file_id).id for _ in range(5)]
    page = client.fine_tuning.jobs.list(limit=2)
    assert ([job.id for job in page.data], page.has_more) == ([made[4], made[3]], True)
    assert [job.id for job in client.fine_tuning.jobs.list(limit=2)] == made[::-1]


def test_jobs_are_found_by_their_metadata(client, uploaded):
    file_id = uploaded(client)
    create = client.fine_tuning.jobs.create
    first = create(model="small", training_file=file_id, metadata={"team": "a", "run [1]": "x&y=ü"}).id
    second = create(model="small", training_file=file_id, metadata={"team": "a"}).id
    third = create(model="small", training_file=file_id).id
    for wanted, found in (({"team": "a"}, [second, first]), ({"team": "a", "run [1]": "x&y=ü"}, [first]), ({"team": "b"}, [])):
        assert [job.id for job in client.fine_tuning.jobs.list(metadata=wanted)] == found
    assert [job.id for job in client.fine_tuning.jobs.list(extra_query={"metadata": "null"})] == [third]


def test_a_listing_that_cannot_be_is_refused(served):
    for query in ("limit=0", "limit=x", "limit=1001", "metadata=x", "after=ftjob-none", "after=%00", "after=a'--"):
        reply = httpx2.get(f"{served.base_url}/fine_tuning/jobs?{query}", headers={"authorization": f"Bearer {served.key}"})
        assert reply.status_code in {400, 404}, query
        assert reply.json()["error"]["message"]


def test_each_owner_sees_their_own_jobs_and_an_admin_all(served, ordered):
    ann, bob = served.client(served.key_of("ann")), served.client(served.key_of("bob"))
    mine, strangers = ordered(ann), ordered(bob)
    assert [job.id for job in ann.fine_tuning.jobs.list()] == [mine.id]
    assert {job.id for job in served.client().fine_tuning.jobs.list()} == {mine.id, strangers.id}
    jobs = ann.fine_tuning.jobs
    for call in (jobs.retrieve, jobs.cancel, jobs.pause, jobs.resume, jobs.list_events, jobs.checkpoints.list):
        for job_id in (strangers.id, "ftjob-none", "a'--"):
            error = refused(call, fine_tuning_job_id=job_id)
            assert (error.status_code, error.code, error.param) == (404, "fine_tune_not_found", "fine_tune_id")
    assert bob.fine_tuning.jobs.retrieve(strangers.id).status == "validating_files"
    assert refused(ann.fine_tuning.jobs.list, after=strangers.id).status_code == 404


def test_a_cancelled_job_shows_it_in_the_reply_and_cannot_be_cancelled_again(client, ordered):
    job = ordered(client)
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    error = refused(client.fine_tuning.jobs.cancel, fine_tuning_job_id=job.id)
    assert (error.status_code, error.body["message"]) == (400, f"Job has already completed: {job.id}")
    assert client.fine_tuning.jobs.retrieve(job.id).finished_at is not None


def test_a_cancel_whose_reply_was_lost_may_be_sent_again(client, ordered):
    job = ordered(client)
    client.fine_tuning.jobs.cancel(job.id)
    assert client.fine_tuning.jobs.cancel(job.id, extra_headers={"x-stainless-retry-count": "1"}).status == "cancelled"


def test_the_reply_to_a_cancel_does_not_wait_for_a_slow_backend(served, client, ordered):
    job = ordered(client)
    served.house.book.jobs.change(job.id, stage="submitted", status="running")
    began = time.monotonic()
    assert client.fine_tuning.jobs.cancel(job.id).status == "running"
    assert time.monotonic() - began < 10
    assert served.house.book.jobs.get(job.id, None).wish == "cancel"


def test_a_job_that_waits_its_turn_is_paused_and_goes_on(served, client, ordered):
    job = ordered(client)
    served.house.book.jobs.change(job.id, stage="checked", status="queued")
    assert refused(client.fine_tuning.jobs.resume, fine_tuning_job_id=job.id).code == "job_not_paused"
    assert client.fine_tuning.jobs.pause(job.id).status == "paused"
    assert client.fine_tuning.jobs.pause(job.id).status == "paused"
    assert client.fine_tuning.jobs.resume(job.id).status == "queued"


def test_what_the_backend_cannot_do_is_refused_at_once(still, ordered):
    plain = Capabilities(methods=frozenset({"sft"}), tag="metadata", settle_s=0)
    served = still(models=MODELS, context=Runtime(backends={"memory": MemoryBackend(capabilities=plain)}))
    client = served.client()
    job = ordered(client)
    for call in (client.fine_tuning.jobs.pause, client.fine_tuning.jobs.resume):
        error = refused(call, fine_tuning_job_id=job.id)
        assert (error.status_code, error.code) == (400, "unsupported")
    assert client.fine_tuning.jobs.checkpoints.list(job.id).data == []


def test_events_are_listed_newest_first_page_by_page(served, client, ordered):
    job = ordered(client)
    for step in range(5):
        served.house.book.events.add(job.id, f"Step {step}", type="metrics", data={"step": step, "train_loss": 0.5})
    page = client.fine_tuning.jobs.list_events(job.id, limit=2)
    assert ([event.message for event in page.data], page.has_more) == (["Step 4", "Step 3"], True)
    assert page.data[0].data == {"step": 4, "train_loss": 0.5}
    assert len(list(client.fine_tuning.jobs.list_events(job.id, limit=2))) == 7
    assert refused(client.fine_tuning.jobs.list_events, fine_tuning_job_id=job.id, after="ftevent-none").status_code == 404


def test_live_jobs_are_limited_for_each_owner(still, ordered):
    served = still(models=MODELS, limits={"live_jobs": 1})
    asked = []
    counting = openai.DefaultHttpxClient(event_hooks={"request": [lambda request: asked.append(request.url.path)]})
    ann = served.client(served.key_of("ann"), max_retries=2, http_client=counting)
    bob = served.client(served.key_of("bob", live_jobs=2))
    first = ordered(ann)
    error = refused(ordered, client=ann)
    assert (error.status_code, error.code, error.type) == (429, "live_jobs_exceeded", "rate_limit_error")
    assert asked.count("/v1/fine_tuning/jobs") == 2, "asking again cannot help, and clients are told so"
    ordered(bob), ordered(bob)
    assert refused(ordered, client=bob).status_code == 429
    ann.fine_tuning.jobs.cancel(first.id)
    ordered(ann)


def test_a_hundred_orders_at_once_do_not_pass_the_limit(still, uploaded):
    served = still(models=MODELS, limits={"live_jobs": 3})
    client = served.client(served.key_of("ann"))
    file_id, made = uploaded(client), []

    def order():
        try:
            made.append(client.fine_tuning.jobs.create(model="small", training_file=file_id).id)
        except openai.RateLimitError:
            return

    threads = [threading.Thread(target=order) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(set(made)) == 3


def succeeded(served, job, *, name="ft:small:anytune::abcdefgh"):
    made = ModelRef(id="memory:job-000001", base_model="starter")
    served.house.book.jobs.change(job.id, stage="ended", status="succeeded", fine_tuned_model=name, model_ref=made)
    return name


def test_a_tuned_model_is_trained_further_by_its_owner_alone(served, ordered):
    ann, bob = served.client(served.key_of("ann")), served.client(served.key_of("bob"))
    tuned = succeeded(served, ordered(ann))
    job = ordered(ann, model=tuned)
    row = served.house.book.jobs.get(job.id, None)
    assert (job.model, row.target["model"], row.target["backend"]) == (tuned, "memory:job-000001", "memory")
    assert ann.fine_tuning.jobs.list_events(job.id).data[0].message == f"Training goes on from {tuned}."
    assert refused(ordered, client=bob, model=tuned).code == "model_not_available"


def test_a_backend_that_cannot_go_on_from_a_tuned_model_says_so(still, ordered):
    plain = Capabilities(methods=frozenset({"sft"}), tag="metadata", settle_s=0)
    served = still(models=MODELS, context=Runtime(backends={"memory": MemoryBackend(capabilities=plain)}))
    client = served.client()
    error = refused(ordered, client=client, model=succeeded(served, ordered(client)))
    assert "Start from a base model" in error.body["message"]


def test_what_was_chosen_is_shown_once_it_is_known(served, client, ordered):
    job = ordered(client)
    chosen = {"num_train_epochs": 3.0, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "learning_rate": 1e-4}
    served.house.book.jobs.change(job.id, stage="submitted", status="running", resolved=chosen)
    shown = client.fine_tuning.jobs.retrieve(job.id).hyperparameters
    assert (shown.n_epochs, shown.batch_size, shown.learning_rate_multiplier) == (3, 8, "auto")
    served.house.book.jobs.change(job.id, resolved={"num_train_epochs": 0.5, "batch_size": 4096})
    shown = client.fine_tuning.jobs.retrieve(job.id).hyperparameters
    assert (shown.n_epochs, shown.batch_size) == ("auto", "auto"), "the protocol has no word for these"


def test_a_failed_job_says_why(served, client, ordered):
    job = ordered(client)
    why = {"code": "invalid_training_file", "message": "Row 3 has no messages.", "param": "training_file"}
    served.house.book.jobs.change(job.id, stage="ended", status="failed", error=why)
    assert client.fine_tuning.jobs.retrieve(job.id).error.model_dump() == why


def test_the_same_routes_answer_where_azures_clients_ask(served, client, uploaded):
    azure = openai.OpenAI(base_url=f"{served.root}/openai/v1", api_key=served.key, default_query={"api-version": "preview"})
    with azure:
        job = azure.fine_tuning.jobs.create(model="small", training_file=uploaded(azure))
    assert client.fine_tuning.jobs.retrieve(job.id).id == job.id


def test_checkpoints_are_listed_newest_first_with_names_that_follow_from_the_job(serve, ordered):
    served = serve(models=MODELS, options={"life": {"words": ["queued", *["running"] * 6, "succeeded"]}}, poll_s=0.02)
    client = served.client()
    job = ordered(client, suffix="mine")
    job = until(lambda: (found := client.fine_tuning.jobs.retrieve(job.id)).status == "succeeded" and found, "its end")
    points = client.fine_tuning.jobs.checkpoints.list(job.id)
    assert [point.step_number for point in points.data] == [6, 4, 2]
    assert points.data[0].fine_tuned_model_checkpoint == f"{job.fine_tuned_model}:ckpt-step-6"
    assert points.data[0].metrics.train_loss == pytest.approx(2 / 7, abs=1e-5)
    assert (points.first_id, points.last_id, points.has_more) == (points.data[0].id, points.data[2].id, False)
    assert [point.step_number for point in client.fine_tuning.jobs.checkpoints.list(job.id, limit=1)] == [6, 4, 2]
    assert refused(client.fine_tuning.jobs.checkpoints.list, fine_tuning_job_id=job.id, after="ftckpt_none").status_code == 404
    further = ordered(client, model=points.data[1].fine_tuned_model_checkpoint)
    assert served.house.book.jobs.get(further.id, None).target["model"].endswith("-step-4")
    client.fine_tuning.jobs.cancel(further.id)
