"""Inference Endpoints of the simulated Hub, driven by the real client."""

from __future__ import annotations

import sys
import threading
import time

import httpx2
import psutil
import pytest

from anytune.testing.simulators.faults import WireFault, WireFaults

pytest.importorskip("huggingface_hub")
from huggingface_hub import constants
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, InferenceEndpointError

ORDER = {
    "repository": "ada/tuned",
    "framework": "pytorch",
    "accelerator": "cpu",
    "instance_size": "x1",
    "instance_type": "intel-spr",
    "region": "us-east-1",
    "vendor": "aws",
    "namespace": "ada",
    "task": "text-generation",
}
CREATE = "POST /endpoints/v2/endpoint/{namespace}"
ENGINE = """
import http.server, json, pathlib, sys

class Engine(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(pathlib.Path("weights").read_bytes() + repr(self.headers.get("Authorization")).encode())
    def log_message(self, *words):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Engine).serve_forever()
"""


def until(true, within_s=20):
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
    return found


@pytest.fixture
def found(monkeypatch):
    """Let the client find the endpoints of a Hub: their address is built into it."""

    def at(hub):
        monkeypatch.setattr(constants, "INFERENCE_ENDPOINTS_ENDPOINT", hub.endpoints_url)
        return hub

    return at


@pytest.fixture
def hub(start, found):
    hub = found(start(start_s=0.05, wake_s=0.3))
    hub.add("model", "ada/tuned", {"weights": "1 2 3"}, private=True)
    return hub


@pytest.fixture
def deploy(hub, api):
    def order(name="tuned", **more):
        return api.create_inference_endpoint(name, **{**ORDER, "token": hub.token, **more})

    return order


def settled(endpoint, *states):
    until(lambda: endpoint.fetch().status in states)
    return endpoint


