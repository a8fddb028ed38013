"""The simulated Azure OpenAI under the real client: a whole life of a model, in both profiles and on both kinds of paths."""

from __future__ import annotations

import csv
import io
import re

import openai
import pytest
from tests.simulators.azure import MINI, TUNED, Clock, Resource, lines, refused

from anytune.testing import Life
from anytune.testing.simulators.azure_dialect import FILE_STATES, JOB_STATES, AzureLimits

HEX = "[0-9a-f]{32}"
AI_SCOPE = "https://ai.azure.com/.default"


@pytest.fixture(params=["spec", "as_observed"])
def profile(request):
    return request.param


@pytest.fixture
def resource(profile):
    with Resource(profile=profile) as found:
        yield found


def test_a_model_is_trained_deployed_asked_and_deleted(resource):
    azure, client = resource.azure, resource.client
    file = resource.upload()
    assert re.fullmatch(f"file-{HEX}", file.id)
    job = client.fine_tuning.jobs.create(
        model=MINI, training_file=file.id, validation_file=file.id, suffix="recipes", extra_body={"trainingType": "GlobalStandard"}
    )
    assert re.fullmatch(f"ftjob-{HEX}", job.id)
    assert job.status == "pending"
    done = resource.until(job, "succeeded")
    assert re.fullmatch(rf"{re.escape(MINI)}\.ft-{HEX}-recipes", done.fine_tuned_model)
    assert done.trained_tokens > 0
    points = client.fine_tuning.jobs.checkpoints.list(job.id).data
    assert all(re.fullmatch(f"ftchkpt-{HEX}", point.id) for point in points)
    assert points[0].fine_tuned_model_checkpoint == done.fine_tuned_model
    assert points[1].fine_tuned_model_checkpoint == f"{done.fine_tuned_model}:ckpt-step-2"
    assert points[0].metrics.full_valid_loss == points[0].metrics.valid_loss
    refused(lambda: resource.chat(done.fine_tuned_model), status=404, code="DeploymentNotFound")
    resource.deploy(done.fine_tuned_model)
    assert resource.chat("recipes", "3?") == "3!"
    assert resource.chat("recipes", "what?").endswith("heard: what?")
    refused(lambda: client.models.delete(done.fine_tuned_model), status=409, code="conflict")
    resource.undeploy()
    refused(resource.chat, status=404, code="DeploymentNotFound")
    assert client.models.delete(done.fine_tuned_model).deleted
    assert resource.ask("DELETE", f"/fine_tuning/jobs/{job.id}").status_code == 204
    refused(lambda: client.fine_tuning.jobs.retrieve(job.id), status=404, code="notFound")
    assert client.files.delete(file.id).deleted
    assert azure.count("POST /fine_tuning/jobs") == 1


def test_a_checkpoint_can_be_deployed_by_its_id(resource):
    job = resource.until(resource.job(), "succeeded")
    early = resource.client.fine_tuning.jobs.checkpoints.list(job.id).data[-1]
    resource.deploy(early.id, "early")
    assert resource.chat("early", "5?") == "5!"
    refused(lambda: resource.client.models.delete(early.fine_tuned_model_checkpoint), status=409, code="conflict")


def test_three_checkpoints_are_kept(resource):
    resource.azure.lives = [Life(words=("pending", *["running"] * 9, "succeeded"), checkpoint_every=1)]
    job = resource.until(resource.job(), "succeeded")
    assert [point.step_number for point in resource.client.fine_tuning.jobs.checkpoints.list(job.id).data] == [9, 8, 7]


def test_creates_answer_201_with_a_location(resource):
    sent = resource.ask("POST", "/files", data={"purpose": "fine-tune"}, files={"file": ("train.jsonl", lines())})
    assert sent.status_code == 201
    assert sent.headers["location"] == f"{resource.azure.base_url}/files/{sent.json()['id']}"
    assert sent.headers["apim-request-id"]
    made = resource.ask("POST", "/fine_tuning/jobs", json={"model": MINI, "training_file": resource.upload().id})
    assert made.status_code == 201
    assert made.headers["location"] == f"{resource.azure.base_url}/fine_tuning/jobs/{made.json()['id']}"


def test_a_file_is_pending_and_running_before_a_job_may_use_it(resource):
    file = resource.upload(ready=False)
    seen = [file.status]

    def create():
        return resource.client.fine_tuning.jobs.create(model=MINI, training_file=file.id)

    refused(create, status=400, code="unexpectedEntityState")
    seen += [resource.client.files.retrieve(file.id).status for _ in range(2)]
    assert seen == ["pending", "running", "processed"]
    assert create().status == "pending"


def test_the_clients_own_poller_waits_until_a_file_is_processed(resource):
    file = resource.upload(ready=False)
    assert resource.client.files.wait_for_processing(file.id, poll_interval=0.01).status == "processed"


@pytest.mark.parametrize("bom", [True, False])
def test_files_are_read_with_and_without_a_byte_order_mark(resource, bom):
    assert resource.until(resource.job(lines(bom=bom)), "succeeded", "failed").status == "succeeded"


