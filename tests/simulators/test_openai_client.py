"""The real `openai` client works with the simulated OpenAI, in its strict mode too."""

from __future__ import annotations

import base64
import csv
import gc
import io

import openai
import pytest

from anytune.data.rows import texts
from anytune.data.tokens import TokenCounter
from anytune.testing import Life, WireFaults

MINI = "gpt-4.1-mini-2025-04-14"


def sent(client, rows, name="train.jsonl"):
    return client.files.create(file=(name, rows.lines(rows.chat())), purpose="fine-tune")


def made(client, rows, **settings):
    return client.fine_tuning.jobs.create(model=MINI, training_file=sent(client, rows).id, **settings)


def finished(client, job, most=20):
    for _ in range(most):
        job = client.fine_tuning.jobs.retrieve(job.id)
        if job.status in {"succeeded", "failed", "cancelled"}:
            return job
    raise AssertionError(f"{job.id} is {job.status}")


def test_a_job_lives_from_its_file_to_an_answer_that_it_learned(connect, rows):
    provider, client = connect()
    seed, metadata = 7, {"anytune_ref": "01J"}
    job = made(client, rows, suffix="recipes", seed=seed, metadata=metadata, validation_file=sent(client, rows, "valid.jsonl").id)
    assert (job.status, job.seed, job.metadata, job.fine_tuned_model) == ("validating_files", seed, metadata, None)
    statuses = [client.fine_tuning.jobs.retrieve(job.id).status for _ in range(7)]
    assert statuses == ["validating_files", "queued", "running", "running", "running", "running", "succeeded"]
    done = client.fine_tuning.jobs.retrieve(job.id)
    assert done.fine_tuned_model.startswith(f"ft:{MINI}:simulated:recipes:")
    answer = client.chat.completions.create(model=done.fine_tuned_model, messages=[{"role": "user", "content": "3?"}])
    assert answer.choices[0].message.content == "3!"
    assert provider.count("POST /fine_tuning/jobs") == 1


def test_events_and_checkpoints_come_newest_first_and_page_by_page(connect, rows):
    _, client = connect()
    job = finished(client, made(client, rows))
    events = list(client.fine_tuning.jobs.list_events(job.id, limit=3))
    assert [event.message for event in events][:2] == [
        "The job has successfully completed",
        f"New fine-tuned model created: {job.fine_tuned_model}",
    ]
    assert events[-1].message == f"Created fine-tuning job: {job.id}"
    assert len({event.id for event in events}) == len(events) > 9
    assert [event.data["step"] for event in events if event.type == "metrics"] == [4, 3, 2, 1]
    points = list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=1))
    assert [point.step_number for point in points] == [4, 2]
    assert [point.fine_tuned_model_checkpoint for point in points] == [job.fine_tuned_model, f"{job.fine_tuned_model}:ckpt-step-2"]
    assert client.models.retrieve(points[1].fine_tuned_model_checkpoint).owned_by == "org-simulated"


def test_trained_tokens_are_the_real_count_times_the_epochs(connect, rows):
    _, client = connect()
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}
    job = finished(client, made(client, rows, method=method))
    with TokenCounter("o200k_base") as counter:
        for number, row in enumerate(rows.chat(), 1):
            counter.row(number, row, texts(row))
        assert job.trained_tokens == 3 * counter.finish().counts().total


@pytest.mark.parametrize(("profile", "decode"), [("spec", bytes), ("as_observed", base64.b64decode)])
def test_the_result_file_is_a_table_of_the_steps(connect, rows, profile, decode):
    _, client = connect(strict=False, profile=profile)
    job = finished(client, made(client, rows))
    assert client.files.retrieve(job.result_files[0]).purpose == "fine-tune-results"
    table = list(csv.DictReader(io.StringIO(decode(client.files.content(job.result_files[0]).read()).decode())))
    assert list(table[0]) == ["step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy"]
    assert [(row["step"], row["train_loss"], row["valid_loss"]) for row in table] == [
        ("1", "1.0", ""),
        ("2", "0.666667", ""),
        ("3", "0.5", ""),
        ("4", "0.4", ""),
    ]


