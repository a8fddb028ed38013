"""Azure Resource Manager, simulated, is held against Microsoft's own management client over real HTTP."""

from __future__ import annotations

from contextlib import closing

import httpx2
import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.core.rest import HttpRequest
from azure.mgmt.cognitiveservices.models import Sku
from tests.simulators.arm import DAY_S, Arm, ask, wanted
from tests.simulators.azure import TUNED, Clock

from anytune.testing import AzureSimulator, Life, WireFault, WireFaults
from anytune.testing.simulators.arm_records import STATES

OTHER = "gpt-4.1-mini-2025-04-14.ft-fedcba9876543210fedcba9876543210"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def azure(clock):
    with AzureSimulator(clock=clock) as simulator:
        simulator.add_model(TUNED)
        simulator.add_model(OTHER)
        yield simulator


@pytest.fixture
def arm(azure):
    with closing(Arm(azure)) as client:
        yield client


def test_microsofts_client_creates_gets_lists_changes_and_deletes_a_deployment(azure, arm):
    made = arm.put(tags={"anytune_ref": "01J"})
    assert made.properties.provisioning_state == "Succeeded"
    assert made.id == f"{azure.account_id}/deployments/recipes"
    assert made.type == "Microsoft.CognitiveServices/accounts/deployments"
    assert (made.tags, made.etag[0], made.system_data.created_at.year) == ({"anytune_ref": "01J"}, '"', 2026)
    assert (made.properties.model.name, made.sku.name, made.sku.capacity) == (TUNED, "Standard", 10)
    assert [limit.count for limit in made.properties.rate_limits] == [10, 10_000]
    assert arm.names() == ["recipes"]
    changed = arm.patch(sku=Sku(name="Standard", capacity=20), tags={"by": "patch"})
    assert (changed.sku.capacity, changed.tags) == (20, {"by": "patch"})
    assert changed.etag != made.etag
    assert arm.get().sku.capacity == 20
    arm.delete()
    assert arm.names() == []
    with pytest.raises(ResourceNotFoundError) as gone:
        arm.get()
    assert gone.value.error.code == "ResourceNotFound"
    arm.delete()
    assert azure.deployments == {}


def test_a_put_is_accepted_created_and_succeeds_as_it_is_watched(azure):
    first = ask(azure, "PUT", json=wanted())
    assert (first.status_code, first.json()["properties"]["provisioningState"]) == (201, "Accepted")
    assert first.headers["azure-asyncoperation"].startswith(azure.arm_url)
    assert first.headers["x-ms-request-id"]
    states = [ask(azure, "GET").json()["properties"]["provisioningState"] for _ in range(3)]
    assert states == ["Creating", "Succeeded", "Succeeded"]


def test_a_repeated_put_changes_nothing(azure, arm):
    made = arm.put()
    again = ask(azure, "PUT", json=wanted())
    assert (again.status_code, again.json()["etag"]) == (200, made.etag)
    assert len(azure.deployments) == 1


def test_a_put_of_another_model_under_the_same_name_updates_it(azure, arm):
    arm.put()
    again = ask(azure, "PUT", json=wanted(OTHER))
    assert (again.status_code, again.json()["properties"]["provisioningState"]) == (200, "Accepted")
    assert arm.put(model=OTHER).properties.model.name == OTHER
    assert len(azure.deployments) == 1


def test_a_put_of_another_capacity_is_done_at_once(azure, arm):
    arm.put()
    again = ask(azure, "PUT", json=wanted(capacity=20))
    assert (again.status_code, again.json()["properties"]["provisioningState"], again.json()["sku"]["capacity"]) == (200, "Succeeded", 20)


def test_a_deletion_is_through_only_when_get_says_so(azure, arm):
    arm.put()
    begun = ask(azure, "DELETE")
    assert (begun.status_code, begun.content) == (202, b"")
    assert {"location", "azure-asyncoperation"} <= set(begun.headers)
    assert ask(azure, "GET").json()["properties"]["provisioningState"] == "Deleting"
    assert ask(azure, "GET").status_code == 404
    assert ask(azure, "DELETE").status_code == 204


