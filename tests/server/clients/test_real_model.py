"""The real clients tune a real model on this machine through a real server process, and ask what they tuned."""

from __future__ import annotations

import json

import openai
import pytest
import yaml
from tests.server.clients.rows import ENDED, chat_file, until

import anytune
from anytune.runtime import Runtime
from anytune_azure import AzureBackend
from anytune_openai import OpenAIBackend

MINI = "gpt-4.1-mini-2025-04-14"
SETTINGS = {"max_steps": 2, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "max_length": 64}
TRAINED_S = 240


@pytest.fixture
def real(launch, recorded, tmp_path):
    """Serve the starter model under OpenAI's name for another one."""
    config = tmp_path / "serve.yaml"
    config.write_text(yaml.safe_dump({"backend": "trl", "models": {MINI: {"model": "starter", "hyperparameters": SETTINGS}}}))
    served = launch("--config", str(config))
    return served, recorded(served.base_url), recorded(f"{served.root}/openai/v1")


@pytest.fixture
def train(tmp_path):
    place = tmp_path / "train.jsonl"
    place.write_bytes(chat_file())
    return place


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_python_and_javascript_tune_and_ask_a_real_model(real, train, node):
    served, front, _ = real
    told = {"CLIENT": "openai", "BASE_URL": front.base_url, "API_KEY": served.key, "MODEL": MINI, "TRAIN": str(train)}
    with openai.OpenAI(base_url=front.base_url, api_key=served.key, max_retries=0, timeout=120, _strict_response_validation=True) as client:
        file = client.files.create(file=train, purpose="fine-tune")
        job = client.fine_tuning.jobs.create(model=MINI, training_file=file.id, suffix="from-python")
        job = until(lambda: client.fine_tuning.jobs.retrieve(job.id), lambda seen: seen.status in ENDED, within_s=TRAINED_S, every_s=0.5)
        assert (job.status, job.error) == ("succeeded", None)
        assert any("starter" in event.message for event in client.fine_tuning.jobs.list_events(job.id)), "the stand-in is named"
        assert list(client.fine_tuning.jobs.checkpoints.list(job.id))
        asked = {"model": job.fine_tuned_model, "messages": [{"role": "user", "content": "3 cups of rice"}], "max_tokens": 8}
        said = client.chat.completions.create(**asked, temperature=0).choices[0].message.content
        assert said
        stream = client.chat.completions.create(**asked, temperature=0, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == said
        assert client.completions.create(model=job.fine_tuned_model, prompt="3 cups", max_tokens=4).choices[0].text
        assert client.chat.completions.create(**asked | {"model": MINI}).choices[0].message.content
    seen = json.loads(node("life.mjs", **told, SECONDS=str(TRAINED_S)))
    assert seen["job"]["status"] == "succeeded", seen["job"]
    assert seen["checkpoints"]
    assert seen["answer"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_anytunes_own_backends_tune_a_real_model_at_another_anytune(real, train, tmp_path):
    served, front, azure = real
    backends = [
        OpenAIBackend(base_url=front.base_url, api_key=served.key, settle_s=1),
        AzureBackend(endpoint=azure.base_url.removesuffix("/openai/v1"), api_key=served.key, settle_s=1),
    ]
    context = Runtime(ledger_url=f"sqlite:///{tmp_path}/client.db")
    for backend in backends:
        job = anytune.FineTuneJob.create(backend=backend, model=MINI, train=train, name="recipes", context=context)
        tuned = job.wait(timeout_s=TRAINED_S, poll_s=0.5)
        assert job.metrics()
        assert job.checkpoints()
        if backend.name == "openai":
            with tuned.deploy() as endpoint:
                assert endpoint.chat("3 cups of rice", max_tokens=8)
        backend.close()
    context.ledger.close()
