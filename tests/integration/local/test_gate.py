"""What the gate lets through to the engine, and what not: real HTTP on loopback, one endpoint for all tests."""

from __future__ import annotations

import json
import time

import httpx2
import psutil
import pytest

from anytune import local

ASK = {"model": "tuned", "messages": [{"role": "user", "content": "one two three"}]}


@pytest.fixture(scope="module")
def endpoint(shared_machine):
    """Give a ready endpoint: (machine, its address, what the engine saw)."""
    machine = shared_machine
    seen = machine.home / "seen"
    machine.start_agent()
    machine.serve("web", "--seen", str(seen))
    assert machine.state("web", "ready").status == "ready", local.state("web").error
    return machine, local.address("web"), lambda: [json.loads(line) for line in seen.read_text().splitlines()]


@pytest.fixture
def machine(endpoint):
    return endpoint[0]


@pytest.fixture
def served(endpoint):
    """Give a client with the token, and what the engine saw."""
    _, address, seen = endpoint
    headers = {"authorization": f"Bearer {address.credential.get_secret_value()}"}
    with httpx2.Client(base_url=address.base_url.removesuffix("/v1"), headers=headers, trust_env=False, timeout=30) as client:
        yield client, seen


def test_a_chat_passes_with_the_engines_own_name_and_without_the_token(served):
    client, seen = served
    reply = client.post("/v1/chat/completions", json=ASK)
    assert reply.status_code == 200
    assert reply.json()["choices"][0]["message"]["content"] == "echo one two three"
    assert seen()[-1]["body"]["model"] == "inner/model"
    assert "authorization" not in seen()[-1]["headers"]


def test_openais_own_client_works(served):
    import openai

    client, _ = served
    key = client.headers["authorization"].removeprefix("Bearer ")
    with openai.OpenAI(base_url=f"{client.base_url}/v1/".replace("//v1", "/v1"), api_key=key, max_retries=0) as official:
        assert official.chat.completions.create(**ASK).choices[0].message.content == "echo one two three"
        assert [model.id for model in official.models.list()] == ["tuned"]
        with pytest.raises(openai.NotFoundError, match="this endpoint serves 'tuned'"):
            official.chat.completions.create(model="other", messages=ASK["messages"])


def test_a_stream_arrives_while_it_is_made(served):
    client, _ = served
    with client.stream("POST", "/v1/chat/completions", json=ASK | {"stream": True}) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        times = [time.monotonic() for line in reply.iter_lines() if line.startswith("data: {")]
    assert len(times) == 3
    assert times[-1] - times[0] > 0.4


@pytest.mark.parametrize("token", [None, "", "Bearer", "Bearer wrong", "Basic {}", "Bearer {}x", "Bearer ' OR 1=1 --"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/nowhere"])
def test_without_the_token_nothing_is_answered(served, token, path):
    client, seen = served
    before = len(seen())
    good = client.headers.pop("authorization").removeprefix("Bearer ")
    headers = {} if token is None else {"authorization": token.replace("{}", good)}
    reply = client.post(path, json=ASK, headers=headers)
    assert (reply.status_code, reply.json()["error"]["type"]) == (401, "authentication_error")
    assert len(seen()) == before


@pytest.mark.parametrize("host", ["evil.com", "127.0.0.1.evil.com", "localhost@evil.com", "127.0.0.2", "[::1]", "localhost:80:80", ""])
@pytest.mark.parametrize("path", ["/health", "/v1/models", "/v1/chat/completions", "/nowhere"])
def test_another_host_is_misdirected_on_every_route(served, host, path):
    client, _ = served
    reply = client.post(path, json=ASK, headers={"host": host})
    assert reply.status_code == 421


def test_a_page_of_another_origin_gets_nothing(served):
    client, _ = served
    for origin in ("https://evil.com", "null", str(client.base_url)):
        reply = client.post("/v1/chat/completions", json=ASK, headers={"origin": origin})
        assert reply.status_code == 403
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_only_json_is_taken(served, kind):
    client, seen = served
    before = len(seen())
    headers = {"content-type": kind} if kind else {}
    assert client.post("/v1/chat/completions", content=json.dumps(ASK), headers=headers).status_code == 415
    assert len(seen()) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"[" * 100_000, 400),
        (b'{"model": "tuned", "temperature": NaN}', 400),
        (b'{"messages": []}', 400),
        (b'{"model": ["tuned"]}', 404),
        (b"\xff\xfe", 400),
    ],
)
def test_a_bad_body_gets_an_error_in_openais_shape(served, body, status):
    client, _ = served
    reply = client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == status
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "extra",
    [
        {"chat_template": "{{ 1 }}"},
        {"chat_template_kwargs": {"chat_template": "{{ 1 }}"}},
        {"generation_config": "{}"},
        {"api_base": "http://evil.com"},
        {"trust_remote_code": True},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]}]},
    ],
)
def test_a_request_cannot_reach_the_engines_loader_template_or_network(served, extra):
    client, seen = served
    before = len(seen())
    assert client.post("/v1/chat/completions", json=ASK | extra).status_code == 400
    assert len(seen()) == before


def test_a_body_over_16_mib_is_refused_announced_or_not(served):
    client, _ = served
    headers = {"content-type": "application/json"}
    assert client.post("/v1/chat/completions", content=b"x" * (16 * 2**20 + 1), headers=headers).status_code == 413
    pieces = (b"x" * 2**20 for _ in range(17))
    assert client.post("/v1/chat/completions", content=pieces, headers=headers).status_code == 413


def test_engine_routes_that_are_not_openais_do_not_exist(served):
    client, _ = served
    for path in ("/reset", "/load_model", "/v1/load_lora_adapter", "/docs", "/v1/chat/completions/../../reset"):
        assert client.post(path, json={}).status_code == 404
    assert client.get("/health", headers={"authorization": ""}).json() == {"status": "ok"}


def test_the_token_is_in_no_argv_environment_log_or_manifest(served, machine):
    client, _ = served
    token = client.headers["authorization"].removeprefix("Bearer ")
    client.get("/v1/models")
    for process in machine.processes("web"):
        assert token not in " ".join(process.cmdline())
        assert token not in str(process.environ())
    holders = [path.name for path in (machine.home / "local").rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert holders == ["endpoint.json"]


def test_only_loopback_is_bound(served, machine):
    listening = {
        connection.laddr.ip
        for process in machine.processes("web")
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
