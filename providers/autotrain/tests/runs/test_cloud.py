"""AutoTrain in the Hugging Face cloud: a simulated Hub whose Spaces and Jobs really run, with this machine's ready environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from anytune.testing import BackendKit
from anytune.testing.simulators.hub import HubSimulator
from anytune_autotrain import AutoTrainBackend
from anytune_autotrain.environment import VARIABLE, Environment

pytestmark = pytest.mark.slow

COMPUTE = {"flavor": "cpu-basic", "timeout": "10m", "look_s": 0.5, "push_s": 0, "quiet_s": 0.3}
ENGINE = Path(__file__).parents[3] / "trl" / "tests" / "programs" / "hosted_engine.py"


@pytest.fixture(scope="module", autouse=True)
def anytune_home(tmp_path_factory):
    """Give the module one home, and switch the Hub on."""
    from huggingface_hub import constants, utils

    home = tmp_path_factory.mktemp("home")
    (home / "agents.json").write_text('{"standardEnvVars": [], "harnesses": {}}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANYTUNE_HOME", str(home))
        patch.setenv("GOMP_SPINCOUNT", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub-cache"))
        patch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        patch.setattr(constants, "AGENT_HARNESSES_PATH", str(home / "agents.json"))
        utils.disable_progress_bars()
        yield home


@pytest.fixture(scope="module")
def sim(anytune_home, real, tiny_model):
    """A Hub with the tiny model; what runs there has AutoTrain's environment already, as if its image had been built with it."""
    program = AutoTrainBackend.program.model_copy(update={"environment": {VARIABLE: str(Environment().folder)}})
    with HubSimulator(user="acme", orgs=(), serve=served) as sim, pytest.MonkeyPatch.context() as patch:
        sim.add("model", "acme/tiny", tiny_model)
        patch.setattr(AutoTrainBackend, "program", program)
        patch.setattr("huggingface_hub.constants.INFERENCE_ENDPOINTS_ENDPOINT", sim.endpoints_url)
        for name, value in sim.environment().items():
            patch.setenv(name, value)
        yield sim


def served(folder, port):
    """Give the command that serves a model, as an endpoint's container would."""
    return [sys.executable, str(ENGINE), str(folder), str(port), "tuned"]


@pytest.fixture(scope="module", params=["spaces", "hf_jobs"])
def kit(request, sim, tmp_path_factory):
    kit = BackendKit(
        lambda: AutoTrainBackend(compute=COMPUTE | {"type": request.param}),
        folder=tmp_path_factory.mktemp("data"),
        model="acme/tiny",
        method={"max_steps": 4, "save_steps": 2, "logging_steps": 1, "packing": False, "gradient_accumulation_steps": 1},
        adapter={"type": "lora", "r": 4},
        poll_s=0.3,
        timeout_s=240,
    )
    yield kit
    kit.close()


def test_a_job_succeeds_and_tells_all_that_it_would_tell_here(kit):
    kit.finished()
    _, job = kit.submitted()
    messages = [event.message for event in kit.backend.events(job.id)]
    assert any(message.startswith("AutoTrain 0.8.36 trains") for message in messages)
    assert "The saved model loads and answers." in messages
    assert [metric.step for metric in kit.backend.metrics(job.id)] == [1, 2, 3, 4]
    assert kit.backend.checkpoints(job.id)[-1].step == 4


def test_the_model_is_in_a_private_repository_and_loads(kit, sim, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    repo, _, revision = kit.tuned().id.partition("@")
    held = sim.store.get("model", repo)
    assert held.private
    for name, content in held.files(revision).items():
        if "/" not in name:
            (tmp_path / name).write_bytes(content)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model.get_input_embeddings().num_embeddings >= len(AutoTokenizer.from_pretrained(tmp_path))
    assert {"adapter/adapter_model.safetensors", "anytune/result.json"} <= set(held.files(revision))


def test_no_token_is_in_what_was_written_or_printed(kit, sim):
    kit.finished()
    logs = [each.log for each in sim.jobs.values()] + [log for space in sim.spaces.values() for log in (space.build_log, space.run_log)]
    written = [content for kind in ("model", "dataset", "space") for repo in sim.store.all(kind) for content in repo.files().values()]
    assert not [line for log in logs for line in log.lines if sim.token in line.text]
    assert not [content for content in written if sim.token.encode() in content]


def test_the_model_is_deployed_and_answers(kit):
    from anytune.testing.scenarios.hosting import QUESTION, client_of

    _, host = kit.deployed()
    with client_of(host.address, 60) as client:
        said = client.chat.completions.create(model=host.address.model, messages=QUESTION, max_tokens=8)
    assert said.usage.completion_tokens > 0
