"""What passes through stays as it is; what must not pass does not."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from anytune.runtime import Runtime
from anytune.testing import MemoryBackend
from anytune.values import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anytune.backend import Capabilities
    from anytune.values import ModelRef

ASKED = [{"role": "user", "content": "2 cups chopped fresh basil"}]
KEPT = b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"base","choices":[{"index":0,"delta":{"content":"\\u00e9 \xc3\xa9 \\"model\\":\\"x\\""},"finish_reason":null}]}\n\ndata: [DONE]\n\n'


class Stub:
    """An engine whose answers a test writes itself."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], object] = self.whole(b"{}")
        self.left = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                outer.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def whole(self, body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> Callable[..., object]:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)

        return answer

    def pieces(self, *pieces: bytes, end: bool = True) -> Callable[..., object]:
        """Answer in chunks; without `end` the connection breaks off."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            for piece in pieces:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                handler.wfile.flush()
            if end:
                handler.wfile.write(b"0\r\n\r\n")
            else:
                handler.close_connection = True

        return answer

    def endless(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer until nobody listens any more."""
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.close_connection = True
        try:
            while True:
                handler.wfile.write(b'data: {"model":"base","choices":[]}\n\n')
                time.sleep(0.01)
        except OSError:
            self.left.set()


class Elsewhere(MemoryBackend):
    """A host that serves models anyway."""

    def __init__(self, stub: Stub) -> None:
        super().__init__()
        self.stub = stub

    @property
    def capabilities(self) -> Capabilities:
        able = super().capabilities
        return able.model_copy(update={"abilities": able.abilities - {"deploy"}})

    def address(self, model: ModelRef) -> Address:
        return Address(base_url=self.stub.base_url, model=model.id, credential="sk-of-the-server-itself-77")  # type: ignore[arg-type]


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def served(serve: Callable[..., Any], stub: Stub) -> Any:
    return serve(context=Runtime(backends={"memory": Elsewhere(stub)}), models={"base": {}, "mapped": {"model": "base"}})


def post(served: Any, body: object, path: str = "/chat/completions") -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {served.key}", "Content-Type": "application/json"}
    return httpx2.post(served.base_url + path, content=content, headers=headers, timeout=20)


def test_a_stream_passes_byte_for_byte(served: Any, stub: Stub) -> None:
    stub.answer = stub.pieces(*(KEPT[at : at + 7] for at in range(0, len(KEPT), 7)))

    reply = post(served, {"model": "base", "messages": ASKED, "stream": True})

    assert reply.content == KEPT
    assert reply.headers["content-type"] == "text/event-stream"


def test_only_the_models_name_is_changed_on_both_ways(served: Any, stub: Stub) -> None:
    stub.answer = stub.pieces(KEPT)
    asked = {"model": "mapped", "messages": [{"role": "user", "content": 'say "model":"base"'}], "stream": True, "unknown_word": [1, None]}

    reply = post(served, asked)

    assert json.loads(stub.requests[0][2]) == asked | {"model": "base"}
    assert reply.content == KEPT.replace(b'"model":"base"', b'"model":"mapped"')


def test_the_servers_key_goes_to_the_host_and_the_clients_does_not(served: Any, stub: Stub) -> None:
    post(served, {"model": "base", "messages": ASKED})

    path, headers, _ = stub.requests[0]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer sk-of-the-server-itself-77"
    assert served.key not in str(headers)


def test_a_client_that_leaves_ends_the_engines_work(served: Any, stub: Stub) -> None:
    stub.answer = stub.endless
    stream = served.client().chat.completions.create(model="base", messages=ASKED, stream=True)
    next(iter(stream))

    stream.close()

    assert stub.left.wait(10)


