"""A simulated Hub, and the real client that asks it."""

from __future__ import annotations

import pytest

from anytune.testing.simulators.hub import HubSimulator


@pytest.fixture(autouse=True)
def client_settings(monkeypatch, tmp_path):
    """What the client reads when it is imported: where it keeps files, that there is no Xet storage, and which agents there are."""
    client = pytest.importorskip("huggingface_hub")
    from huggingface_hub import constants, utils

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    (tmp_path / "agents.json").write_text('{"standardEnvVars": [], "harnesses": {}}')
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(tmp_path / "agents.json"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    utils.disable_progress_bars()
    yield
    utils.enable_progress_bars()
    client.close_session()


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
def hub(start):
    return start()


@pytest.fixture
def connect():
    """Make the real client of a Hub; without a token, or with another account's."""
    import huggingface_hub

    def make(hub, *, token=None):
        return huggingface_hub.HfApi(endpoint=hub.url, token=hub.token if token is None else token)

    return make


@pytest.fixture
def api(hub, connect):
    return connect(hub)
