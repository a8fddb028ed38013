"""A simulated Hub, and our account on it."""

from __future__ import annotations

import json

import pytest

from anytune.testing.simulators.hub import HubSimulator
from anytune_huggingface import checkpoints
from anytune_huggingface.hub.client import Hub


@pytest.fixture(autouse=True)
def client_settings(monkeypatch, tmp_path):
    """What the library read when it was imported: that it is offline, where it keeps files and tokens, and which agents there are."""
    from huggingface_hub import close_session, constants, utils

    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "agents.json").write_text('{"standardEnvVars": [], "harnesses": {}}')
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(tmp_path / "agents.json"))
    utils.disable_progress_bars()
    yield
    utils.enable_progress_bars()
    close_session()


@pytest.fixture
def start():
    opened = []

    def make(**settings):
        opened.append(HubSimulator(**settings))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def sim(start, monkeypatch):
    """The simulator, where Inference Endpoints of the library lead to as well."""
    made = start()
    monkeypatch.setattr("huggingface_hub.constants.INFERENCE_ENDPOINTS_ENDPOINT", made.endpoints_url)
    return made


@pytest.fixture
def hub(sim):
    return Hub(token=sim.token, endpoint=sim.url)


@pytest.fixture
def checkpoint(tmp_path):
    """Make a sealed checkpoint."""

    def make(step, *, content=b"weights", folder=None, **more):
        made = (folder or tmp_path / "made") / f"checkpoint-{step}"
        made.mkdir(parents=True, exist_ok=True)
        (made / "model.safetensors").write_bytes(content + str(step).encode())
        (made / "trainer_state.json").write_text(json.dumps({"global_step": step}))
        for name, text in more.items():
            (made / name).write_text(text)
        checkpoints.seal(made, {"loss": 1.0 / step})
        return made

    return make


@pytest.fixture
def model_folder(tmp_path):
    """Make a folder that looks like a model, with what does not belong into a repository beside it."""

    def make(name="merged", *, weights=b"\0" * 64, **more):
        made = tmp_path / name
        made.mkdir(parents=True, exist_ok=True)
        (made / "config.json").write_text('{"model_type": "llama"}')
        (made / "model.safetensors").write_bytes(weights)
        (made / "tokenizer.json").write_text("{}")
        for file, text in more.items():
            (made / file.replace("__", ".")).write_text(text)
        return made

    return make
