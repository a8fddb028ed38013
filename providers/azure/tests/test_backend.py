"""The backend against a simulated resource: what it sends, as whom, and what it makes of the answers."""

from __future__ import annotations

import time

import openai
import pytest
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

from anytune.errors import AuthError, ConfigError, NotFound, Rejected, Unsupported
from anytune.infer import Endpoint
from anytune.spec import TrainingSpec
from anytune.testing import WireFault
from anytune.values import DataStats, ModelRef, Quote, Status
from anytune_azure import AzureBackend

CREATE, PUT = "POST /fine_tuning/jobs", "PUT /arm/deployments/{name}"


def test_the_account_is_the_endpoints_host(backend_for, sim):
    assert backend_for().account == sim.endpoint.removeprefix("http://")
    assert AzureBackend(endpoint="https://recipes.openai.azure.com/openai/v1", api_key="key").account == "recipes.openai.azure.com"


def test_rules_and_prices_of_the_catalogue_hold_for_the_public_cloud_only(backend_for):
    assert backend_for().catalog is None
    assert AzureBackend(endpoint="https://recipes.openai.azure.com", api_key="key").catalog == "azure"


def test_the_settle_window_is_longer_than_a_call(backend_for):
    assert backend_for().capabilities.settle_s == 180
    assert backend_for(timeout_s=10).capabilities.settle_s == 130
    assert backend_for(settle_s=1).capabilities.settle_s == 1


def test_vendor_retries_are_off(backend_for):
    backend = backend_for()
    assert backend.client.max_retries == 0


def test_nothing_is_asked_before_the_first_verb(backend_for, sim):
    assert backend_for().capabilities.dialect == "azure"
    assert sim.requests == []


def test_the_key_does_not_show(backend_for, sim):
    backend = backend_for()
    assert sim.api_key not in repr(backend.settings) + repr(backend.connection) + str(vars(backend))


@pytest.mark.parametrize(("given", "sent"), [("globalstandard", "GlobalStandard"), ("developerTier", "Developer"), (None, None)])
def test_the_training_type_is_sent_in_azures_word(backend_for, sim, submitted, given, sent):
    submitted(backend_for(training_type=given))
    body = next(one.json for one in sim.requests if one.route == CREATE)
    assert body.get("trainingType") == sent


@pytest.mark.parametrize("name", ["recipes", "Recipes v2.1", "a-very-long-name-of-a-job", "größe"])
def test_the_suffix_is_short_has_no_dots_and_carries_the_ref(backend_for, sim, submitted, name):
    order, _ = submitted(backend_for(), name=name)
    suffix = next(one.json["suffix"] for one in sim.requests if one.route == CREATE)
    assert len(suffix) <= 18
    assert suffix.endswith(order.ref[-12:].lower())
    assert all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in suffix)


def test_a_file_is_ready_only_once_azure_has_looked_at_it(backend_for, train):
    backend = backend_for()
    file = backend.upload(train)
    seen = [backend.file_ready(file)]
    while not seen[-1]:
        seen.append(backend.file_ready(file))
    assert seen[0] is False


def test_a_tuned_model_has_no_address_without_a_deployment(backend_for, sim):
    with pytest.raises(Unsupported, match="anytune deploy JOB"):
        backend_for().address(ModelRef(id="gpt-4.1-mini-2025-04-14.ft-0123456789abcdef"))
    assert sim.requests == []


def test_without_its_settings_hosting_names_what_is_missing(sim, order):
    backend = AzureBackend(endpoint=sim.endpoint, api_key=sim.api_key)
    for call in (
        lambda: backend.deploy(order()), lambda: backend.poll_deployment("anytune-x"), lambda: backend.undeploy("anytune-x"),
        backend.list_deployments,
    ):  # fmt: skip
        with pytest.raises(ConfigError, match="AZURE_SUBSCRIPTION_ID"):
            call()


def test_a_deployment_answers_under_its_name(backend_for, sim, trained, order, until):
    backend = backend_for()
    model = trained(backend)
    host = until(backend, backend.deploy(order(model=model.id, sku="developertier")).id, "ready")
    assert (host.address.base_url, f"{sim.resource}/{host.address.model}", host.hourly_usd) == (sim.base_url, host.id, 0.0)
    with Endpoint(host.address) as endpoint:
        assert endpoint.chat("3 cups of rice") == "rice 3"
    with pytest.raises(openai.NotFoundError):
        backend.client.chat.completions.create(model=model.id, messages=[{"role": "user", "content": "3 cups of rice"}])