def test_jobs_are_listed_newest_first_by_pages_and_by_metadata(connect, rows):
    _, client = connect()
    file = sent(client, rows).id
    jobs = [client.fine_tuning.jobs.create(model=MINI, training_file=file, metadata={"n": str(n % 2)}).id for n in range(5)]
    bare = client.fine_tuning.jobs.create(model=MINI, training_file=file).id
    assert [job.id for job in client.fine_tuning.jobs.list(limit=2)] == [bare, *jobs[::-1]]
    assert [job.id for job in client.fine_tuning.jobs.list(metadata={"n": "1"}, limit=1)] == [jobs[3], jobs[1]]
    assert [job.id for job in client.fine_tuning.jobs.list(extra_query={"metadata": "null"})] == [bare]


@pytest.mark.parametrize(("profile", "shown"), [("spec", ["paused"]), ("as_observed", ["pausing", "paused"])])
def test_a_job_is_held_and_goes_on(connect, rows, profile, shown):
    _, client = connect(strict=False, profile=profile)
    job = made(client, rows)
    seen = [client.fine_tuning.jobs.pause(job.id).status]
    seen += [client.fine_tuning.jobs.retrieve(job.id).status for _ in range(3)]
    assert list(dict.fromkeys(seen)) == shown
    client.fine_tuning.jobs.resume(job.id)
    assert finished(client, job).status == "succeeded"
    with pytest.raises(openai.BadRequestError, match="Job has already completed"):
        client.fine_tuning.jobs.pause(job.id)


def test_a_life_may_pause_the_job_by_itself(connect, rows):
    _, client = connect(strict=False, life=Life(words=("queued", "running", "paused", "running", "succeeded")))
    job = made(client, rows)
    assert [client.fine_tuning.jobs.retrieve(job.id).status for _ in range(5)] == ["queued", "running", "paused", "paused", "paused"]
    assert client.fine_tuning.jobs.resume(job.id).status == "running"
    assert finished(client, job).status == "succeeded"


def test_a_cancelled_job_stays_so(connect, rows):
    _, client = connect()
    job = client.fine_tuning.jobs.cancel(made(client, rows).id)
    assert (job.status, client.fine_tuning.jobs.retrieve(job.id).status) == ("cancelled", "cancelled")
    with pytest.raises(openai.BadRequestError, match=f"Job has already completed: {job.id}"):
        client.fine_tuning.jobs.cancel(job.id)


def test_a_life_with_ticks_goes_by_the_clock_and_not_by_the_polls(connect, rows):
    now = [1_800_000_000.0]
    _, client = connect(clock=lambda: now[0], life=Life(words=("queued", "running", "succeeded"), tick_s=60))
    job = made(client, rows)
    assert {client.fine_tuning.jobs.retrieve(job.id).status for _ in range(5)} == {"queued"}
    now[0] += 61
    assert client.fine_tuning.jobs.list().data[0].status == "running"
    now[0] += 60
    done = client.fine_tuning.jobs.retrieve(job.id)
    assert (done.status, done.finished_at - done.created_at) == ("succeeded", 121)


def test_each_job_has_the_life_of_its_turn(connect, rows):
    _, client = connect(life=[Life(words=("failed",), error="moderation"), Life(words=("succeeded",))])
    jobs = [made(client, rows) for _ in range(3)]
    assert [job.status for job in jobs] == ["failed", "succeeded", "succeeded"]


def test_answers_stream_and_end_with_the_usage(connect):
    _, client = connect()
    asked = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "2 cups of basil"}]}
    pieces = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == f"{MINI} heard: 2 cups of basil"
    assert pieces[-1].usage.prompt_tokens == 4


def test_a_function_of_ones_own_answers_what_no_row_teaches(connect, rows):
    _, client = connect(answer=lambda model, messages: messages[-1]["content"].upper())
    job = finished(client, made(client, rows))
    for asked, answer in (("3?", "3!"), ("basil", "BASIL")):
        said = client.chat.completions.create(model=job.fine_tuned_model, messages=[{"role": "user", "content": asked}])
        assert said.choices[0].message.content == answer


def test_a_tuned_model_can_be_trained_further_and_deleted(connect, rows):
    _, client = connect()
    first = finished(client, made(client, rows)).fine_tuned_model
    second = finished(client, client.fine_tuning.jobs.create(model=first, training_file=sent(client, rows).id))
    assert second.model == first
    assert client.models.delete(first).deleted
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve(first)
    with pytest.raises(openai.PermissionDeniedError):
        client.models.delete(MINI)


