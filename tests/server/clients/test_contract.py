"""Every operation of OpenAI's published description is answered as it says, or with 501 where the server does not serve it."""

from __future__ import annotations

import json
import re

import httpx2
import pytest
from tests.server.clients.contract import FILE
from tests.server.clients.contract import contract as read
from tests.server.clients.recorder import Exchange, Recorder
from tests.server.clients.rows import ENDED, chat_file, until

MODEL = "memory-1"
VERBS = ("pause", "resume", "cancel")


@pytest.fixture
def ask(serve, recorded):
    """Start a recorded server over the memory backend, and give what asks it: `ask(method, path)`."""
    clients = []

    class Ask:
        def __init__(self, **settings):
            served = serve(**({"models": {MODEL: {}}} | settings))
            self.front = recorded(served.base_url)
            head = {"Authorization": f"Bearer {served.key}"}
            self.http = httpx2.Client(base_url=self.front.base_url, headers=head, timeout=30, trust_env=False)
            clients.append(self.http)

        def __call__(self, method, path, **content):
            return self.http.request(method, path, **content)

        def file(self, content=None):
            return self("POST", "/files", data={"purpose": "fine-tune"}, files={"file": ("a.jsonl", content or chat_file())}).json()["id"]

        def job(self, **order):
            return self("POST", "/fine_tuning/jobs", json={"model": MODEL, "training_file": self.file(), **order}).json()["id"]

        def until(self, job, *words):
            return until(lambda: self("GET", f"/fine_tuning/jobs/{job}").json(), lambda seen: seen["status"] in words)

    yield Ask
    for client in clients:
        client.close()


def test_every_operation_that_is_served_answers_as_described(ask, contract):
    ask = ask()
    file = ask.file()
    done = ask.until(
        ask.job(validation_file=ask.file(chat_file(30)[-900:].partition(b"\n")[2]), suffix="a", seed=1, metadata={"a": "b"}), *ENDED
    )
    assert done["status"] == "succeeded", done
    model = done["fine_tuned_model"]
    for path in ("/files", "/files?limit=1&order=asc", f"/files/{file}", f"/files/{file}/content", "/models", f"/models/{model}"):
        assert ask("GET", path).status_code == 200
    for more in ("", "/events", "/events?limit=1", "/checkpoints", "/checkpoints?limit=1"):
        assert ask("GET", f"/fine_tuning/jobs/{done['id']}{more}").status_code == 200
    for query in ("", "?limit=1", "?metadata[a]=b", "?metadata=null"):
        assert ask("GET", f"/fine_tuning/jobs{query}").status_code == 200
    said = {"model": model, "messages": [{"role": "user", "content": "3 cups"}]}
    for more in ({}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}):
        assert ask("POST", "/chat/completions", json=said | more).status_code == 200
    uploads(ask)
    assert ask("DELETE", f"/files/{file}").status_code == ask("DELETE", f"/models/{model}").status_code == 200
    assert ask.front.answered >= {each.name for each in contract.operations if each.served and each.path.split("/")[-1] not in VERBS}


def test_a_job_is_held_let_go_and_ended_in_the_words_of_the_description(ask, contract):
    ask = ask(options={"life": {"words": ["queued", *["running"] * 200, "succeeded"]}})
    job = ask.job()
    for verb, word in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        ask.until(job, "running", "paused")
        assert ask("POST", f"/fine_tuning/jobs/{job}/{verb}").status_code == 200
        ask.until(job, word)
    verbs = {
        each.name for each in contract.operations if each.served and "/fine_tuning/" in each.path and each.path.split("/")[-1] in VERBS
    }
    assert ask.front.answered >= verbs


@pytest.mark.parametrize("name", [each.name for each in read().operations if not each.served] if FILE.exists() else [])
def test_an_operation_that_is_not_served_says_so_in_openais_shape(ask, name):
    method, path = name.split()
    ask = ask()
    for prefix in ("/v1", "/openai/v1"):
        address = str(ask.http.base_url).removesuffix("/").removesuffix("/v1") + prefix
        reply = ask.http.request(method, address + re.sub(r"{\w+}", "ft:m:anytune::abcdefgh", path), json={} if method == "POST" else None)
        assert reply.status_code == 501, reply.text
        assert reply.json()["error"]["message"].startswith(f"{method} {path} is not served.")
        assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/fine_tuning", 404),
        ("PUT", "/files", 405),
        ("GET", "/files/file-no", 404),
        ("GET", "/files/..%2f..%2fetc%2fpasswd", 404),
        ("POST", "/fine_tuning/jobs/ftjob-no/cancel", 404),
        ("GET", "/fine_tuning/jobs?limit=0", 400),
        ("GET", "/files?order=up", 400),
        ("GET", "/fine_tuning/jobs/ftjob-no/events", 404),
        ("POST", "/uploads/upload_no/cancel", 404),
        ("GET", "/models/ft:m:anytune::abcdefgh", 404),
        ("DELETE", "/models/memory-1", 403),
    ],
)
def test_what_is_not_there_or_wrong_is_answered_in_openais_shape(ask, method, path, status):
    assert ask()(method, path).status_code == status


def test_a_reply_that_breaks_the_description_is_noticed(contract):
    recorder = Recorder("", contract)
    head = {"content-type": "application/json", "x-request-id": "req_1"}

    def told(path, status, body, **headers):
        operation = contract.operation("GET", path)
        return list(recorder.faults(Exchange("GET", path, status, {**head, **headers}, json.dumps(body).encode(), operation)))

    assert told("/files/file-1/content", 200, "anything") == []
    assert told("/models", 200, {"object": "list", "data": []}) == []
    assert told("/models", 200, {"object": "list", "data": [{}]})
    assert told("/models", 200, {"object": "list", "data": []}, **{"x-request-id": ""})
    assert told("/models", 200, {"object": "list", "data": []}, **{"access-control-allow-origin": "*"})
    assert told("/models", 404, {"detail": "Not Found"})
    assert told("/models", 500, {"error": {"message": "m", "type": "t", "param": None, "code": None}})
    assert told("/chat/completions", 200, {})


def uploads(ask):
    content = chat_file()
    order = {"filename": "big.jsonl", "purpose": "fine-tune", "bytes": len(content), "mime_type": "text/jsonl"}
    upload = ask("POST", "/uploads", json=order).json()["id"]
    parts = [ask("POST", f"/uploads/{upload}/parts", files={"data": piece}).json()["id"] for piece in (content[:100], content[100:])]
    assert ask("POST", f"/uploads/{upload}/complete", json={"part_ids": parts[:1]}).status_code == 400
    assert ask("POST", f"/uploads/{upload}/complete", json={"part_ids": parts}).status_code == 200
    other = ask("POST", "/uploads", json=order).json()["id"]
    assert ask("POST", f"/uploads/{other}/cancel").status_code == 200