def test_a_deployment_that_is_made_and_does_not_answer_yet_is_starting(backend_for, sim, trained, order):
    backend = backend_for()
    model = trained(backend)
    sim.faults = sim.faults.model_copy(update={"deployment_lag_s": 300.0})
    host = backend.deploy(order(model=model.id))
    while host.raw["properties"]["provisioningState"] != "Succeeded":
        host = backend.poll_deployment(host.id)
    assert (host.state, host.hourly_usd) == ("starting", 1.70)
    later = sim.clock()
    sim.clock = lambda: later + 301
    assert backend.poll_deployment(host.id).state == "ready"


def test_a_wrong_key_at_the_probe_is_said_and_not_waited_for(backend_for, sim, trained, order, until):
    model = trained(backend_for())
    other = backend_for(api_key="another-key")
    host = other.deploy(order(model=model.id))
    with pytest.raises(openai.AuthenticationError) as caught:
        until(other, host.id, "ready")
    told = other.translate(caught.value)
    assert isinstance(told, AuthError)
    assert "AZURE_OPENAI_ENDPOINT" in told.fix


def test_a_model_with_a_deployment_cannot_be_deleted_and_the_deployment_is_named(backend_for, trained, order, until):
    backend = backend_for()
    model = trained(backend)
    host = until(backend, backend.deploy(order(model=model.id)).id, "ready")
    name = host.address.model
    with pytest.raises(Rejected, match=f"deployed as {name}") as caught:
        backend.delete_model(model)
    assert f"anytune deployments stop {name}" in caught.value.fix
    backend.undeploy(host.id)
    until(backend, host.id, "gone")
    backend.delete_model(model)


def test_a_model_that_is_not_there_is_not_found(backend_for):
    backend = backend_for()
    with pytest.raises(openai.NotFoundError) as caught:
        backend.delete_model(ModelRef(id="gpt-4.1-mini-2025-04-14.ft-00000000000000000000000000000000"))
    assert isinstance(backend.translate(caught.value), NotFound)


def test_a_checkpoint_can_be_deployed(backend_for, trained, order, until, sim):
    backend = backend_for()
    trained(backend)
    points = backend.checkpoints(sim.jobs[0].id)
    assert points, backend.poll(sim.jobs[0].id)
    host = until(backend, backend.deploy(order(model=points[0].model)).id, "ready")
    assert host.model == points[0].model


def test_the_quote_hosts_by_the_sku_that_the_backend_is_set_to(train):
    spec = TrainingSpec(backend="azure", model="gpt-4.1-mini-2025-04-14", train=train.path)
    for sku, hourly in (("standard", 1.70), ("developertier", 0.0)):
        backend = AzureBackend(endpoint="https://recipes.openai.azure.com", api_key="key", sku=sku)
        assert backend.quote(spec, DataStats(rows=12, tokens=600)).hosting_usd_per_hour == hourly


def test_another_host_is_quoted_nothing(backend_for, train):
    spec = TrainingSpec(backend="azure", model="gpt-4.1-mini-2025-04-14", train=train.path)
    assert backend_for().quote(spec, DataStats(rows=12, tokens=600)) == Quote()


# Microsoft's own client


def test_microsofts_management_client_sees_the_same_deployment(backend_for, sim, order, until):
    backend, mine = backend_for(), order(sku="globalstandard", capacity=3)
    host = until(backend, backend.deploy(mine).id, "ready")
    with CognitiveServicesManagementClient(sim.credential(), sim.subscription_id, base_url=sim.arm_url) as client:
        where = (sim.resource_group, *host.id.split("/"))
        seen = client.deployments.get(*where, enforce_https=False)
        assert (seen.name, seen.sku.name.lower(), seen.sku.capacity) == (host.address.model, "globalstandard", 3)
        assert (seen.properties.model.name, seen.properties.model.version) == (mine.model.id, "1")
        assert seen.tags == {"anytune_ref": mine.ref, "anytune_name": "recipes", "anytune_ttl_s": "600"}
        client.deployments.begin_delete(*where, enforce_https=False, polling_interval=0.01).result(timeout=10)
    assert backend.poll_deployment(host.id).state == "gone"


# Entra ID