def test_metadata_is_kept_by_the_description_only(resource, profile):
    job = resource.job(metadata={"anytune_ref": "01J"})
    resource.job(metadata={"anytune_ref": "01K"})
    listed = resource.client.fine_tuning.jobs.list(metadata={"anytune_ref": "01J"}).data
    if profile == "spec":
        assert (job.metadata, [one.id for one in listed]) == ({"anytune_ref": "01J"}, [job.id])
    else:
        assert (job.metadata, len(listed)) == (None, 2)


def test_as_observed_a_job_looks_as_in_microsofts_examples():
    with Resource(profile="as_observed") as resource:
        job = resource.job()
        shown = resource.ask("GET", f"/fine_tuning/jobs/{job.id}").json()
        assert shown["organisation_id"] == resource.azure.organization
        assert shown["hyperparameters"] == {"n_epochs": -1}
        assert not {"organization_id", "seed", "result_files", "fine_tuned_model", "error", "validation_file", "finished_at"} & set(shown)
        resource.until(job, "succeeded")
        done = resource.ask("GET", f"/fine_tuning/jobs/{job.id}").json()
        assert len(done["result_files"]) == 1
        assert done["hyperparameters"] == {"n_epochs": -1}


def test_results_are_plain_csv_with_azures_columns(resource):
    job = resource.until(resource.job(validation_file=resource.upload().id), "succeeded")
    assert resource.client.files.retrieve(job.result_files[0]).filename == "results.csv"
    rows = list(csv.DictReader(io.StringIO(resource.client.files.content(job.result_files[0]).text)))
    assert list(rows[0]) == [
        "step",
        "train_loss",
        "train_mean_token_accuracy",
        "valid_loss",
        "validation_mean_token_accuracy",
        "full_valid_loss",
        "full_valid_mean_token_accuracy",
    ]
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])


def test_models_say_what_they_can_do_and_until_when(resource):
    job = resource.until(resource.job(), "succeeded")
    base = resource.client.models.retrieve("gpt-4.1-mini")
    assert (base.id, base.lifecycle_status) == (MINI, "generally-available")
    assert base.capabilities["fine_tune"]
    assert base.deprecation == {"fine_tune": 1_807_660_800, "inference": 1_823_472_000}
    tuned = resource.client.models.retrieve(job.fine_tuned_model)
    assert (tuned.model, tuned.fine_tune) == (MINI, job.id)
    assert {MINI, job.fine_tuned_model} <= {model.id for model in resource.client.models.list()}


def test_a_job_can_be_paused_resumed_and_cancelled(resource):
    job = resource.until(resource.job(), "running")
    jobs = resource.client.fine_tuning.jobs
    assert jobs.pause(job.id).status == "pausing"
    assert resource.until(job, "paused").status == "paused"
    assert jobs.resume(job.id).status == "resuming"
    assert resource.until(job, "running").status == "running"
    assert jobs.cancel(job.id).status == "cancelled"
    refused(lambda: jobs.cancel(job.id), status=400, code="unexpectedEntityState")


@pytest.mark.parametrize("word", JOB_STATES)
def test_every_status_of_a_job_occurs_in_some_life(profile, word):
    with Resource(profile=profile, life=Life(words=("created", "pending", word))) as resource:
        seen = []
        job = resource.job()
        for _ in range(4):
            job = resource.client.fine_tuning.jobs.retrieve(job.id)
            seen.append(job.status)
        assert word in seen


def test_lives_in_openais_words_are_lived_in_azures():
    with Resource(life=Life(words=("validating_files", "queued", "running", "succeeded"))) as resource:
        job = resource.job()
        seen = [resource.client.fine_tuning.jobs.retrieve(job.id).status for _ in range(4)]
        assert seen == ["created", "pending", "running", "succeeded"]


def test_what_a_file_may_be_is_microsofts_list(resource):
    assert {"pending", "running", "processed", "error"} <= set(FILE_STATES)
    resource.azure.faults = resource.azure.faults.with_calls(file_error="The import was blocked.")
    file = resource.upload()
    assert (file.status, file.status_details) == ("error", "The import was blocked.")
    resource.azure.faults = resource.azure.faults.with_calls(stuck_files=True, file_error="")
    assert resource.upload(ready=False).status == "running"


def test_events_have_azures_words(resource):
    job = resource.until(resource.job(), "succeeded")
    said = [event.message for event in resource.client.fine_tuning.jobs.list_events(job.id, limit=50)]
    assert {"Job started.", "Job succeeded."} <= set(said)


def test_a_failed_job_says_why_with_azures_code(resource):
    few = resource.until(resource.job(lines(7)), "failed")
    assert (few.error.code, few.error.message) == ("invalidPayload", "Training file has 7 example(s), but must have at least 10 examples")
    broken = resource.until(resource.job(b"no json\n" * 12), "failed")
    assert broken.error.code == "jsonlValidationFailed"


