"""The Python `openai` client, in its strict mode, works with the server unchanged: only `base_url` is another."""

from __future__ import annotations

import asyncio
import hashlib

import openai
import pytest
from tests.server.clients.rows import ENDED, chat_file, preference_file, until

MINI = "gpt-4.1-mini-2025-04-14"
ASKED = [{"role": "user", "content": "3 cups of rice"}]


@pytest.fixture
def connect(serve, recorded):
    """Start a server over the memory backend, and give a client of it that is recorded."""
    clients = []

    def make(*, strict=True, **settings):
        served = serve(**({"models": {MINI: {"model": "memory-1"}}} | settings))
        front = recorded(served.base_url)
        clients.append(
            openai.OpenAI(base_url=front.base_url, api_key=served.key, max_retries=0, timeout=60, _strict_response_validation=strict)
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def uploaded(client, content=None, name="train.jsonl"):
    return client.files.create(file=(name, content or chat_file()), purpose="fine-tune")


def ended(client, job):
    return until(lambda: client.fine_tuning.jobs.retrieve(job.id), lambda seen: seen.status in ENDED)


def test_a_job_lives_from_its_file_to_an_answer(connect):
    client = connect()
    train, valid = uploaded(client), uploaded(client, chat_file(20)[-600:].partition(b"\n")[2], name="valid.jsonl")
    assert client.files.wait_for_processing(train.id, poll_interval=0.05).status == "processed"
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}
    seed, metadata = 11, {"team": "kitchen"}
    made = client.fine_tuning.jobs.create(
        model=MINI, training_file=train.id, validation_file=valid.id, suffix="recipes", seed=seed, metadata=metadata, method=method
    )
    assert (made.object, made.model, made.seed, made.metadata) == ("fine_tuning.job", MINI, seed, metadata)
    assert made.status in {"validating_files", "queued"}
    assert made.fine_tuned_model is None
    job = ended(client, made)
    assert (job.status, job.error) == ("succeeded", None)
    assert job.fine_tuned_model.startswith(f"ft:{MINI}:anytune:recipes:")
    assert job.finished_at >= job.created_at
    assert job.trained_tokens > 0
    answer = client.chat.completions.create(model=job.fine_tuned_model, messages=ASKED)
    assert answer.model == job.fine_tuned_model
    assert "3 cups of rice" in answer.choices[0].message.content
    with client.chat.completions.create(model=job.fine_tuned_model, messages=ASKED, stream=True) as stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == answer.choices[0].message.content
    assert client.completions.create(model=job.fine_tuned_model, prompt="3 cups of rice", max_tokens=8).choices[0].text


def test_events_tell_the_whole_story_page_by_page_and_that_the_model_is_another(connect):
    client = connect()
    job = ended(client, client.fine_tuning.jobs.create(model=MINI, training_file=uploaded(client).id))
    events = list(client.fine_tuning.jobs.list_events(job.id, limit=3))
    told = [event.message for event in events]
    assert len({event.id for event in events}) == len(events)
    assert told[0] == "The job has successfully completed"
    assert told[-1] == f"Created fine-tuning job: {job.id}"
    assert f"New fine-tuned model created: {job.fine_tuned_model}" in told
    assert any(MINI in message and "memory-1" in message for message in told), "the stand-in is named"
    steps = [event.data for event in events if event.type == "metrics"]
    assert steps
    assert all({"step", "train_loss"} <= set(data) for data in steps)
    assert [event.created_at for event in events] == sorted((event.created_at for event in events), reverse=True)


def test_checkpoints_are_models_that_answer(connect):
    client = connect(options={"life": {"words": ["queued", *["running"] * 6, "succeeded"], "checkpoint_every": 2}})
    job = ended(client, client.fine_tuning.jobs.create(model=MINI, training_file=uploaded(client).id))
    points = list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=1))
    assert [point.step_number for point in points] == sorted((point.step_number for point in points), reverse=True)
    assert len(points) > 1
    assert {point.fine_tuning_job_id for point in points} == {job.id}
    for point in points:
        assert client.chat.completions.create(model=point.fine_tuned_model_checkpoint, messages=ASKED).choices[0].message.content


