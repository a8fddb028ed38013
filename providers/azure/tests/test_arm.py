"""The client of the management plane against a real server."""

from __future__ import annotations

import http.server
import threading

import pytest

from anytune.errors import AuthError, ConfigError, MalformedReply, NotFound, QuotaExceeded, RateLimited, Rejected, Unreachable
from anytune.testing import WireFault
from anytune_azure.arm import API_VERSION, Arm
from anytune_azure.deployments import Chosen, named
from anytune_azure.identity import identity
from anytune_azure.settings import Target

GET, PUT, DELETE, LIST = (
    "GET /arm/deployments/{name}", "PUT /arm/deployments/{name}", "DELETE /arm/deployments/{name}", "GET /arm/deployments",
)  # fmt: skip


def body(order):
    return Chosen.of(order.options, sku="standard", capacity=1).body(order)


def put(arm, order):
    return arm.put(named(order), body(order))


def break_it(sim, name, on=PUT, **more):
    sim.faults = sim.faults.with_calls(WireFault(kind="refuse", name=name, on=on, **more))


def test_a_deployment_is_made_seen_listed_and_deleted(sim, arm, order):
    mine = order()
    assert put(arm, mine)["properties"]["provisioningState"] == "Accepted"
    while arm.get(named(mine))["properties"]["provisioningState"] != "Succeeded":
        pass
    assert [row["name"] for row in arm.all()] == [named(mine)]
    arm.delete(named(mine))
    assert arm.get(named(mine))["properties"]["provisioningState"] == "Deleting"
    with pytest.raises(NotFound, match="There is no deployment"):
        arm.get(named(mine))


def test_every_request_names_the_version_and_is_made_once(sim, arm, order):
    put(arm, order())
    assert sim.requests[-1].query == {"api-version": API_VERSION}
    assert len(sim.requests) == 1


def test_the_list_is_followed_over_its_pages(sim, arm, order):
    sim.arm_page_size = 2
    for number in range(5):
        put(arm, order(name=f"n{number}"))
        while arm.all()[-1]["properties"]["provisioningState"] != "Succeeded":
            arm.get(arm.all()[-1]["name"])
    assert len(arm.all()) == 5


def test_deleting_what_is_not_there_is_no_error(sim, arm):
    arm.delete("anytune-nobody")
    assert sim.count(DELETE) == 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"account_name": "nobody"}, "account_name"),
        ({"resource_group": "nobody"}, "resource_group"),
        ({"subscription_id": "00000000-0000-0000-0000-000000000000"}, "az account list"),
    ],
)
def test_a_wrong_setting_is_never_taken_for_a_deployment_that_is_gone(arm_for, change, word):
    arm = arm_for(**change)
    for call in (lambda: arm.get("anytune-x"), lambda: arm.delete("anytune-x"), arm.all, lambda: arm.put("anytune-x", {})):
        with pytest.raises(ConfigError, match=word):
            call()


def test_a_404_that_the_list_denies_is_not_believed(sim, arm, order):
    mine = order()
    put(arm, mine)
    break_it(sim, "deployment_not_found", GET)
    with pytest.raises(Unreachable, match="denies"):
        arm.get(named(mine))


@pytest.mark.parametrize(
    ("name", "kind", "step"),
    [
        ("authentication_failed", AuthError, "az account get-access-token"),
        ("invalid_token", AuthError, "az account get-access-token"),
        ("expired_token", AuthError, "az account get-access-token"),
        ("wrong_audience", AuthError, "https://management.azure.com"),
        ("authorization_failed", AuthError, "Microsoft.CognitiveServices/accounts/deployments/write"),
        ("special_feature", Rejected, "kind of subscription"),
        ("subscription_not_found", ConfigError, "AZURE_SUBSCRIPTION_ID"),
        ("resource_group_not_found", ConfigError, "AZURE_RESOURCE_GROUP"),
        ("account_not_found", ConfigError, "AZURE_OPENAI_ACCOUNT"),
        ("insufficient_quota", QuotaExceeded, "az cognitiveservices usage list"),
        ("model_not_supported", Rejected, "source="),
        ("sku_not_supported", Rejected, "sku"),
        ("capacity_required", Rejected, "capacity"),
        ("request_conflict", Unreachable, "try again in a minute"),
        ("too_many_requests", RateLimited, "Wait"),
        ("server_error", Unreachable, "Try again"),
        ("deployment_limit", QuotaExceeded, "delete others"),
        ("missing_api_version", Rejected, "Correct"),
        ("invalid_api_version", Rejected, "Correct"),
    ],
)
def test_every_refusal_becomes_the_right_error_with_a_next_step(sim, arm, order, name, kind, step):
    break_it(sim, name)
    with pytest.raises(kind) as caught:
        put(arm, order())
    assert type(caught.value) is kind
    assert step in caught.value.fix
    assert caught.value.raw
    assert sim.count(PUT) == 1
    assert sim.deployments == {}