def test_one_job_trains_at_a_time_and_the_next_waits(profile):
    with Resource(profile=profile) as resource:
        first, second = resource.job(), resource.job()
        resource.until(first, "running")
        waiting = resource.client.fine_tuning.jobs.retrieve(second.id)
        assert waiting.status == "pending"
        assert resource.until(second, "succeeded").status == "succeeded"
        assert resource.client.fine_tuning.jobs.retrieve(first.id).status == "succeeded"


def test_a_job_waits_by_the_clock_too():
    clock = Clock()
    with Resource(clock=clock, life=Life(words=("pending", "running", "running", "succeeded"), tick_s=60)) as resource:
        first, second = resource.job(), resource.job()

        def words():
            return [resource.client.fine_tuning.jobs.retrieve(job.id).status for job in (first, second)]

        clock.now += 61
        assert words() == ["running", "pending"]
        clock.now += 60
        assert words() == ["running", "pending"]
        clock.now += 60
        assert words() == ["succeeded", "running"]


@pytest.mark.parametrize(
    ("limits", "what"), [(AzureLimits(queued=2), "queued jobs"), (AzureLimits(jobs=2, queued=9), "jobs"), (AzureLimits(files=2), "files")]
)
def test_a_resource_holds_so_much_and_no_more(limits, what):
    with Resource(limits=limits) as resource:
        resource.job()
        resource.job()
        error = refused(resource.job, status=429, code="quotaExceeded", kind=openai.RateLimitError)
        assert f"already has 2 {'' if what == 'files' else 'fine-tuning '}{what}" in error.message


def test_deleted_jobs_and_files_make_room():
    with Resource(limits=AzureLimits(jobs=1, files=1)) as resource:
        job = resource.job()
        assert resource.ask("DELETE", f"/fine_tuning/jobs/{job.id}").json()["error"]["code"] == "unexpectedEntityState"
        resource.client.files.delete(job.training_file)
        resource.until(job, "succeeded")
        resource.ask("DELETE", f"/fine_tuning/jobs/{job.id}")
        assert resource.client.fine_tuning.jobs.list().data == []
        assert resource.job().status == "pending"


def test_a_job_may_start_from_a_tuned_model(resource):
    first = resource.until(resource.job(suffix="one"), "succeeded")
    second = resource.until(resource.job(model=first.fine_tuned_model, suffix="two"), "succeeded")
    assert second.model == first.fine_tuned_model
    assert re.fullmatch(rf"{re.escape(MINI)}\.ft-{HEX}-two", second.fine_tuned_model)


def test_the_classic_paths_serve_the_older_client_class(resource):
    azure = resource.azure
    with openai.AzureOpenAI(
        azure_endpoint=azure.endpoint, api_key=azure.api_key, api_version="2025-04-01-preview", max_retries=0
    ) as client:
        file = client.files.create(file=("train.jsonl", lines()), purpose="fine-tune")
        client.files.wait_for_processing(file.id, poll_interval=0.01)
        job = client.fine_tuning.jobs.create(model=MINI, training_file=file.id)
        job = resource.until(job, "succeeded")
        assert client.fine_tuning.jobs.retrieve(job.id).fine_tuned_model == job.fine_tuned_model
        resource.deploy(job.fine_tuned_model)
        said = [{"role": "user", "content": "4?"}]
        assert client.chat.completions.create(model="recipes", messages=said).choices[0].message.content == "4!"
        refused(lambda: client.chat.completions.create(model="other", messages=said), status=404, code="DeploymentNotFound")
        assert azure.requests[-1].path == "/openai/deployments/other/chat/completions"
        assert azure.count("POST /chat/completions") == 2


def test_a_token_provider_is_asked_at_each_request():
    scopes = []

    def key(azure):
        credential = azure.credential()

        def token():
            scopes.append(AI_SCOPE)
            return credential.get_token(AI_SCOPE).token

        return token

    with Resource(key=key) as resource:
        resource.client.models.list()
        resource.client.models.list()
        assert len(scopes) == 2


def test_chats_are_streamed_too(resource):
    resource.azure.add_model(TUNED, knows={"basil?": "five grams"})
    resource.deploy(TUNED)
    pieces = resource.client.chat.completions.create(model="recipes", messages=[{"role": "user", "content": "basil?"}], stream=True)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == "five grams"


def test_a_model_of_before_answers_though_its_job_is_gone(resource):
    resource.azure.add_model(TUNED)
    assert resource.client.models.retrieve(TUNED).model == MINI
    assert (resource.azure.jobs, resource.client.fine_tuning.jobs.list().data) == ([], [])


def test_a_job_repeats_its_suffix_unless_it_is_told_not_to(profile):
    with Resource(profile=profile) as resource:
        assert resource.job(suffix="recipes").suffix == "recipes"
    with Resource(profile=profile, shows_suffix=False) as resource:
        job = resource.job(suffix="recipes")
        assert "recipes" not in job.model_dump_json()
        assert resource.until(job, "succeeded").fine_tuned_model.endswith("-recipes")
