"""How the simulated Azure Resource Manager refuses, read by Microsoft's own management client."""

from __future__ import annotations

from contextlib import closing

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
)
from azure.mgmt.cognitiveservices.models import Sku
from tests.simulators.arm import Arm, ask, wanted
from tests.simulators.azure import TUNED, Clock

from anytune.testing import AzureSimulator, WireFault, WireFaults
from anytune.testing.simulators.arm_errors import ARM_REFUSALS
from anytune.testing.simulators.arm_records import API_VERSIONS


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def azure(clock):
    with AzureSimulator(clock=clock) as simulator:
        simulator.add_model(TUNED)
        yield simulator


@pytest.fixture
def arm(azure):
    with closing(Arm(azure)) as client:
        yield client


def test_too_much_capacity_is_refused_in_microsofts_words(arm):
    arm.put("first", capacity=200)
    with pytest.raises(HttpResponseError) as refused:
        arm.put("second", capacity=60)
    assert (refused.value.status_code, refused.value.error.code) == (400, "InsufficientQuota")
    assert refused.value.error.message == (
        "This operation require 60 new capacity in quota Tokens Per Minute (thousands) - gpt-4.1-mini-2025-04-14, which is bigger than the"
        " current available capacity 50. The current quota usage is 200 and the quota limit is 250 for quota Tokens Per Minute (thousands)"
        " - gpt-4.1-mini-2025-04-14."
    )
    assert arm.put("second", sku="globalstandard", capacity=60).sku.name == "GlobalStandard"
    with pytest.raises(HttpResponseError, match="InsufficientQuota"):
        arm.patch("first", sku=Sku(name="Standard", capacity=251))


def test_an_unknown_model_sku_name_or_capacity_is_refused(azure):
    def code(**changes):
        name = changes.pop("name", "recipes")
        reply = ask(azure, "PUT", f"/deployments/{name}", json=wanted(**changes))
        return reply.status_code, reply.json()["error"]["code"]

    assert code(model="gpt-4.1-mini-2025-04-14.ft-unknown") == (400, "DeploymentModelNotSupported")
    assert code(model="gpt-4.1-mini", version="1999-01-01") == (400, "DeploymentModelNotSupported")
    assert code(form="Meta") == (400, "DeploymentModelNotSupported")
    assert code(sku="Premium") == (400, "InvalidResourceProperties")
    assert code(capacity=0) == (400, "InvalidResourceProperties")
    assert code(capacity="ten") == (400, "InvalidResourceProperties")
    assert code(name="x") == (400, "InvalidResourceName")
    assert ask(azure, "PUT", json={}).json()["error"]["code"] == "InvalidResourceProperties"
    assert azure.deployments == {}
    assert ask(azure, "PUT", json=wanted("gpt-4.1-mini", version="2025-04-14", sku="GlobalStandard")).status_code == 201


def test_a_resource_takes_so_many_deployments_and_no_more(clock):
    with AzureSimulator(clock=clock, max_deployments=1) as azure, closing(Arm(azure)) as arm:
        azure.add_model(TUNED)
        arm.put("first")
        with pytest.raises(HttpResponseError, match="which is the limit"):
            arm.put("second")


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "AuthenticationFailed"),
        ("a.b.c", "InvalidAuthenticationToken"),
        ("stranger", "InvalidAuthenticationToken"),
        ("for the data plane", "InvalidAuthenticationTokenAudience"),
        ("ended", "ExpiredAuthenticationToken"),
    ],
)
def test_a_token_that_does_not_hold_is_refused_with_a_challenge(azure, token, code):
    if token == "for the data plane":
        token = azure.credential().get_token("https://ai.azure.com/.default").token
    elif token == "ended":
        token = azure.credential(lives_s=-1).get_token("https://management.azure.com/.default").token
    refused = ask(azure, "GET", token=token)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, code)
    assert refused.headers["www-authenticate"].startswith("Bearer authorization_uri=")


def test_microsofts_client_asks_for_the_scope_of_arm_and_tells_a_bad_token(azure):
    with closing(Arm(azure)) as arm:
        credential = arm.client._config.credential
        assert arm.names() == []
        assert credential.scopes == [("https://management.azure.com/.default",)]
    azure.entra_token = "another"
    with closing(Arm(azure)) as arm:
        arm.client._config.credential._secret = "old"
        with pytest.raises(ClientAuthenticationError):
            arm.names()


def test_versions_of_the_api_are_required_and_known(azure):
    missing = ask(azure, "GET", version=None)
    assert (missing.status_code, missing.json()["error"]["code"]) == (400, "MissingApiVersionParameter")
    unknown = ask(azure, "GET", version="2019-01-01")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "InvalidApiVersionParameter")
    assert [ask(azure, "GET", "/deployments", version=version).status_code for version in API_VERSIONS] == [200] * len(API_VERSIONS)


def test_other_subscriptions_groups_and_accounts_are_not_there(azure):
    def code(old, new):
        return ask(azure, "GET", account=azure.account_id.replace(old, new)).json()["error"]["code"]

    assert code(azure.subscription_id, "11111111-1111-1111-1111-111111111111") == "SubscriptionNotFound"
    assert code(azure.resource_group, "elsewhere") == "ResourceGroupNotFound"
    assert code(azure.resource, "nobody") == "ResourceNotFound"
    assert ask(azure, "GET", "/nothing/here").json()["error"]["code"] == "InvalidResourceType"


def test_who_may_not_write_is_told_which_action(azure, arm):
    azure.unauthorized = {"write"}
    with pytest.raises(HttpResponseError) as refused:
        arm.put()
    assert (refused.value.status_code, refused.value.error.code) == (403, "AuthorizationFailed")
    assert "'Microsoft.CognitiveServices/accounts/deployments/write'" in refused.value.error.message
    assert arm.names() == []


@pytest.mark.parametrize(("on", "name"), [("PUT /arm/deployments/{name}", "deployment_not_fond"), ("GET /files", "request_conflict")])
def test_a_refusal_of_the_other_plane_or_of_none_is_refused(azure, on, name):
    with pytest.raises(ValueError, match=f"no error '{name}'"):
        azure.faults = WireFaults(calls=(WireFault(kind="refuse", name=name, on=on),))


def test_throttling_names_the_seconds_to_wait(azure):
    azure.faults = WireFaults(calls=(WireFault(kind="refuse", name="too_many_requests", on="PUT /arm/deployments/{name}"),))
    refused = ask(azure, "PUT", json=wanted())
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["error"]["code"]) == (429, "17", "TooManyRequests")
    assert ask(azure, "PUT", json=wanted()).status_code == 201


@pytest.mark.parametrize("name", sorted(ARM_REFUSALS))
def test_every_refusal_has_the_shape_that_microsofts_client_reads(azure, name):
    azure.faults = WireFaults(calls=(WireFault(kind="refuse", name=name, on="GET /arm/deployments/{name}"),))
    reply = ask(azure, "GET")
    assert reply.status_code == ARM_REFUSALS[name].status
    assert set(reply.json()) == {"error"}
    assert set(reply.json()["error"]) == {"code", "message"}
    assert "{" not in reply.json()["error"]["message"]
    azure.faults = WireFaults(calls=(WireFault(kind="refuse", name=name, on="GET /arm/deployments/{name}", times=9, skip=1),))
    with closing(Arm(azure)) as arm, pytest.raises(HttpResponseError) as refused:
        arm.get()
    assert refused.value.status_code == ARM_REFUSALS[name].status
    if reply.status_code != 401:
        assert refused.value.error.code == ARM_REFUSALS[name].code
