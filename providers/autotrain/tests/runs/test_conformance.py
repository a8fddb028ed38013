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
    """All scenarios, but that what is learned is another thing here."""

    def test_b45_rows_are_rendered_with_what_is_learned(self, kit):
        """B45, as far as AutoTrain can: it learns every token after the first, and `render` says so."""
        spec = kit.order().spec
        numbered = [(number, dict(row)) for number, row in enumerate(kit.rows[:3], start=2)]
        shown = list(kit.backend.render(spec, numbered))
        assert [seen.row for seen in shown] == [2, 3, 4]
        for seen, (_, row) in zip(shown, numbered, strict=True):
            assert [piece.trained for piece in seen.pieces] == [False, True]
            assert [piece.tokens for piece in seen.pieces] == [seen.prompt_tokens, seen.trained_tokens]
            assert all(turn["content"] in seen.pieces[1].text for turn in row["messages"])
        counted = list(kit.backend.render(spec, numbered, pieces=False))
        assert [(c.prompt_tokens, c.trained_tokens) for c in counted] == [(s.prompt_tokens, s.trained_tokens) for s in shown]
