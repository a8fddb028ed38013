"""A simulated OpenAI over HTTP, a backend that speaks to it, and data files."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from openai import OpenAI
from ulid import ULID

from anytune.backend import Order
from anytune.spec import TrainingSpec, spec_hash
from anytune.testing import OpenAISimulator
from anytune.values import LocalFile
from anytune_openai import OpenAIBackend

for _name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):  # nothing here may reach the person's own account
    os.environ.pop(_name, None)


def rows_of(count):
    return [
        {"messages": [{"role": "user", "content": f"{number} cups of rice"}, {"role": "assistant", "content": f"rice {number}"}]}
        for number in range(count)
    ]


def description(path):
    content = path.read_bytes()
    return LocalFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content), role="train")


@pytest.fixture
def described():
    """Describe a file as core does it."""
    return description


@pytest.fixture
def chats():
    """Write a number of rows that OpenAI takes."""

    def write(path, count=12):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows_of(count)), encoding="utf-8")
        return path

    return write


@pytest.fixture
def sim():
    with OpenAISimulator() as simulator:
        yield simulator


@pytest.fixture
def client(sim):
    with OpenAI(base_url=sim.base_url, api_key=sim.api_key, max_retries=0) as made:
        yield made


@pytest.fixture
def train(chats, tmp_path):
    return description(chats(tmp_path / "train.jsonl"))


@pytest.fixture
def backend_on():
    """Make backends of simulators; they are closed at the end."""
    made = []

    def make(simulator, kind=OpenAIBackend, **settings):
        made.append(kind(**{"base_url": simulator.base_url, "api_key": simulator.api_key} | settings))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


@pytest.fixture
def backend(sim, backend_on):
    return backend_on(sim)


@pytest.fixture
def order(train):
    """Make an order as core does, its file uploaded."""

    def make(backend, *, ref=None, name="recipes", **settings):
        given = {"method": "sft", "model": "gpt-4.1-mini-2025-04-14"} | settings
        spec = TrainingSpec(backend="openai", train=train.path, name=name, **given)
        return Order(
            ref=ref or str(ULID()),
            ledger="01LEDGER",
            sequence=1,
            name=name,
            spec=spec,
            spec_hash=spec_hash(spec, model=spec.model, data={"train": train.sha256}),
            model=spec.model,
            files={"train": backend.find_file(train.sha256) or backend.upload(train)},
            data={"train": train},
        )

    return make