def test_a_deployment_that_is_being_deleted_can_be_made_again_when_it_is_gone(azure, arm):
    arm.put()
    ask(azure, "DELETE")
    replies = [ask(azure, "PUT", json=wanted()).status_code for _ in range(3)]
    assert replies == [409, 409, 201]


def test_the_location_of_a_deletion_answers_202_and_then_204(azure, arm):
    arm.put()
    headers = {"Authorization": f"Bearer {azure.entra_token}"}
    location = ask(azure, "DELETE").headers["location"]
    assert [httpx2.get(location, headers=headers).status_code for _ in range(3)] == [202, 204, 204]


def test_the_operation_of_a_deletion_ends_as_succeeded(azure, arm):
    arm.put()
    headers = {"Authorization": f"Bearer {azure.entra_token}"}
    watched = ask(azure, "DELETE").headers["azure-asyncoperation"]
    assert [httpx2.get(watched, headers=headers).json()["status"] for _ in range(3)] == ["InProgress", "Succeeded", "Succeeded"]


def test_names_and_the_ids_in_the_path_are_compared_without_case(azure, arm):
    arm.put("Recipes")
    shouted = azure.account_id.replace("resourceGroups", "resourcegroups").replace(azure.resource, azure.resource.upper())
    assert ask(azure, "GET", "/deployments/RECIPES", account=shouted).json()["name"] == "Recipes"


def test_lists_come_in_pages(azure, arm):
    azure.arm_page_size = 2
    for name in ("aa", "bb", "cc", "dd", "ee"):
        arm.put(name)
    assert arm.names() == ["aa", "bb", "cc", "dd", "ee"]
    assert azure.count("GET /arm/deployments") == 3


def test_the_account_its_models_quotas_and_skus_can_be_asked_for(azure, arm):
    arm.put(capacity=40)
    account = arm.client.accounts.get(*arm.where, enforce_https=False)
    assert (account.name, account.location, account.properties.endpoint) == (azure.resource, "eastus2", f"{azure.url}/")
    models = {one.name: one.version for one in arm.client.accounts.list_models(*arm.where, enforce_https=False)}
    assert models["gpt-4.1-mini"] == "2025-04-14"
    used = {one.name.value: (one.current_value, one.limit) for one in arm.client.usages.list("eastus2", enforce_https=False)}
    assert used["OpenAI.Standard"] == (40, 250)
    skus = {one.sku.name for one in arm.client.deployments.list_skus(*arm.where, "recipes", enforce_https=False)}
    assert skus == {"Standard", "GlobalStandard", "DataZoneStandard", "DeveloperTier"}
    with pytest.raises(ResourceNotFoundError):
        list(arm.client.deployments.list_skus(*arm.where, "other", enforce_https=False))


def test_one_operation_at_a_time_goes_on_in_a_resource(azure, arm):
    assert ask(azure, "PUT", "/deployments/first", json=wanted()).status_code == 201
    with pytest.raises(ResourceExistsError) as refused:
        arm.put("second")
    assert refused.value.error.code == "RequestConflict"
    assert refused.value.error.message == (
        f"Another operation is being performed on the parent resource '{azure.account_id}'. Please try again later."
    )
    with pytest.raises(ResourceExistsError):
        arm.delete("first")
    assert arm.put("second").properties.provisioning_state == "Succeeded"
    assert arm.names() == ["first", "second"]