def test_a_client_that_leaves_before_the_answer_began_ends_it_too(served: Any, stub: Stub) -> None:
    def silent(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.settimeout(10)
        if handler.connection.recv(1) == b"":
            stub.left.set()
        handler.close_connection = True

    stub.answer = silent
    with pytest.raises(openai.APITimeoutError):
        served.client(timeout=0.5).chat.completions.create(model="base", messages=ASKED)

    assert stub.left.wait(10)


def test_a_stream_that_breaks_says_so_to_the_client(served: Any, stub: Stub) -> None:
    stub.answer = stub.pieces(b'data: {"model":"base","choices":[]}\n\n', end=False)

    with pytest.raises(openai.APIError, match="broke off"):
        list(served.client().chat.completions.create(model="base", messages=ASKED, stream=True))


def test_the_hosts_key_is_in_no_error(served: Any, stub: Stub) -> None:
    echo = b'{"error": {"message": "Incorrect API key provided: sk-of-the-server-itself-77", "code": "invalid_api_key"}}'
    stub.answer = stub.whole(echo, 401)
    refused = post(served, {"model": "base", "messages": ASKED})
    stub.answer = stub.whole(echo, 400)
    bad = post(served, {"model": "base", "messages": ASKED})

    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "engine_refused")
    assert bad.status_code == 400
    assert "itself-77" not in refused.text + bad.text


def test_an_engines_refusal_keeps_its_words_and_its_patience(served: Any, stub: Stub) -> None:
    stub.answer = stub.whole(b'{"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}', 429, Retry_After="7")

    reply = post(served, {"model": "base", "messages": ASKED})

    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert reply.json()["error"] == {"message": "Slow down.", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}


@pytest.mark.parametrize("page", [b"<html>Bad gateway</html>", b"[]", b'{"error": "plain words"}', b""])
def test_a_failing_engine_is_told_in_openais_shape(served: Any, stub: Stub, page: bytes) -> None:
    stub.answer = stub.whole(page, 500)

    reply = post(served, {"model": "base", "messages": ASKED})

    assert reply.status_code == 502
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("word", ["api_base", "base_url", "api_key", "extra_headers", "extra_body", "chat_template", "trust_remote_code"])
def test_a_request_cannot_say_where_a_key_goes_or_what_code_runs(served: Any, stub: Stub, word: str) -> None:
    """Row 25: the listener that is named gets no connection, and neither does the engine get the question."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.2)
        reply = post(served, {"model": "base", "messages": ASKED, word: f"http://127.0.0.1:{canary.getsockname()[1]}/v1"})
        with pytest.raises(TimeoutError):
            canary.accept()

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, word)
    assert not stub.requests


def test_nothing_is_fetched_for_a_request(served: Any, stub: Stub) -> None:
    part = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}}

    reply = post(served, {"model": "base", "messages": [{"role": "user", "content": [part]}]})

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "messages")
    assert not stub.requests


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b"{}", b'{"model": 7}', b'{"model": ""}', b'{"model": "base", "x": NaN}', b"[" * 100_000, b'"\xff"'],
)
def test_a_body_that_is_no_question_is_refused(served: Any, stub: Stub, body: bytes) -> None:
    reply = post(served, body)

    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert not stub.requests


def test_an_engine_that_closes_kept_connections_is_asked_on_a_new_one(served: Any, stub: Stub) -> None:
    def once(handler: BaseHTTPRequestHandler) -> None:
        stub.whole(b'{"model":"base"}')(handler)
        handler.close_connection = True

    stub.answer = once

    assert [post(served, {"model": "base", "messages": ASKED}).status_code for _ in range(5)] == [200] * 5


def test_completions_go_to_their_own_path(served: Any, stub: Stub) -> None:
    stub.answer = stub.whole(b'{"id":"x","object":"text_completion","created":1,"model":"base","choices":[]}')

    reply = served.client().completions.create(model="mapped", prompt="Basil")

    assert (reply.model, stub.requests[0][0]) == ("mapped", "/v1/completions")


def test_tokens_are_counted(served: Any, stub: Stub) -> None:
    stub.answer = stub.whole(b'{"model":"base","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}')

    post(served, {"model": "base", "messages": ASKED})

    text = served.house.metrics.text().decode()
    assert 'anytune_tokens_total{kind="prompt"} 5.0' in text
    assert 'anytune_tokens_total{kind="completion"} 7.0' in text