def test_base_models_say_when_they_shut_down(connect):
    _, client = connect()
    models = {model.id: model.shutdown_date for model in client.models.list()}
    assert str(models[MINI]) == "2027-01-14"
    assert models["gpt-6-luna"] is None


def test_long_files_come_in_parts(connect, rows):
    provider, client = connect()
    content = rows.lines(rows.chat(200))
    upload = client.uploads.upload_file_chunked(
        file=content, filename="big.jsonl", bytes=len(content), mime_type="text/jsonl", purpose="fine-tune", part_size=2000
    )
    assert upload.status == "completed"
    assert client.files.content(upload.file.id).read() == content
    assert provider.count("POST /uploads/{id}/parts") == -(-len(content) // 2000)
    job = client.fine_tuning.jobs.create(model=MINI, training_file=upload.file.id)
    assert finished(client, job).status == "succeeded"


def test_an_upload_is_open_for_an_hour(connect):
    now = [1_800_000_000.0]
    _, client = connect(clock=lambda: now[0])
    upload = client.uploads.create(filename="big.jsonl", bytes=4, mime_type="text/jsonl", purpose="fine-tune")
    assert upload.expires_at - upload.created_at == 3600
    now[0] += 3601
    with pytest.raises(openai.BadRequestError, match="is expired, not pending"):
        client.uploads.parts.create(upload.id, data=b"late")


def test_files_are_listed_by_purpose_and_expire(connect, rows):
    now = [1_800_000_000.0]
    _, client = connect(clock=lambda: now[0])
    kept = sent(client, rows)
    gone = client.files.create(
        file=("b.jsonl", b"{}"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
    )  # fmt: skip
    assert [file.id for file in client.files.list()] == [gone.id, kept.id]
    assert [file.id for file in client.files.list(purpose="fine-tune")] == [kept.id]
    now[0] += 3601
    assert [file.id for file in client.files.list(order="asc")] == [kept.id]
    with pytest.raises(openai.NotFoundError, match="No such File object"):
        client.files.retrieve(gone.id)


@pytest.mark.parametrize(
    ("name", "purpose", "message"),
    [("train.csv", "fine-tune", "Must be .jsonl"), ("train.jsonl", "tuning", "'tuning' is not one of")],
)
def test_a_file_of_no_use_is_refused(connect, name, purpose, message):
    _, client = connect()
    with pytest.raises(openai.BadRequestError, match=message):
        client.files.create(file=(name, b"{}"), purpose=purpose)


def test_a_key_of_another_project_sees_nothing_of_this_one(connect, rows):
    provider, client = connect()
    job = finished(client, made(client, rows))
    provider.keys["sk-other"] = "another"
    other = client.with_options(api_key="sk-other")
    assert (list(other.files.list()), list(other.fine_tuning.jobs.list())) == ([], [])
    for call in (other.fine_tuning.jobs.retrieve, other.fine_tuning.jobs.list_events):
        with pytest.raises(openai.NotFoundError):
            call(job.id)
    with pytest.raises(openai.NotFoundError):
        other.models.retrieve(job.fine_tuned_model)
    with pytest.raises(openai.NotFoundError):
        other.files.retrieve(job.training_file)


def test_a_closed_organisation_creates_no_jobs_and_still_reads_them(connect, rows):
    provider, client = connect()
    job = made(client, rows)
    provider.closed_to_org = True
    with pytest.raises(openai.PermissionDeniedError):
        made(client, rows)
    assert client.fine_tuning.jobs.retrieve(job.id).id == job.id


def test_a_stuck_file_is_never_ready_and_no_job_takes_it(connect, rows):
    provider, client = connect(faults=WireFaults(stuck_files=True))
    file = sent(client, rows)
    assert client.files.retrieve(file.id).status == "uploaded"
    with pytest.raises(openai.BadRequestError, match=f"File {file.id} is not ready"):
        client.fine_tuning.jobs.create(model=MINI, training_file=file.id)
    provider.faults = WireFaults()
    assert client.files.wait_for_processing(file.id, poll_interval=0.01).status == "processed"


def test_a_file_too_long_for_memory_leaves_nothing_open(connect, rows):
    provider, client = connect()
    content = rows.lines([{"messages": [{"role": "user", "content": "x" * 2000}]}] * 1000)
    file = client.files.create(file=("long.jsonl", content), purpose="fine-tune")
    assert client.files.content(file.id).read() == content
    gc.collect()
    assert provider.files[0].content == content
