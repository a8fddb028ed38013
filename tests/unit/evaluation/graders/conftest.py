"""A desk for graders, and a model on loopback that says what a test wants."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from anytune.errors import ConfigError
from anytune.evaluation.graders import Desk, parsed
from anytune.evaluation.values import Case, Sample
from anytune.infer import Endpoint
from anytune.values import Address


class Host:
    """A model that answers with what `says` makes of a request, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.says = lambda body: "nothing"
        self.refuses_shapes = False
        self.finish_reason = "stop"
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.asked.append(body)
                status, reply = owner.reply(self.path, body)
                text = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_GET(self):
                owner.asked.append(self.path)
                self.send_error(404)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def reply(self, path, body):
        if path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": at, "embedding": self.says(text)} for at, text in enumerate(body["input"])]
            return 200, {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}}
        if self.refuses_shapes and "response_format" in body:
            return 400, {"error": {"message": "response_format is not supported", "type": "invalid_request_error"}}
        message = {"role": "assistant", "content": self.says(body)}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
        return 200, {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def host():
    found = Host()
    yield found
    found.close()


@pytest.fixture
def desk(tmp_path, request):
    """Give a desk whose models are called `judge`, `gpt-4.1` and `text-embedding-3-large`; where a test has a host, all of them are it."""
    words = frozenset({"judge", "gpt-4.1", "text-embedding-3-large"})
    endpoints = []

    def endpoint(word):
        if word not in words:
            raise ConfigError(f"no model {word!r}")
        if not endpoints:
            endpoints.append(Endpoint(Address(base_url=request.getfixturevalue("host").base_url, model="judge-1")))
        return endpoints[0]

    yield Desk(endpoint=endpoint, scratch=tmp_path / "scratch", folder=tmp_path, models=words)
    for each in endpoints:
        each.close()


@pytest.fixture
def make(desk):
    """Make graders that are closed after the test."""
    made = []

    def make(raw):
        made.append(parsed(raw, desk))
        return made[-1]

    yield make
    for grader in made:
        grader.close()


def case_of(reference=None, item=None, calls=(), row=1, asked="Which river?"):
    return Case(
        id=f"{row:016x}", row=row, messages=({"role": "user", "content": asked},), reference=reference, item=item or {}, tool_calls=calls
    )


@pytest.fixture
def grade(make):
    """Grade one text, or calls, by a definition."""

    def grade(raw, text="", reference=None, *, item=None, wanted=(), called=()):
        return make(raw).grade(case_of(reference, item, wanted), Sample(text=text, tool_calls=called))

    return grade


@pytest.fixture
def case():
    return case_of
