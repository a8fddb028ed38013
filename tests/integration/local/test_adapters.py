"""One endpoint that answers for a base and for adapters of it: real HTTP on loopback."""

from __future__ import annotations

import json

import httpx2
import pytest

from anytune import local

MESSAGES = [{"role": "user", "content": "one two three"}]
FIRST = "ft:base:team:first"


def parity(path, text):
    row = {"messages": MESSAGES, "prompt_tokens": 3, "text": text}
    path.write_text(json.dumps({"mode": "cpu", "rows": [row]}), encoding="utf-8")
    return path


@pytest.fixture
def served(machine, tmp_path):
    """Give a client of a ready endpoint with two adapters, and what the engine saw."""
    adapters = {
        FIRST: local.Served(engine_model="inner/first", parity=parity(tmp_path / "first.json", "echo one two three")),
        "second": local.Served(engine_model="inner/second"),
    }
    seen = tmp_path / "seen"
    machine.serve("web", "--seen", str(seen), adapters=adapters)
    assert machine.state("web", "ready").status == "ready", local.state("web").error
    address = local.address("web")
    headers = {"authorization": f"Bearer {address.credential.get_secret_value()}"}
    with httpx2.Client(base_url=address.base_url, headers=headers, trust_env=False, timeout=30) as client:
        yield client, lambda: [json.loads(line)["body"]["model"] for line in seen.read_text(encoding="utf-8").splitlines()]


def test_each_name_reaches_the_engine_as_the_engines_own(served):
    client, seen = served
    for name in ("tuned", FIRST, "second"):
        assert client.post("chat/completions", json={"model": name, "messages": MESSAGES}).status_code == 200
    assert seen()[-3:] == ["inner/model", "inner/first", "inner/second"]


def test_all_names_are_listed_and_no_other_is_answered(served):
    client, seen = served
    assert [card["id"] for card in client.get("models").json()["data"]] == ["tuned", FIRST, "second"]
    assert client.get(f"models/{FIRST}").json()["id"] == FIRST
    before = len(seen())
    for name in ("inner/first", "third", ["tuned"], None):
        reply = client.post("chat/completions", json={"model": name, "messages": MESSAGES})
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")
    assert "'tuned', 'ft:base:team:first', 'second'" in reply.json()["error"]["message"]
    assert len(seen()) == before


def test_every_model_is_asked_before_it_is_ready(served):
    _, seen = served
    assert sorted(set(seen())) == ["inner/first", "inner/model", "inner/second"]
    assert seen().count("inner/first") == 2


def test_one_adapter_that_says_something_else_keeps_the_endpoint_down(machine, tmp_path):
    wrong = local.Served(engine_model="inner/first", parity=parity(tmp_path / "first.json", "something else"))
    machine.serve("web", adapters={FIRST: wrong})
    state = machine.state("web", "failed")
    assert state.status == "failed"
    assert f"The engine does not say what the trained model of {FIRST} said" in state.error
