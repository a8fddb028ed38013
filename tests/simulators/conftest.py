"""A simulated OpenAI, the real client, and a raw one that holds every reply against the published contract."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import httpx2
import jsonschema
import openai
import pytest

from anytune.testing import OpenAISimulator

CONTRACT = Path(__file__).parents[3] / "shared" / "contracts" / "openai_finetune_subset.json"
REPLIES = {
    "POST /files": "OpenAIFile",
    "GET /files": "ListFilesResponse",
    "GET /files/{id}": "OpenAIFile",
    "DELETE /files/{id}": "DeleteFileResponse",
    "POST /uploads": "Upload",
    "POST /uploads/{id}/parts": "UploadPart",
    "POST /uploads/{id}/complete": "Upload",
    "POST /uploads/{id}/cancel": "Upload",
    "POST /fine_tuning/jobs": "FineTuningJob",
    "GET /fine_tuning/jobs": "ListPaginatedFineTuningJobsResponse",
    "GET /fine_tuning/jobs/{id}": "FineTuningJob",
    "POST /fine_tuning/jobs/{id}/cancel": "FineTuningJob",
    "POST /fine_tuning/jobs/{id}/pause": "FineTuningJob",
    "POST /fine_tuning/jobs/{id}/resume": "FineTuningJob",
    "GET /fine_tuning/jobs/{id}/events": "ListFineTuningJobEventsResponse",
    "GET /fine_tuning/jobs/{id}/checkpoints": "ListFineTuningJobCheckpointsResponse",
    "GET /models": "ListModelsResponse",
    "GET /models/{id:path}": "Model",
    "DELETE /models/{id:path}": "DeleteModelResponse",
    "POST /chat/completions": "CreateChatCompletionResponse",
}
"""What each route answers with, by the contract; `GET /files/{id}/content` gives bytes."""


def lines(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def chat_rows(count=12):
    return [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(count)]


def preference_rows(count=12):
    return [
        {
            "input": {"messages": [{"role": "user", "content": f"{n}?"}]},
            "preferred_output": [{"role": "assistant", "content": f"{n}!"}],
            "non_preferred_output": [{"role": "assistant", "content": "no"}],
        }
        for n in range(count)
    ]


def graded_rows(count=12):
    return [{"messages": [{"role": "user", "content": f"{n}?"}], "answer": f"{n}!"} for n in range(count)]


class Contract:
    """The published description of the replies."""

    replies = REPLIES

    def __init__(self):
        if not CONTRACT.exists():
            pytest.skip("the contract is not in this checkout")
        self.components = json.loads(CONTRACT.read_text(encoding="utf-8"))["components"]
        self._validators = {}

    def of(self, name):
        if name not in self._validators:
            schema = {"$ref": f"#/components/schemas/{name}", "components": self.components}
            self._validators[name] = jsonschema.Draft202012Validator(schema)
        return self._validators[name]

    def faults(self, name, value) -> list[tuple[str, object]]:
        """Places where a value breaks a schema, each with what stands there."""
        return [("/".join(map(str, error.absolute_path)), error.instance) for error in self.of(name).iter_errors(value)]


class Auditor:
    """Asks as any client would, and holds each reply against the contract; `odd` collects what breaks it."""

    def __init__(self, provider, contract):
        self.provider, self.contract = provider, contract
        self.http = httpx2.Client(base_url=provider.base_url, headers={"Authorization": f"Bearer {provider.api_key}"}, timeout=30)
        self.odd = []
        self.routes = set()

    def __call__(self, method, path, **content):
        reply = self.http.request(method, path, **content)
        asked = self.provider.requests[-1]
        if asked.status == 200:
            self.routes.add(asked.route)
        kind = reply.headers.get("content-type", "")
        assert reply.status_code < 500, reply.text
        if reply.status_code != 200:
            assert not self.contract.faults("ErrorResponse", reply.json()), reply.text
        elif kind.startswith("application/json"):
            self.odd += [(asked.route, *fault) for fault in self.contract.faults(REPLIES[asked.route], reply.json())]
        elif kind.startswith("text/event-stream"):
            for piece in (line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: {")):
                assert not self.contract.faults("CreateChatCompletionStreamResponse", json.loads(piece))
        return reply

    def upload(self, rows, filename="train.jsonl") -> str:
        return self("POST", "/files", data={"purpose": "fine-tune"}, files={"file": (filename, lines(rows))}).json()["id"]

    def job(self, rows=None, **body):
        file = self.upload(chat_rows() if rows is None else rows)
        return self("POST", "/fine_tuning/jobs", json={"model": "gpt-4.1-mini-2025-04-14", "training_file": file, **body})

    def until(self, job_id, *words, most=20):
        for _ in range(most):
            job = self("GET", f"/fine_tuning/jobs/{job_id}").json()
            if job["status"] in words:
                return job
        raise AssertionError(f"{job_id} is {job['status']}, not {words}")


@pytest.fixture
def rows():
    """Rows of each kind, and how they become a file."""
    return SimpleNamespace(chat=chat_rows, preference=preference_rows, graded=graded_rows, lines=lines)


@pytest.fixture(scope="session")
def contract():
    return Contract()


@pytest.fixture
def start():
    opened = []

    def make(**settings):
        opened.append(OpenAISimulator(**settings))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def audited(start, contract):
    auditors = []

    def make(**settings):
        auditors.append(Auditor(start(**settings), contract))
        return auditors[-1]

    yield make
    for each in auditors:
        each.http.close()


@pytest.fixture
def connect(start):
    clients = []

    def make(*, strict=True, retries=0, timeout_s=30, **settings):
        provider = start(**settings)
        client = openai.OpenAI(
            base_url=provider.base_url,
            api_key=provider.api_key,
            max_retries=retries,
            timeout=timeout_s,
            _strict_response_validation=strict,
        )
        clients.append(client)
        return provider, client

    yield make
    for each in clients:
        each.close()