def test_what_the_quota_says_is_shown(sim, arm, order):
    mine = order(capacity=500)
    with pytest.raises(QuotaExceeded, match=r"500 new capacity.*bigger than the current available capacity 250"):
        put(arm, mine)


def test_the_wait_that_azure_asks_for_is_kept(sim, arm, order):
    break_it(sim, "too_many_requests")
    with pytest.raises(RateLimited) as caught:
        put(arm, order())
    assert caught.value.retry_after == 17


def test_a_token_of_the_data_plane_does_not_open_it(sim, arm_for):
    token = sim.credential().get_token("https://ai.azure.com/.default").token
    with pytest.raises(AuthError, match="wrong audience") as caught:
        arm_for(token=token).all()
    assert token not in str(caught.value)
    assert token not in str(caught.value.raw)


def test_a_lost_reply_is_unreachable_and_the_put_is_the_same_again(sim, arm, order):
    mine = order()
    sim.faults = sim.faults.with_calls(WireFault(kind="drop_reply", on=PUT))
    with pytest.raises(Unreachable):
        put(arm, mine)
    put(arm, mine)
    assert list(sim.deployments) == [named(mine)]


def test_silence_is_unreachable(sim, arm_for, order):
    sim.faults = sim.faults.with_calls(WireFault(kind="slow", on=LIST, delay_s=1.0))
    with pytest.raises(Unreachable, match=r"did not answer within 0\.1 s"):
        arm_for(timeout_s=0.1).all()


@pytest.mark.parametrize("kind", ["html", "truncated"])
def test_a_reply_that_is_none_is_transient(sim, arm, kind):
    sim.faults = sim.faults.with_calls(WireFault(kind=kind, on=LIST))
    with pytest.raises((MalformedReply, Unreachable)):
        arm.all()


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    reply: tuple[int, dict[str, str], bytes]

    def do_GET(self):
        self.server.seen.append(self.headers.get("Authorization"))
        status, headers, body = self.server.reply
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def answering():
    """Start a server that gives one answer to everything."""
    started = []

    def start(status=200, headers=None, body=b""):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
        server.reply, server.seen = (status, headers or {}, body), []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        started.append(server)
        return server, f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def plain(url):
    return Arm(url, identity("scope", setting="arm_token", token="a-token"), Target("s", "g", "a"), timeout_s=5.0)


def test_the_token_is_not_carried_to_another_host_by_a_next_page(answering):
    thief, elsewhere = answering(body=b'{"value": []}')
    _, here = answering(body=f'{{"value": [], "nextLink": "{elsewhere}/more"}}'.encode())
    with pytest.raises(MalformedReply, match="another host"):
        plain(here).all()
    assert thief.seen == []


def test_the_token_is_not_carried_to_another_host_by_a_redirect(answering):
    thief, elsewhere = answering(body=b'{"value": []}')
    _, here = answering(status=302, headers={"Location": elsewhere})
    with pytest.raises(MalformedReply):
        plain(here).all()
    assert thief.seen == []


def test_a_list_without_an_end_is_left(answering):
    server, here = answering()
    server.reply = (200, {}, f'{{"value": [], "nextLink": "{here}/again"}}'.encode())
    with pytest.raises(MalformedReply, match="does not end"):
        plain(here).all()


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Rejected), (401, AuthError), (403, AuthError), (409, Unreachable), (429, RateLimited), (503, Unreachable)]
)
def test_a_refusal_without_a_body_goes_by_its_status(answering, status, kind):
    _, here = answering(status=status)
    with pytest.raises(kind) as caught:
        plain(here).all()
    assert caught.value.fix


def test_a_code_inside_of_another_is_found(answering):
    inside = b'{"error": {"code": "InvalidTemplateDeployment", "message": "See inner errors.", "details": [{"code": "InsufficientQuota", "message": "50 new."}]}}'
    _, here = answering(status=400, body=inside)
    with pytest.raises(QuotaExceeded, match=r"See inner errors\. 50 new\."):
        plain(here).all()


def test_nobody_at_the_address_is_unreachable():
    with pytest.raises(Unreachable, match="arm_url"):
        plain("http://127.0.0.1:9").all()