def test_the_result_file_is_the_table_of_steps(connect):
    client = connect()
    job = ended(client, client.fine_tuning.jobs.create(model=MINI, training_file=uploaded(client).id))
    (result,) = job.result_files
    lines = client.files.content(result).read().decode().splitlines()
    assert lines[0] == "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
    assert len(lines) > 1
    assert client.files.retrieve(result).purpose == "fine-tune-results"


def test_jobs_are_found_by_their_metadata_and_page_by_page(connect):
    client = connect()
    file = uploaded(client).id
    made = [client.fine_tuning.jobs.create(model=MINI, training_file=file, metadata={"n": str(n)}).id for n in range(3)]
    plain = client.fine_tuning.jobs.create(model=MINI, training_file=file).id
    assert [job.id for job in client.fine_tuning.jobs.list(limit=2)] == [plain, *reversed(made)]
    assert [job.id for job in client.fine_tuning.jobs.list(metadata={"n": "1"})] == [made[1]]
    assert [job.id for job in client.fine_tuning.jobs.list(extra_query={"metadata": "null"})] == [plain]


def test_a_job_is_paused_resumed_and_cancelled(connect):
    client = connect(options={"life": {"words": ["queued", *["running"] * 200, "succeeded"]}}, strict=False)  # its types know no `paused`
    job = client.fine_tuning.jobs.create(model=MINI, training_file=uploaded(client).id)
    until(lambda: client.fine_tuning.jobs.retrieve(job.id), lambda seen: seen.status == "running")
    client.fine_tuning.jobs.pause(job.id)
    until(lambda: client.fine_tuning.jobs.retrieve(job.id), lambda seen: seen.status == "paused")
    client.fine_tuning.jobs.resume(job.id)
    until(lambda: client.fine_tuning.jobs.retrieve(job.id), lambda seen: seen.status == "running")
    client.fine_tuning.jobs.cancel(job.id)
    assert ended(client, job).status == "cancelled"
    with pytest.raises(openai.BadRequestError, match="already completed"):
        client.fine_tuning.jobs.cancel(job.id)


def test_a_file_in_parts_is_the_file(connect, tmp_path):
    client = connect()
    content = preference_file(200)
    order = {"filename": "big.jsonl", "bytes": len(content), "purpose": "fine-tune", "mime_type": "text/jsonl"}
    upload = client.uploads.create(**order)
    last = client.uploads.parts.create(upload.id, data=content[1000:])
    first = client.uploads.parts.create(upload.id, data=content[:1000])
    client.uploads.parts.create(upload.id, data=b"left out")
    done = client.uploads.complete(upload.id, part_ids=[first.id, last.id], md5=hashlib.md5(content).hexdigest())
    assert (done.status, done.file.bytes) == ("completed", len(content))
    assert client.files.content(done.file.id).read() == content
    place = tmp_path / "big.jsonl"
    place.write_bytes(content)
    whole = client.uploads.upload_file_chunked(file=place, mime_type="text/jsonl", purpose="fine-tune", part_size=4096)
    assert client.files.content(whole.file.id).read() == content
    other = client.uploads.create(**order)
    assert client.uploads.cancel(other.id).status == "cancelled"


def test_a_tuned_model_is_listed_retrieved_and_deleted(connect):
    client = connect()
    job = ended(client, client.fine_tuning.jobs.create(model=MINI, training_file=uploaded(client).id))
    assert {job.fine_tuned_model, MINI} <= {model.id for model in client.models.list()}
    assert client.models.retrieve(job.fine_tuned_model).object == "model"
    assert client.models.delete(job.fine_tuned_model).deleted
    for call in (client.models.retrieve, client.models.delete):
        with pytest.raises(openai.NotFoundError):
            call(job.fine_tuned_model)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model=job.fine_tuned_model, messages=ASKED)