def chat(endpoint, token, **more):
    body = {"model": "ada/tuned", "messages": [{"role": "user", "content": "basil"}], **more}
    return httpx2.post(f"{endpoint.url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10)


def test_an_endpoint_comes_up_and_answers(hub, deploy):
    endpoint = deploy()
    assert (endpoint.status, endpoint.url) == ("pending", None)
    endpoint.wait(timeout=30, refresh_every=1)
    assert endpoint.status == "running"
    assert endpoint.revision in {None, hub.store.get("model", "ada/tuned").sha}
    assert chat(endpoint, hub.token).json()["choices"][0]["message"]["content"] == "ada/tuned heard: basil"


def test_the_clients_own_chat_works(deploy):
    client = deploy().wait(timeout=30, refresh_every=1).client  # kept: a stream ends with the client it came from
    said = client.chat_completion([{"role": "user", "content": "basil"}])
    assert said.choices[0].message.content == "ada/tuned heard: basil"
    pieces = client.chat_completion([{"role": "user", "content": "basil"}], stream=True)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == "ada/tuned heard: basil"


def test_an_image_of_its_own_knows_the_names_it_serves(hub, deploy):
    image = {"vLLM": {"url": "vllm/vllm-openai", "port": 8000}}
    endpoint = deploy(custom_image=image, container_args=["--served-model-name", "short"]).wait(timeout=30, refresh_every=1)
    assert chat(endpoint, hub.token, model="short").status_code == 200
    assert chat(endpoint, hub.token, model="dummy").status_code == 404


def test_the_token_is_demanded(hub, deploy):
    endpoint = deploy().wait(timeout=30, refresh_every=1)
    assert chat(endpoint, "hf_wrong").status_code == 401
    assert httpx2.get(f"{endpoint.url}/health").status_code == 401
    assert httpx2.get(f"{endpoint.url}/v1/models", headers={"Authorization": f"Bearer {hub.token}"}).status_code == 200


@pytest.mark.parametrize(("kind", "status"), [("private", 403), ("authenticated", 200), ("public", 200)])
def test_the_type_says_whose_token_is_good(hub, deploy, kind, status):
    endpoint = deploy(type=kind).wait(timeout=30, refresh_every=1)
    assert chat(endpoint, hub.token_for("bob")).status_code == status


@pytest.mark.parametrize("order", [{"repository": "ada/nothing"}, {"revision": "0" * 40}])
def test_what_is_not_there_cannot_be_served(deploy, order):
    endpoint = deploy(**order)
    with pytest.raises(InferenceEndpointError):
        endpoint.wait(timeout=30, refresh_every=1)
    assert "not found" in endpoint.raw["status"]["message"]


def test_a_private_repo_of_somebody_else_is_not_served(hub, deploy):
    hub.add("model", "bob/own", {"weights": "4"}, private=True)
    assert settled(deploy(repository="bob/own"), "failed", "running").status == "failed"


def test_a_revision_is_pinned_to_its_commit(hub, deploy):
    first = hub.store.get("model", "ada/tuned").sha
    hub.add("model", "ada/tuned", {"weights": "4"})
    assert settled(deploy(revision=first), "running").revision == first


def test_a_paused_endpoint_stops_until_it_is_resumed(hub, deploy):
    endpoint = settled(deploy(), "running")
    url = endpoint.url
    endpoint.pause()
    assert (endpoint.status, endpoint.url) == ("paused", None)
    assert httpx2.get(f"{url}/health", headers={"Authorization": f"Bearer {hub.token}"}).status_code == 503
    assert endpoint.fetch().status == "paused"
    endpoint.resume()
    assert settled(endpoint, "running").url == url


def test_what_runs_already_may_be_resumed(api, hub, deploy):
    endpoint = settled(deploy(), "running")
    assert endpoint.resume().status == "running"
    with pytest.raises(BadRequestError, match="already running"):
        api.resume_inference_endpoint("tuned", namespace="ada", running_ok=False, token=hub.token)


def test_an_endpoint_at_zero_wakes_when_it_is_asked(hub, deploy):
    endpoint = settled(deploy(), "running")
    endpoint.scale_to_zero()
    assert (endpoint.status, endpoint.url is not None) == ("scaledToZero", True)
    time.sleep(0.1)
    assert endpoint.fetch().status == "scaledToZero"
    assert chat(endpoint, hub.token).status_code == 503
    assert endpoint.fetch().status == "initializing"
    url = settled(endpoint, "running").url
    assert url
    assert chat(endpoint, hub.token).status_code == 200


def test_a_stranger_wakes_nothing(hub, deploy):
    endpoint = settled(deploy(), "running")
    endpoint.scale_to_zero()
    assert chat(endpoint, "hf_wrong").status_code == 401
    assert endpoint.fetch().status == "scaledToZero"


def test_an_endpoint_that_nobody_asks_goes_to_zero(start, found, connect):
    now = [1_800_000_000.0]
    hub = found(start(start_s=0.0, clock=lambda: now[0]))
    hub.add("model", "ada/tuned", {"weights": "1"})
    api = connect(hub)
    order = ORDER | {"min_replica": 0, "scale_to_zero_timeout": 15, "token": hub.token}
    endpoint = settled(api.create_inference_endpoint("tuned", **order), "running")
    now[0] += 14 * 60
    assert chat(endpoint, hub.token).status_code == 200
    now[0] += 14 * 60
    time.sleep(0.2)
    assert endpoint.fetch().status == "running"
    now[0] += 2 * 60
    settled(endpoint, "scaledToZero")


def test_a_change_gives_a_new_engine(hub, deploy):
    endpoint = settled(deploy(env={"A": "1"}), "running")
    hub.add("model", "ada/better", {"weights": "4"})
    endpoint.update(repository="ada/better", instance_size="x2")
    assert endpoint.status == "updating"
    settled(endpoint, "running")
    assert (endpoint.repository, endpoint.raw["compute"]["instanceSize"], endpoint.raw["model"]["env"]) == ("ada/better", "x2", {"A": "1"})
    assert chat(endpoint, hub.token, model="ada/better").status_code == 200


def test_a_change_that_cannot_be_served_fails(deploy):
    endpoint = settled(deploy(), "running")
    endpoint.update(repository="ada/nothing")
    with pytest.raises(InferenceEndpointError, match="update"):
        endpoint.wait(timeout=30, refresh_every=1)


def test_a_deleted_endpoint_is_gone_with_its_address(api, hub, deploy):
    endpoint = settled(deploy(), "running")
    url = endpoint.url
    endpoint.delete()
    assert not api.list_inference_endpoints("ada", token=hub.token)
    with pytest.raises(HfHubHTTPError) as missing:
        endpoint.fetch()
    assert missing.value.response.status_code == 404
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url)


def test_endpoints_are_listed_by_namespace(api, hub, deploy):
    deploy("one"), deploy("two"), deploy("three", namespace="acme")
    assert [each.name for each in api.list_inference_endpoints("ada", token=hub.token)] == ["one", "two"]


