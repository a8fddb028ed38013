"""How the simulated Azure OpenAI says no: keys, tokens, orders, limits, and everything that a fault can do on its way."""

from __future__ import annotations

import json

import httpx2
import openai
import pytest
from tests.simulators.azure import MINI, TUNED, Clock, Resource, refused

from anytune.testing import WireFault, WireFaults
from anytune.testing.simulators.azure_errors import AZURE_ERRORS
from anytune.testing.simulators.errors import ERRORS

CODES = {  # of Microsoft's description of 2025-04-01-preview
    "conflict",
    "invalidPayload",
    "forbidden",
    "notFound",
    "unexpectedEntityState",
    "itemDoesAlreadyExist",
    "serviceUnavailable",
    "internalFailure",
    "quotaExceeded",
    "jsonlValidationFailed",
    "fileImportFailed",
    "tooManyRequests",
    "unauthorized",
    "contentFilter",
}
INFERENCE = {"401", "404", "429", "Unauthorized", "PermissionDenied", "DeploymentNotFound", "content_filter", "Timeout", "BadGateway"}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def resource(clock):
    with Resource(clock=clock) as found:
        yield found


def test_a_request_without_a_right_key_is_refused(resource):
    for headers in ({"api-key": "wrong"}, {"api-key": "", "Authorization": "Bearer wrong"}, {"api-key": ""}):
        reply = resource.ask("GET", "/models", headers=headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (401, "401")
        assert reply.json()["error"]["message"].startswith("Access denied due to invalid subscription key or wrong API endpoint.")
    assert resource.ask("GET", "/models", headers={"api-key": "", "Authorization": f"Bearer {resource.azure.api_key}"}).status_code == 200


def test_a_token_must_be_for_this_plane_and_not_over(resource, clock):
    def status(scope, **settings):
        token = resource.azure.credential(**settings).get_token(scope).token
        reply = resource.ask("GET", "/models", headers={"api-key": "", "Authorization": f"Bearer {token}"})
        return reply.status_code, reply.json().get("error", {}).get("code")

    assert status("https://ai.azure.com/.default") == (200, None)
    assert status("https://cognitiveservices.azure.com/.default") == (200, None)
    assert status("https://management.azure.com/.default") == (401, "Unauthorized")
    assert status("https://ai.azure.com/.default", lives_s=0) == (401, "Unauthorized")


@pytest.mark.parametrize("suffix", ["with.dots", "a b", "ü", "a" * 41])
def test_a_suffix_with_dots_or_too_long_is_refused(resource, suffix):
    refused(lambda: resource.job(suffix=suffix), status=400, code="invalidPayload")


def test_a_suffix_of_forty_signs_is_taken(resource):
    name = "a_B-" * 10
    assert resource.until(resource.job(suffix=name), "succeeded").fine_tuned_model.endswith(f"-{name}")


@pytest.mark.parametrize("kind", ["GlobalStandard", "globalstandard", "Standard", "developerTier", "Developer", "DataZoneStandard"])
def test_kinds_of_training_are_taken_in_any_case(resource, kind):
    assert resource.job(extra_body={"trainingType": kind}).trainingType == kind


def test_an_unknown_kind_of_training_is_refused(resource):
    error = refused(lambda: resource.job(extra_body={"trainingType": "cheap"}), status=400, code="invalidPayload")
    assert "trainingType" in error.message


def test_minus_one_means_auto_and_azures_own_settings_are_taken(resource):
    settings = {"n_epochs": -1, "batch_size": -1, "prompt_loss_weight": 0.1}
    job = resource.job(method={"type": "supervised", "supervised": {"hyperparameters": settings}})
    assert job.method.supervised.hyperparameters.n_epochs == "auto"
    old = resource.job(hyperparameters={"n_epochs": 3, "batch_size": -1})
    assert old.hyperparameters.n_epochs == 3
    refused(lambda: resource.job(hyperparameters={"n_epochs": 51}), status=400, code="invalidPayload")
    refused(lambda: resource.job(extra_body={"colour": "red"}), status=400, code="invalidPayload")


def test_models_that_cannot_be_tuned_and_files_that_are_not_there_are_refused(resource):
    refused(lambda: resource.job(model="gpt-6-luna"), status=400, code="invalidPayload")
    refused(lambda: resource.job(training_file="file-nothing"), status=400, code="invalidPayload")
    refused(lambda: resource.client.fine_tuning.jobs.retrieve("ftjob-nothing"), status=404, code="notFound")
    refused(lambda: resource.client.files.retrieve("file-nothing"), status=404, code="notFound")
    refused(lambda: resource.client.models.delete(MINI), status=403, code="forbidden")


def test_files_may_go_after_fourteen_to_thirty_days(resource, clock):
    def send(seconds, field="expires_after.{0}"):
        form = {"purpose": "fine-tune", field.format("anchor"): "created_at", field.format("seconds"): str(seconds)}
        return resource.ask("POST", "/files", data=form, files={"file": ("a.jsonl", b"{}\n")})

    assert send(1_209_600).json()["expires_at"] == clock.now + 1_209_600
    assert send(2_592_000, "expires_after[{0}]").status_code == 201
    for seconds in (3600, 1_209_599, 2_592_001):
        assert send(seconds).json()["error"]["code"] == "invalidPayload"
    clock.now += 1_209_600
    assert len(resource.client.files.list().data) == 1


def test_paths_outside_the_planes_are_not_there(resource):
    for path in ("/v1/models", "/files", "/openai/files", "/openai/v2/files?api-version=2025-04-01-preview", "/"):
        reply = httpx2.get(resource.azure.url + path, headers={"api-key": resource.azure.api_key})
        assert reply.status_code == 404
        assert reply.json() == {"error": {"code": "404", "message": "Resource not found"}}


@pytest.mark.parametrize("name", sorted({*AZURE_ERRORS, *ERRORS}))
def test_every_refusal_has_azures_shape_and_a_code_of_azures(resource, name):
    resource.azure.faults = WireFaults(calls=(WireFault(kind="refuse", name=name, on="POST /fine_tuning/jobs"),))
    reply = resource.ask("POST", "/fine_tuning/jobs", json={"model": MINI, "training_file": "file-x"})
    status = (AZURE_ERRORS.get(name) or ERRORS[name]).status
    error = reply.json()["error"]
    assert (reply.status_code, set(reply.json())) == (status, {"error"})
    assert {"code", "message"} <= set(error) <= {"code", "message", "target", "innererror", "param", "type", "status"}
    assert error["code"] in CODES | INFERENCE
    assert "{" not in error["message"]
    assert resource.azure.jobs == []


def test_throttling_names_the_milliseconds_to_wait(resource):
    resource.azure.faults = WireFaults(calls=(WireFault(kind="refuse", name="rate_limit", on="POST /chat/completions"),))
    error = refused(resource.chat, status=429, code="429", kind=openai.RateLimitError)
    assert (error.response.headers["retry-after"], error.response.headers["retry-after-ms"]) == ("1", "612")


def test_the_content_filter_says_what_it_filtered(resource):
    resource.azure.faults = WireFaults(calls=(WireFault(kind="refuse", name="content_filter", on="POST /chat/completions"),))
    error = refused(resource.chat, status=400, code="content_filter", kind=openai.BadRequestError)
    assert error.body["innererror"]["content_filter_result"]["violence"]["filtered"]


def test_who_lacks_the_role_is_told_the_action(resource):
    resource.azure.faults = WireFaults(calls=(WireFault(kind="refuse", name="no_role"),))
    error = refused(resource.job, status=401, code="PermissionDenied")
    assert "`Microsoft.CognitiveServices/accounts/OpenAI/fine-tunes/write`" in error.message


def test_a_lost_reply_leaves_one_job(resource):
    resource.azure.faults = WireFaults(calls=(WireFault(kind="drop_reply"),))
    with pytest.raises(openai.APIConnectionError):
        resource.job()
    assert len(resource.azure.jobs) == 1


def test_a_page_of_html_and_a_cut_reply_come_through(resource):
    on = "GET /fine_tuning/jobs/{id}"
    job = resource.job()
    resource.azure.faults = WireFaults(calls=(WireFault(kind="html", on=on), WireFault(kind="truncated", on=on, skip=1)))
    assert isinstance(resource.client.fine_tuning.jobs.retrieve(job.id), str)
    with pytest.raises((openai.APIConnectionError, json.JSONDecodeError)):
        resource.client.fine_tuning.jobs.retrieve(job.id)


def test_an_unknown_status_is_shown_instead_of_running(resource):
    resource.azure.faults = WireFaults(unknown_status="hibernating")
    assert resource.until(resource.job(), "hibernating").status == "hibernating"


def test_listings_may_lag_and_cut_their_pages(resource, clock):
    jobs = [resource.job() for _ in range(4)]
    listing = resource.client.fine_tuning.jobs
    resource.azure.faults = WireFaults(short_pages=True)
    assert len(listing.list(limit=4).data) == 2
    resource.azure.faults = WireFaults(empty_pages=True)
    assert (listing.list().data, listing.list().has_more) == ([], True)
    resource.azure.faults = WireFaults(list_lag_s=60)
    assert listing.list().data == []
    clock.now += 60
    assert [job.id for job in listing.list()] == [job.id for job in reversed(jobs)]
    resource.azure.faults = WireFaults(reordered_pages=True)
    seen = {tuple(job.id for job in listing.list().data) for _ in range(6)}
    assert len(seen) > 1


def test_by_the_description_a_filter_may_be_ignored(resource):
    resource.job(metadata={"ref": "a"})
    resource.job(metadata={"ref": "b"})
    assert len(resource.client.fine_tuning.jobs.list(metadata={"ref": "a"}).data) == 1
    resource.azure.faults = WireFaults(ignored_filter=True)
    assert len(resource.client.fine_tuning.jobs.list(metadata={"ref": "a"}).data) == 2


def test_a_new_model_may_come_late_to_its_deployment(resource, clock):
    resource.azure.faults = WireFaults(model_lag_s=30)
    job = resource.until(resource.job(), "succeeded")
    properties = {"model": {"format": "OpenAI", "name": job.fine_tuned_model, "version": "1"}}
    early = resource.arm("PUT", "/deployments/recipes", sku={"name": "Standard", "capacity": 1}, properties=properties)
    assert early.json()["error"]["code"] == "DeploymentModelNotSupported"
    clock.now += 30
    resource.deploy(job.fine_tuned_model)


def test_a_deployment_answers_five_minutes_after_it_succeeded(resource, clock):
    resource.azure.add_model(TUNED, knows={"3?": "three"})
    resource.azure.faults = WireFaults(deployment_lag_s=300)
    resource.deploy(TUNED)
    error = refused(resource.chat, status=404, code="DeploymentNotFound")
    assert "within the last 5 minutes" in error.message
    clock.now += 300
    assert resource.chat() == "three"


def test_a_deployment_that_vanished_answers_no_more(resource, clock):
    resource.azure.add_model(TUNED)
    resource.deploy(TUNED)
    resource.azure.faults = WireFaults(vanish_after_s=60)
    assert resource.chat()
    clock.now += 60
    refused(resource.chat, status=404, code="DeploymentNotFound")


def test_calls_keep_a_deployment_alive(resource, clock):
    resource.azure.add_model(TUNED)
    resource.deploy(TUNED)
    for _ in range(3):
        clock.now += 14 * 86_400
        assert resource.chat()
    clock.now += 15 * 86_400
    refused(resource.chat, status=404, code="DeploymentNotFound")


def test_the_clock_of_azure_may_be_ahead(resource, clock):
    resource.azure.faults = WireFaults(clock_skew_s=600)
    assert resource.job().created_at == clock.now + 600
