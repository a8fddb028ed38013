"""npm's `openai` client, in both majors that are in use, works with the server unchanged."""

from __future__ import annotations

import json

import pytest
from tests.server.clients.rows import chat_file

CLIENTS = ["openai", "openai6"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_program_in_javascript_tunes_and_asks_what_it_tuned(node, serve, recorded, tmp_path, client):
    train = tmp_path / "train.jsonl"
    train.write_bytes(chat_file())
    front = recorded(serve(models={"gpt-4.1-mini-2025-04-14": {"model": "memory-1"}}).base_url)
    key = _key()
    seen = json.loads(
        node("life.mjs", CLIENT=client, BASE_URL=front.base_url, API_KEY=key, MODEL="gpt-4.1-mini-2025-04-14", TRAIN=str(train))
    )
    job, model = seen["job"], seen["job"]["model"]
    assert (seen["file"], seen["content"]) == ("processed", len(chat_file()))
    assert seen["created"] == {
        "object": "fine_tuning.job",
        "model": "gpt-4.1-mini-2025-04-14",
        "metadata": {"app": "node"},
        "requestId": "string",
    }
    assert job["status"] == "succeeded", job
    assert model.startswith("ft:gpt-4.1-mini-2025-04-14:anytune:from-node:")
    assert seen["listed"] == [job["id"]]
    assert f"New fine-tuned model created: {model}" in seen["events"]
    assert len(seen["events"]) == len(set(seen["events"])) > 4
    assert len(seen["checkpoints"]) > 0
    assert seen["results"] > 20
    assert "3 cups of rice" in seen["answer"] == seen["streamed"]
    assert {model, "gpt-4.1-mini-2025-04-14"} <= set(seen["models"])
    assert seen["owned"] == model
    assert seen["errors"] == {
        "job": ["NotFoundError", 404, "string"],
        "purpose": ["BadRequestError", 400],
        "order": ["BadRequestError", 400],
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_a_program_in_javascript_trusts_the_webhook_of_a_job_that_ended(node, serve, hooked, client):
    secret = "whsec_" + "c2VjcmV0IG9mIGEgd2ViaG9vaywgMzIgYnl0ZXMh"
    served = serve(webhooks={"app": {"url": hooked.url, "secret": secret, "private": True}})
    asker = served.client()
    file = asker.files.create(file=("train.jsonl", chat_file()), purpose="fine-tune")
    job = asker.fine_tuning.jobs.create(model="memory-1", training_file=file.id)
    headers, payload = hooked.wait()[0]
    told = json.loads(node("hook.mjs", CLIENT=client, PAYLOAD=payload.decode(), HEADERS=json.dumps(headers), SECRET=secret))
    assert (told["event"]["type"], told["event"]["data"]) == ("fine_tuning.job.succeeded", {"id": job.id})
    assert told["forged"] == "InvalidWebhookSignatureError"


def _key() -> str:
    from tests.server.conftest import KEY

    return KEY