def test_a_name_is_taken_once(deploy):
    deploy()
    with pytest.raises(HfHubHTTPError) as refused:
        deploy()
    assert refused.value.response.status_code == 409


@pytest.mark.parametrize(
    ("order", "reason"), [({"name": "Big Name"}, "name"), ({"instance_type": "abacus"}, "no compute"), ({"type": "secret"}, "type")]
)
def test_an_order_that_makes_no_sense_is_refused(hub, deploy, order, reason):
    with pytest.raises(BadRequestError, match=reason):
        deploy(**order)
    assert not hub.endpoints


def test_who_cannot_pay_gets_no_endpoint(hub, deploy):
    hub.credit = False
    with pytest.raises(HfHubHTTPError) as refused:
        deploy()
    assert refused.value.response.status_code == 402


def test_somebody_else_sees_no_endpoints(api, hub, deploy):
    deploy()
    token = hub.token_for("bob")
    with pytest.raises(HfHubHTTPError) as refused:
        api.get_inference_endpoint("tuned", namespace="ada", token=token)
    assert refused.value.response.status_code == 403


def test_a_lost_reply_leaves_exactly_one_endpoint(start, found, connect):
    hub = found(start(faults=WireFaults(calls=(WireFault(kind="drop_reply", on=CREATE),))))
    hub.add("model", "ada/tuned", {"weights": "1"})
    api = connect(hub)
    with pytest.raises(httpx2.HTTPError):
        api.create_inference_endpoint("tuned", **ORDER, token=hub.token)
    assert [each.name for each in api.list_inference_endpoints("ada", token=hub.token)] == ["tuned"]


def test_secrets_are_shown_nowhere(api, hub, deploy):
    image = {"url": "registry/image", "port": 80}
    endpoint = deploy(
        secrets={"KEY": "extremely-secret"},
        custom_image=image,
        container_registry_username="ada",
        container_registry_password="extremely-secret",
    )
    assert endpoint.raw["model"]["image"] == {"custom": image}
    assert "extremely-secret" not in repr([hub.requests, hub.endpoints, endpoint.raw])


def test_hardware_has_prices_and_what_is_used(api, hub, deploy):
    settled(deploy(), "running")
    hardware = {each.id: each for each in api.list_inference_endpoints_hardware(namespace="ada", token=hub.token)}
    assert hardware["aws-us-east-1-intel-spr-x1"].price_per_hour == 0.033
    assert hardware["aws-us-east-1-intel-spr-x1"].used_accelerators == 1
    assert hardware["aws-us-east-1-nvidia-l4-x1"].gpu_memory_gb == 24


def test_a_command_serves_a_copy_of_the_repo(start, found, connect):
    asked = []

    def serve(folder, port):
        asked.append(folder)
        return [sys.executable, "-c", ENGINE, str(port)]

    hub = found(start(start_s=0.0, serve=serve))
    hub.add("model", "ada/tuned", {"weights": "1 2 3"})
    endpoint = connect(hub).create_inference_endpoint("tuned", **ORDER, token=hub.token).wait(timeout=30, refresh_every=1)
    reply = httpx2.get(f"{endpoint.url}/anything", headers={"Authorization": f"Bearer {hub.token}"})
    assert reply.text == "1 2 3None"
    endpoint.pause()
    until(lambda: not asked[0].exists())
    assert not [each for each in psutil.Process().children(recursive=True) if ENGINE in each.cmdline()]


def test_a_command_that_ends_is_a_failure(start, found, connect):
    hub = found(start(start_s=0.0, serve=lambda folder, port: [sys.executable, "-c", "raise SystemExit(5)"]))
    hub.add("model", "ada/tuned", {"weights": "1"})
    endpoint = settled(connect(hub).create_inference_endpoint("tuned", **ORDER, token=hub.token), "failed")
    assert "5" in endpoint.raw["status"]["message"]


def test_closing_ends_every_endpoint(start, found, connect):
    before = set(threading.enumerate())
    hub = found(start(start_s=0.0))
    hub.add("model", "ada/tuned", {"weights": "1"})
    endpoint = settled(connect(hub).create_inference_endpoint("tuned", **ORDER, token=hub.token), "running")
    hub.close()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(endpoint.url)
    assert not [each for each in threading.enumerate() if each not in before and each.name.startswith(("endpoint-", "engine-"))]