def test_a_job_on_too_few_rows_fails_and_says_why(connect):
    client = connect()
    broken = chat_file(2) + b'{"messages": 7}\n'
    job = ended(client, client.fine_tuning.jobs.create(model=MINI, training_file=uploaded(client, broken).id))
    assert job.status == "failed"
    assert job.error.param == "training_file"
    assert job.error.code
    assert job.error.message


def test_direct_preference_optimization_is_ordered_in_openais_words(connect):
    client = connect()
    method = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "n_epochs": 1}}}
    made = client.fine_tuning.jobs.create(model=MINI, training_file=uploaded(client, preference_file()).id, method=method)
    job = ended(client, made)
    assert (job.status, job.method.type) == ("succeeded", "dpo")


def test_what_is_wrong_is_raised_as_the_clients_own_errors(connect):
    client = connect()
    with pytest.raises(openai.AuthenticationError) as refused:
        client.with_options(api_key="sk-wrong-000000000000").files.list()
    assert "sk-wrong-000000000000" not in str(refused.value)
    assert refused.value.request_id
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-nothing", messages=ASKED)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.fine_tuning.jobs.retrieve("ftjob-nothing")
    with pytest.raises(openai.BadRequestError) as order:
        client.fine_tuning.jobs.create(model=MINI, training_file="file-nothing")
    assert order.value.param == "training_file"
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("a.jsonl", b"{}"), purpose="assistants")


def test_the_asynchronous_client_asks_many_at_once(serve, recorded):
    served = serve(models={MINI: {"model": "memory-1"}})
    front = recorded(served.base_url)

    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=front.base_url, api_key=served.key, max_retries=0) as client:
            questions = (client.chat.completions.create(model=MINI, messages=ASKED) for _ in range(20))
            return [answer.choices[0].message.content for answer in await asyncio.gather(*questions)]

    assert len(set(asyncio.run(ask()))) == 1


def test_clients_of_azure_openai_find_the_same_under_their_paths(serve, recorded):
    served = serve(models={MINI: {"model": "memory-1"}})
    front = recorded(served.base_url.removesuffix("/v1") + "/openai/v1")
    with openai.AzureOpenAI(base_url=front.base_url, api_key=served.key, api_version="preview", max_retries=0) as client:
        job = ended(client, client.fine_tuning.jobs.create(model=MINI, training_file=uploaded(client).id))
        assert job.status == "succeeded"
        assert job.fine_tuned_model in {model.id for model in client.models.list()}
    with openai.OpenAI(base_url=front.base_url, api_key=served.key, default_query={"api-version": "preview"}, max_retries=0) as plain:
        assert plain.chat.completions.create(model=job.fine_tuned_model, messages=ASKED).choices[0].message.content


@pytest.mark.parametrize(("life", "kind"), [("succeeded", "succeeded"), ("failed", "failed"), ("cancelled", "cancelled")])
def test_the_webhook_of_a_job_that_ended_is_unwrapped(serve, hooked, contract, life, kind):
    secret = "whsec_" + "c2VjcmV0IG9mIGEgd2ViaG9vaywgMzIgYnl0ZXMh"
    served = serve(
        options={"life": {"words": ["queued", "running", life]}},
        webhooks={"app": {"url": hooked.url, "secret": secret, "private": True}},
    )
    client = served.client()
    job = client.fine_tuning.jobs.create(model="memory-1", training_file=uploaded(client).id)
    headers, payload = hooked.wait()[0]
    event = client.webhooks.unwrap(payload, headers, secret=secret)
    assert (event.type, event.data.id) == (f"fine_tuning.job.{kind}", job.id)
    assert contract.faults(f"WebhookFineTuningJob{kind.title()}", event.to_dict()) == []
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(payload + b" ", headers, secret=secret)