def test_a_deployment_that_could_not_be_provisioned_says_why(azure, arm):
    azure.faults = WireFaults(arm_failure="InternalServerError")
    with pytest.raises(HttpResponseError) as failed:
        arm.put()
    assert (failed.value.status_code, failed.value.error.code) == (200, "InternalServerError")
    assert arm.get().properties.provisioning_state == "Failed"
    azure.faults = WireFaults()
    assert arm.put().properties.provisioning_state == "Succeeded"
    arm.delete()
    assert arm.names() == []


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_microsofts_occurs_in_some_life(clock, state):
    with AzureSimulator(clock=clock, provisioning=Life(words=("Accepted", state))) as azure:
        azure.add_model(TUNED)
        ask(azure, "PUT", json=wanted())
        assert ask(azure, "GET").json()["properties"]["provisioningState"] == state


def test_the_clock_may_move_a_deployment_instead_of_polls(clock):
    with AzureSimulator(clock=clock, provisioning=Life(words=("Accepted", "Creating", "Succeeded"), tick_s=60)) as azure:
        azure.add_model(TUNED)
        ask(azure, "PUT", json=wanted())

        def state():
            reply = ask(azure, "GET")
            return reply.json()["properties"]["provisioningState"] if reply.status_code == 200 else reply.status_code

        assert [state(), state()] == ["Accepted", "Accepted"]
        clock.now += 61
        assert state() == "Creating"
        clock.now += 60
        assert state() == "Succeeded"
        ask(azure, "DELETE")
        assert [state(), state()] == ["Deleting", "Deleting"]
        clock.now += 121
        assert state() == 404


def test_a_developer_deployment_is_gone_after_a_day(azure, arm, clock):
    assert arm.put(sku="developertier").sku.name == "DeveloperTier"
    clock.now += DAY_S - 1
    assert arm.names() == ["recipes"]
    clock.now += 1
    assert arm.names() == []


def test_the_developer_tier_needs_a_young_version_and_a_tuned_model(azure):
    old = ask(azure, "PUT", json=wanted(sku="DeveloperTier"), version="2024-10-01")
    assert (old.status_code, old.json()["error"]["code"]) == (400, "InvalidResourceProperties")
    base = ask(azure, "PUT", json=wanted("gpt-4.1-mini", version="2025-04-14", sku="DeveloperTier"))
    assert "The specified SKU 'DeveloperTier' of account deployment is not supported by the model" in base.json()["error"]["message"]
    assert ask(azure, "PUT", json=wanted(sku="DeveloperTier"), version="2025-07-01-preview").status_code == 201


def test_a_deployment_that_nobody_calls_is_deleted_after_fifteen_days(azure, arm, clock):
    arm.put()
    clock.now += 14 * DAY_S
    assert azure.answering("recipes") is not None
    clock.now += 14 * DAY_S
    assert arm.names() == ["recipes"]
    clock.now += DAY_S
    assert arm.names() == []


def test_deployments_may_vanish_by_themselves(azure, arm, clock):
    arm.put()
    azure.faults = WireFaults(vanish_after_s=30)
    assert arm.names() == ["recipes"]
    clock.now += 30
    with pytest.raises(ResourceNotFoundError):
        arm.get()


def test_a_deployment_answers_some_time_after_it_succeeded(azure, arm, clock):
    azure.faults = WireFaults(deployment_lag_s=300)
    arm.put()
    assert azure.answering("recipes") is None
    clock.now += 300
    assert azure.answering("RECIPES").model["name"] == TUNED


def test_a_put_whose_reply_is_lost_took_effect_once(azure):
    azure.faults = WireFaults(calls=(WireFault(kind="drop_reply", on="PUT /arm/deployments/{name}"),))
    with pytest.raises(httpx2.TransportError):
        ask(azure, "PUT", json=wanted())
    assert ask(azure, "PUT", json=wanted()).status_code == 200
    assert azure.count("PUT /arm/deployments/{name}") == 2


def test_requests_that_were_made_can_be_read_without_their_tokens(azure, arm):
    response = arm.client._send_request(HttpRequest("GET", f"{azure.account_id}?api-version=2025-09-01"), enforce_https=False)
    assert response.status_code == 200
    assert azure.requests[-1].route == "GET /arm"
    assert "authorization" not in azure.requests[-1].headers
