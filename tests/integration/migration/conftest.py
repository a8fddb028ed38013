"""A tuned model at a simulated host, held-out rows, and a home of one's own."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from anytune import FineTuneJob
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import AzureSimulator, MemoryBackend, OpenAISimulator
from anytune_azure import AzureBackend
from anytune_openai import OpenAIBackend

PROVIDERS = Path(__file__).parents[3] / "providers" / "conftest.py"
BASE = "gpt-4.1-mini-2025-04-14"


def chats(first, count):
    return [
        {"messages": [{"role": "user", "content": f"{number} cups of rice"}, {"role": "assistant", "content": f"rice {number}"}]}
        for number in range(first, first + count)
    ]


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to stand in, a home of its own, and no vendor's environment."""
    for name in ("ANYTUNE_LEDGER", "ANYTUNE_CONFIG", "OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "train.jsonl", chats(0, 40))
    written(tmp_path / "valid.jsonl", chats(100, 12))
    written(tmp_path / "held.jsonl", chats(200, 12))
    return tmp_path


@pytest.fixture
def openai_host():
    with OpenAISimulator() as host:
        yield host


@pytest.fixture
def azure_host():
    with AzureSimulator() as host:
        yield host


@pytest.fixture
def context(folder, openai_host):
    """A runtime that knows the simulated OpenAI as `openai`, and a backend that trains nothing as `memory`."""
    backends = {
        "openai": OpenAIBackend(base_url=openai_host.base_url, api_key=openai_host.api_key),
        "memory": MemoryBackend(state_file=folder / "memory.json"),
    }
    made = Runtime(
        ledger_url=f"sqlite:///{folder}/ledger.db",
        retry=Retry(sleep=lambda _: None, random=lambda: 0.0),
        sleep=lambda _: None,
        backends=backends,
    )
    yield made
    for backend in backends.values():
        backend.close()
    made.ledger.close()


@pytest.fixture
def with_azure(context, azure_host):
    """Let the runtime know a simulated Azure too."""
    context.backends["azure"] = AzureBackend(endpoint=azure_host.endpoint, api_key=azure_host.api_key)
    yield context
    context.backends["azure"].close()


@pytest.fixture
def tuned(folder, context):
    """Tune at the simulated OpenAI, and give the job as a stranger's: by its id there alone."""

    def make(*, backend="openai", validation=None, **method):
        given = {"type": "sft", "n_epochs": 2, "batch_size": 12, "seed": 7} | method
        job = FineTuneJob.create(
            backend=backend, model=BASE, train=folder / "train.jsonl", validation=validation, method=given, name="recipes", context=context
        )
        job.wait(poll_s=0.01)
        return job

    return make


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """The providers' tiny Llama with random weights."""
    spec = importlib.util.spec_from_file_location("providers_conftest", PROVIDERS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.tiny_model._fixture_function(tmp_path_factory)
