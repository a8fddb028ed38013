"""Servers that take orders and begin none: nothing trains behind them, so a test says itself how far an order has come."""

from __future__ import annotations

import json

import pytest

from anytune.server.training.runner import Runner

ROWS = "".join(
    json.dumps({"messages": [{"role": "user", "content": f"question {n}"}, {"role": "assistant", "content": f"answer {n}"}]}) + "\n"
    for n in range(12)
)


@pytest.fixture
def still(serve, monkeypatch):
    """Start a server whose runner does nothing by itself."""

    async def nothing(runner):
        return None

    monkeypatch.setattr(Runner, "start", nothing)
    return serve


@pytest.fixture
def uploaded():
    return lambda client: client.files.create(file=("train.jsonl", ROWS.encode()), purpose="fine-tune").id


@pytest.fixture
def ordered(uploaded):
    def order(client, **fields):
        return client.fine_tuning.jobs.create(**({"model": "small", "training_file": uploaded(client)} | fields))

    return order