def test_with_a_credential_each_plane_gets_a_token_of_its_own_audience(backend_for, sim, trained, order, until):
    credential = sim.credential()
    backend = backend_for(api_key=None, arm_token=None, credential=credential)
    model = trained(backend)
    until(backend, backend.deploy(order(model=model.id)).id, "ready")
    assert set(credential.scopes) == {("https://ai.azure.com/.default",), ("https://management.azure.com/.default",)}


def test_the_older_audience_can_be_chosen(backend_for, sim):
    credential = sim.credential()
    backend_for(api_key=None, credential=credential, scope="https://cognitiveservices.azure.com/.default").list_jobs()
    assert credential.scopes == [("https://cognitiveservices.azure.com/.default",)]


def test_a_token_for_another_audience_is_refused_with_the_way_out(backend_for, sim):
    backend = backend_for(api_key=None, credential=sim.credential(), scope="https://graph.microsoft.com/.default")
    with pytest.raises(openai.AuthenticationError) as caught:
        backend.list_jobs()
    assert "Foundry User" in str(backend.translate(caught.value))


def test_tokens_that_expire_are_renewed_between_requests(backend_for, sim, trained, order, until):
    """Tokens live a minute by a clock that jumps two minutes at every look."""
    credential = sim.credential(lives_s=60)
    backend = backend_for(api_key=None, arm_token=None, credential=credential)
    model = trained(backend)
    began = len(credential.scopes)
    backend.poll(sim.jobs[0].id)
    backend.poll(sim.jobs[0].id)
    assert len(credential.scopes) == began + 2
    host = until(backend, backend.deploy(order(model=model.id)).id, "ready")
    later = time.time()
    sim.clock = lambda: later + 61  # what was given before has expired
    credential.lives_s = 200
    assert backend.poll(sim.jobs[0].id).status is Status.SUCCEEDED
    assert backend.poll_deployment(host.id).state == "ready"


def test_the_address_of_a_deployment_gives_tokens_and_stores_none(backend_for, sim, trained, order, until):
    backend = backend_for(api_key=None, arm_token=None, credential=sim.credential())
    model = trained(backend)
    address = until(backend, backend.deploy(order(model=model.id)).id, "ready").address
    assert address.credential is None
    token = address.token()
    assert token.count(".") == 2
    assert token not in address.model_dump_json() + repr(address)


def test_a_token_that_has_ended_says_how_to_get_another(backend_for, sim, order):
    token = sim.credential().get_token("https://management.azure.com/.default").token
    backend = backend_for(arm_token=token)
    later = time.time()
    sim.clock = lambda: later + 7200
    with pytest.raises(AuthError, match="ExpiredAuthenticationToken") as caught:
        backend.list_deployments()
    assert "az account get-access-token --resource https://management.azure.com" in caught.value.fix
    assert token not in f"{caught.value} {caught.value.raw}"


def test_a_credential_that_cannot_log_in_stops_before_the_request(backend_for, sim):
    from azure.identity import CredentialUnavailableError

    class LoggedOut:
        def get_token(self, *scopes, **_):
            raise CredentialUnavailableError(message="Please run 'az login' to set up an account")

    backend = backend_for(api_key=None, credential=LoggedOut())
    with pytest.raises(AuthError, match="managed identity"):
        backend.list_jobs()
    assert sim.requests == []


# What the data plane says


@pytest.mark.parametrize(
    ("status", "code", "kind", "step"),
    [
        (401, "401", AuthError, "AZURE_OPENAI_ENDPOINT"),
        (403, "forbidden", AuthError, "Foundry User"),
        (404, "DeploymentNotFound", NotFound, "anytune deploy"),
        (400, "content_filter", Rejected, "category"),
        (400, "jsonlValidationFailed", Rejected, "anytune data check"),
    ],
)
def test_azures_codes_become_errors_with_a_next_step(backend_for, status, code, kind, step):
    import httpx2

    reply = httpx2.Response(status, request=httpx2.Request("POST", "https://recipes.openai.azure.com/openai/v1/fine_tuning/jobs"))
    error = openai.APIStatusError("No.", response=reply, body={"code": code, "message": "No."})
    told = backend_for().translate(error)
    assert type(told) is kind
    assert step in told.fix


@pytest.mark.parametrize(("kind", "status"), [("error", 503), ("drop", 0)])
def test_an_outage_of_the_management_plane_is_transient(backend_for, sim, kind, status):
    from anytune.errors import Unreachable

    sim.faults = sim.faults.with_calls(WireFault(kind=kind, on="GET /arm/deployments", status=status or 500))
    with pytest.raises(Unreachable):
        backend_for().list_deployments()
