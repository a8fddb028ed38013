"""A YAML that somebody has for AutoTrain, run as it is: through the command line, to a model, and onto a Hub that is simulated."""

from __future__ import annotations

import json

import pytest

from anytune.cli import invoke
from anytune.testing.simulators.hub import HubSimulator

pytestmark = pytest.mark.slow

SFT = """\
task: llm-sft
base_model: tiny
project_name: colours
log: none
backend: local
data:
  path: chats
  train_split: train
  valid_split: valid
  chat_template: tokenizer
  column_mapping:
    text_column: messages
params:
  block_size: 64
  epochs: 2
  batch_size: 2
  gradient_accumulation: 1
  lr: 1e-3
  peft: true
  quantization: null
  target_modules: all-linear
  lora_r: 4
"""
DPO = """\
task: llm-dpo
base_model: tiny
project_name: colours-dpo
log: tensorboard
backend: local
data:
  path: pairs
  train_split: train
  valid_split: null
  chat_template: null
  column_mapping:
    prompt_text_column: question
    text_column: good
    rejected_text_column: bad
params:
  block_size: 64
  max_prompt_length: 32
  max_completion_length: 32
  epochs: 1
  batch_size: 4
  gradient_accumulation: 2
  lr: 1e-3
  peft: true
  quantization: null
hub:
  username: ${HF_USERNAME}
  token: ${HF_TOKEN}
  push_to_hub: true
"""


@pytest.fixture(scope="module", autouse=True)
def anytune_home(tmp_path_factory):
    """Give the module one home, and switch the Hub on."""
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


@pytest.fixture
def sim(monkeypatch):
    with HubSimulator(user="acme", orgs=()) as sim:
        for name, value in (sim.environment() | {"HF_USERNAME": "acme"}).items():
            monkeypatch.setenv(name, value)
        yield sim


@pytest.fixture
def project(real, copied, chat, fruit, tmp_path, monkeypatch):
    """A folder with a model, data and configs; the working folder."""
    copied.rename(tmp_path / "tiny")
    ways = ("what is the colour of {}", "colour of {} please", "please answer what colour {} is", "{} is of what colour")
    asked = [(way.format(name), colour) for way in ways for name, colour in fruit]
    chats = [chat(*each) for each in asked]
    pairs = [{"question": f"{question}\n", "good": colour, "bad": "sky"} for question, colour in asked]
    for path, rows in {"chats/train": chats[:-7], "chats/valid": chats[-7:], "pairs/train": pairs}.items():
        file = tmp_path / f"{path}.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "sft.yml").write_text(SFT, encoding="utf-8")
    (tmp_path / "dpo.yml").write_text(DPO, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(project, capsys):
    """Run a config, and give what the command printed as JSON."""

    def start(*arguments):
        code = invoke(["run", "--autotrain", *arguments, "--poll", "0.5s", "--json"])
        out, err = capsys.readouterr()
        assert code == 0, err
        return json.loads(out)

    return start


@pytest.mark.parametrize("backend", ["autotrain", "trl"])
def test_a_yaml_is_run_as_it_is_on_either_backend(run, backend):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    done = run("sft.yml", "--backend", backend)
    assert (done["job"]["status"], done["job"]["backend"], done["job"]["name"]) == ("succeeded", backend, "colours")
    moved = [each["message"] for each in done["translation"] if "others learn the assistant's turns only" in each["message"]]
    assert bool(moved) == (backend == "trl")
    folder = done["job"]["model"]["id"]
    assert AutoModelForCausalLM.from_pretrained(folder).get_input_embeddings().num_embeddings >= len(AutoTokenizer.from_pretrained(folder))


def test_a_yaml_that_asks_for_the_hub_pushes_its_model_there_privately(run, sim):
    done = run("dpo.yml")
    assert done["job"]["status"] == "succeeded"
    assert done["pushed"]["repo"] == "acme/colours-dpo"
    repo = sim.store.get("model", "acme/colours-dpo")
    assert repo.private
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= set(repo.files())
    assert not [content for content in repo.files().values() if sim.token.encode() in content]
