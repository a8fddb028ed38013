"""`--faults`: a server that fails as it is told."""

from __future__ import annotations

import socket
import threading
import time

import httpx2
import openai
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
from tests.server.waiting import until

from anytune.errors import ConfigError
from anytune.server.errors import ApiError
from anytune.server.faults import WireFault, WireFaults, read
from anytune.server.guard.protocol import BoundedProtocol


class Shaped:
    """Answers what the faults raise, as the guard does."""

    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        try:
            await self.inner(scope, receive, send)
        except ApiError as error:
            await JSONResponse(error.body, status_code=error.status, headers=error.headers)(scope, receive, send)


@pytest.fixture(params=[BoundedProtocol, "h11"], ids=["own protocol", "h11"])
def faulty(request):
    """Start a server with faults; give its URL and the list of what took effect."""
    running = []

    def start(*faults):
        done = []

        async def made(request):
            done.append(await request.body())
            return JSONResponse({"id": "ftjob-1", "padding": "x" * 100})

        async def got(request):
            done.append(request.path_params["id"])
            if request.path_params["id"] == "none":
                raise HTTPException(404)
            return JSONResponse({"id": request.path_params["id"]})

        async def streamed(request):
            async def chunks():
                for number in range(5):
                    yield f"data: {number}\n\n"

            return StreamingResponse(chunks(), media_type="text/event-stream")

        inner = Starlette(
            routes=[
                Route("/v1/fine_tuning/jobs", made, methods=["POST"]),
                Route("/v1/files/{id}", got),
                Route("/v1/chat/completions", streamed, methods=["POST"]),
            ]
        )
        bound = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(Shaped(WireFaults(inner, faults)), http=request.param, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{bound.getsockname()[1]}/v1", done

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


def test_a_dropped_request_has_no_effect_and_the_next_one_has(faulty):
    url, done = faulty(WireFault(kind="drop"))
    with pytest.raises(httpx2.TransportError):
        httpx2.post(f"{url}/fine_tuning/jobs", json={"a": 1}).raise_for_status()
    assert done == []
    assert httpx2.post(f"{url}/fine_tuning/jobs", json={"a": 1}).status_code == 200
    assert len(done) == 1


def test_a_dropped_reply_comes_after_the_effect(faulty):
    url, done = faulty(WireFault(kind="drop_reply"))
    with pytest.raises(httpx2.TransportError):
        httpx2.post(f"{url}/fine_tuning/jobs", json={"a": 1})
    assert done == [b'{"a":1}']


def test_a_late_commit_takes_effect_after_the_client_gave_up(faulty):
    url, done = faulty(WireFault(kind="late_commit", delay_s=0.3))
    with pytest.raises(httpx2.TransportError):
        httpx2.post(f"{url}/fine_tuning/jobs", json={"a": 1})
    assert done == []
    until(lambda: done)
    assert done == [b'{"a":1}']


def test_an_error_has_its_status_code_and_headers_and_no_effect(faulty):
    url, done = faulty(WireFault(kind="error", status=429, code="insufficient_quota", headers={"x-should-retry": "false"}, times=2))
    for _ in range(2):
        answer = httpx2.post(f"{url}/fine_tuning/jobs", json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "insufficient_quota")
        assert answer.headers["x-should-retry"] == "false"
    assert done == []
    assert httpx2.post(f"{url}/fine_tuning/jobs", json={}).status_code == 200


def test_a_page_of_html_comes_after_the_effect(faulty):
    url, done = faulty(WireFault(kind="html"))
    answer = httpx2.post(f"{url}/fine_tuning/jobs", json={})
    assert answer.status_code == 200
    assert answer.text.startswith("<!doctype html>")
    assert len(done) == 1


@pytest.mark.parametrize("on", ["POST /fine_tuning/jobs", "POST /chat/completions"])
def test_a_truncated_reply_ends_in_the_middle(faulty, on):
    url, _ = faulty(WireFault(kind="truncated", on=on, cut_at=20))
    got = b""
    with pytest.raises(httpx2.TransportError), httpx2.stream("POST", url + on[5:], json={}) as answer:  # noqa: PT012 - whichever piece it is
        for chunk in answer.iter_raw():
            got += chunk
    assert len(got) == 20


def test_a_slow_reply_takes_its_time(faulty):
    url, _ = faulty(WireFault(kind="slow", delay_s=0.3))
    begun = time.monotonic()
    assert httpx2.post(f"{url}/fine_tuning/jobs", json={}).status_code == 200
    assert time.monotonic() - begun >= 0.3


def test_faults_are_counted_for_their_own_route_only(faulty):
    url, done = faulty(WireFault(kind="error", on="GET /files/{id}", status=503, skip=1))
    seen = [httpx2.get(f"{url}/files/{name}").status_code for name in ("a", "b", "c")]
    assert seen == [200, 503, 200]
    assert done == ["a", "c"]
    assert httpx2.post(f"{url}/fine_tuning/jobs", json={}).status_code == 200


def test_the_path_of_azure_clients_is_meant_too():
    fault = WireFault(kind="drop", on="GET /files/{id}")
    matched = [bool(fault.pattern.fullmatch(f"GET {path}")) for path in ("/openai/v1/files/f", "/v1/files/f", "/v1/files/f/content")]
    assert matched == [True, True, False]


def test_a_file_of_faults_is_read(tmp_path, state):
    path = tmp_path / "faults.yaml"
    path.write_text("life: {words: [queued, failed]}\nfaults: {calls: [{kind: auth, on: poll}]}\nwire: [{kind: drop, on: GET /files}]\n")
    plan = read(path, "memory")
    assert plan.options == {"life": {"words": ["queued", "failed"]}, "faults": {"calls": [{"kind": "auth", "on": "poll"}]}}
    assert [(fault.kind, fault.on) for fault in plan.wire] == [("drop", "GET /files")]


@pytest.mark.parametrize(
    ("text", "backend", "said"),
    [
        ("wire: [{kind: drop}]", "trl", "Only the memory backend"),
        ("wire: [{kind: explode}]", "memory", "kind"),
        ("wires: []", "memory", "Did you mean `wire`"),
        ("life: {wrods: [queued]}", "memory", "wrods"),
        ("faults: {list_lag_s: -1}", "memory", "list_lag_s"),
        ("wire: !!python/object/apply:os.system [echo]", "memory", "not YAML"),
        ("wire: [{kind: drop, on: jobs}]", "memory", "on"),
    ],
)
def test_a_wrong_file_of_faults_says_what_is_wrong(tmp_path, state, text, backend, said):
    path = tmp_path / "faults.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read(path, backend)
    assert said in f"{refused.value.message} {refused.value.fix}"


def test_a_real_server_fails_as_its_file_says(serve, tmp_path):
    path = tmp_path / "faults.yaml"
    path.write_text(
        "life: {words: [queued, failed], error: told to}\nwire: [{kind: error, on: GET /models, status: 503}, {kind: drop, on: GET /files}]\n"
    )
    server = serve(faults=path)
    client = server.client()
    with pytest.raises(openai.InternalServerError, match="told to fail") as failed:
        client.models.list()
    assert failed.value.request_id.startswith("req_")
    with pytest.raises(openai.APIConnectionError):
        client.files.list()
    assert [client.models.list().object, client.files.list().data] == ["list", []]
    assert server.house.config.options["life"] == {"words": ["queued", "failed"], "error": "told to"}
