"""The backend runs anytune's conformance suite: real children under a real agent, AutoTrain in its own environment, on the tiny model."""

from __future__ import annotations

import pytest

from anytune.testing import BackendConformance, BackendKit
from anytune.testing.simulators.hub import HubSimulator
from anytune.values import Status
from anytune_autotrain import AutoTrainBackend
from anytune_huggingface.compute.local import status_of

WORDS = {
    "queued": Status.QUEUED,
    "running": Status.RUNNING,
    "paused": Status.PAUSED,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
}


@pytest.fixture(scope="module", autouse=True)
def anytune_home(tmp_path_factory):
    """Give the module one home: the kit's jobs are shared by its scenarios. Models are published on a Hub that is simulated."""
    from huggingface_hub import constants, utils

    home = tmp_path_factory.mktemp("home")
    (home / "agents.json").write_text('{"standardEnvVars": [], "harnesses": {}}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANYTUNE_HOME", str(home))
        patch.setenv("GOMP_SPINCOUNT", "0")
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        patch.setattr(constants, "AGENT_HARNESSES_PATH", str(home / "agents.json"))
        utils.disable_progress_bars()
        yield home


@pytest.fixture(scope="module")
def sim(anytune_home):
    with HubSimulator(user="acme", orgs=()) as sim, pytest.MonkeyPatch.context() as patch:
        for name, value in sim.environment().items():
            patch.setenv(name, value)
        yield sim


@pytest.fixture(scope="module")
def kit(real, sim, tiny_model, tmp_path_factory):
    kit = BackendKit(
        AutoTrainBackend,
        folder=tmp_path_factory.mktemp("data"),
        model=str(tiny_model),
        method={"max_steps": 2, "packing": False, "gradient_accumulation_steps": 1},
        long={"max_steps": 400, "save_steps": 400},
        adapter={"type": "lora"},
        poll_s=0.2,
        timeout_s=240,
        statuses=WORDS,
        map_status=status_of,
        secrets=[sim.token],
        owner="acme",
        repo_files=lambda repo: sim.store.get("model", repo).files(),
    )
    yield kit
    kit.close()


class TestAutoTrain(BackendConformance):
    """All scenarios."""
