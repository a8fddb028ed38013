from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import yaml

from anytune_huggingface import checkpoints
from anytune_huggingface.models import adapters

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning"
)

FRUIT = ("apple red", "pear green", "plum purple", "lime green", "cherry red", "grass green", "sky yellow")
FAST = {"learning_rate": 1e-2, "warmup_steps": 0, "packing": False, "gradient_accumulation_steps": 1, "lr_scheduler_type": "constant"}


def chats(count=1):
    asked = [pair.split() for pair in FRUIT * count]
    return [{"messages": [{"role": "user", "content": f"colour of {f}"}, {"role": "assistant", "content": c}]} for f, c in asked]


@pytest.fixture(scope="module")
def tuned(runs, written):
    """A LoRA run with validation rows."""
    run = runs("tuned").order(
        written(chats(4)), validation=written(chats()), adapter="lora", method=FAST | {"max_steps": 8, "eval_steps": 4}
    )
    return run.train()


@pytest.fixture(scope="module")
def whole(runs, written):
    """All weights, rows joined into blocks, never interrupted."""
    return runs("whole").order(written(chats(4)), method=WHOLE).train()


WHOLE = {
    "max_steps": 120, "save_steps": 10, "learning_rate": 1e-4, "max_length": 32, "logging_steps": 1, "save_total_limit": 5,
    "gradient_accumulation_steps": 1,
}  # fmt: skip


def test_a_lora_run_leaves_a_model_that_loads_and_its_papers(tuned, tiny_model):
    artifacts = tuned.result["model"]["artifacts"]
    assert set(artifacts) == {"merged", "adapter", "card", "parity"}
    assert adapters.base_of(tuned.folder / "adapter") == str(tiny_model)
    card = (tuned.folder / "merged" / "README.md").read_text()
    assert "AutoTrain's sft trainer (lora)" in card
    assert "autotrain-advanced 0.8.36" in card
    assert str(tuned.folder.parent) not in card
    assert len(json.loads((tuned.folder / "parity.json").read_text())["rows"]) == 3


def test_nothing_of_autotrains_leftovers_stays(tuned):
    left = {path.name for path in tuned.folder.rglob("*")}
    assert not left & {"training_args.bin", "training_params.json", "autotrain-data", ".scratch", "optimizer.bin"}
    assert not list((tuned.folder / "checkpoints").glob("model"))


def test_validation_rows_are_measured_though_autotrain_alone_would_drop_them(tuned):
    assert [line["step"] for line in tuned.lines("metrics.jsonl") if "eval_loss" in line["values"]] == [4, 8]
    assert tuned.losses()[-1] < tuned.losses()[0]


def test_progress_says_steps_tokens_and_memory(tuned):
    progress = tuned.said("progress.json")
    assert (progress["step"], progress["total_steps"], progress["eta_s"]) == (8, 8, 0.0)
    counted = tuned.result["counts"]["train"]
    assert progress["trained_tokens"] == round(counted["tokens"] / counted["samples"] * 2 * 8)
    assert progress["peak_memory_bytes"] > 100e6


def test_the_run_folder_holds_a_plain_config_for_autotrain_and_no_token(tuned, real):
    config = yaml.safe_load((tuned.folder / "autotrain" / "config.yml").read_text())
    assert (config["task"], config["backend"], config["params"]["peft"], config["params"]["quantization"]) == (
        "llm-sft",
        "local",
        True,
        None,
    )
    assert "token" not in (tuned.folder / "autotrain" / "config.yml").read_text().replace("eos_token", "")
    code = (
        "import sys, yaml; from autotrain.trainers.clm.params import LLMTrainingParams as P; c = yaml.safe_load(open(sys.argv[1])); "
        "P(**c['params']); print(sorted(set(c['params']) - set(P.model_fields)))"
    )
    said = subprocess.run([real, "-c", code, tuned.folder / "autotrain" / "config.yml"], capture_output=True, text=True, check=True)
    assert said.stdout.strip().splitlines()[-1] == "[]"


def test_a_checkpoint_is_an_adapter_of_the_base_that_was_asked_for(tuned, tiny_model):
    checkpoint = tuned.folder / "checkpoints" / "checkpoint-8"
    assert adapters.base_of(checkpoint) == str(tiny_model)
    assert checkpoints.problem(checkpoint) is None


def test_rows_are_joined_into_blocks_and_this_is_said(whole):
    counted = whole.result["counts"]["train"]
    assert (counted["packed"], counted["tokens"]) == (1, 32 * counted["sequences"])
    assert any("AutoTrain joins the 28 train rows into" in message for message in whole.messages)
    started = next(line for line in whole.lines("events.jsonl") if line["message"].startswith("AutoTrain 0.8.36 trains"))
    assert started["data"]["sequences"] == counted["sequences"]
    assert started["data"]["sequence_tokens"] == counted["tokens"]


def test_what_is_learned_is_how_the_model_is_asked(tuned, tiny_model):
    from transformers import AutoTokenizer

    first = json.loads((tuned.folder / "autotrain" / "data" / "train.jsonl").read_text().splitlines()[0])["text"]
    asked = AutoTokenizer.from_pretrained(tiny_model).apply_chat_template(
        [{"role": "user", "content": "colour of apple"}], tokenize=False, add_generation_prompt=True
    )
    assert first == f"{asked}red<|im_end|>\n"


@pytest.mark.slow
def test_a_killed_driver_and_a_killed_parent_cost_nothing_but_time(runs, whole, written, until):
    from safetensors.torch import load_file

    run = runs("killed").order(written(chats(4)), method=WHOLE)
    argv = [sys.executable, "-P", "-m", "anytune_autotrain.train", str(run.folder)]
    env = os.environ | {"ANYTUNE_TASK_DIR": str(run.task), "HF_HUB_OFFLINE": "1"}
    for victim, step in (("driver", 10), ("parent", 30)):
        with subprocess.Popen(argv, env=env, start_new_session=True) as parent:
            until(lambda step=step: any(c.step >= step for c in checkpoints.listed(run.folder / "checkpoints")))
            children = _children(parent.pid)
            assert len(children) == 1
            os.kill(parent.pid if victim == "parent" else children[0], signal.SIGKILL)
            assert parent.wait(30) != 0
        until(lambda pid=children[0]: not _runs(pid))
        assert run.said("failed.json") is None
        assert run.said("result.json") is None
    run.train()
    assert run.result["steps"] == 120
    assert sum(message.startswith("Going on from checkpoint-") for message in run.messages) == 2
    there, here = (load_file(each.folder / "merged" / "model.safetensors") for each in (whole, run))
    assert all((there[name] - here[name]).abs().max() < 1e-5 for name in there)


def _children(pid):
    import psutil

    return [child.pid for child in psutil.Process(pid).children() if any("driver.py" in word for word in child.cmdline())]


def _runs(pid):
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_a_pause_saves_a_checkpoint_and_stops(run, written, monkeypatch):
    from anytune.local.child import Reporter

    original = Reporter.metric

    def asks(self, step, values):
        (run.task / "hold").touch()
        original(self, step, values)

    monkeypatch.setattr(Reporter, "metric", asks)
    run.order(written(chats(4)), method=WHOLE | {"max_steps": 3000}).train()
    paused = run.said("paused.json")["step"]
    assert 0 < paused < 3000
    assert checkpoints.last_good(run.folder / "checkpoints")[0].name == f"checkpoint-{paused}"
    assert run.said("result.json") is None


def test_preferences_are_learned_with_an_adapter(run, written, preferences):
    run.order(
        written(preferences), adapter="lora", method={"type": "dpo", **FAST, "packing": None, "max_steps": 6, "logging_steps": 1}
    ).train()
    assert run.result["steps"] == 6
    assert run.losses()[0] == pytest.approx(0.6931, abs=1e-3)
    assert run.losses()[-1] < run.losses()[0]
    first = json.loads((run.folder / "autotrain" / "data" / "train.jsonl").read_text().splitlines()[0])
    assert (first["chosen"], first["rejected"]) == ("red", "sky")
    assert first["prompt"].endswith("<|im_start|>assistant\n")


@pytest.mark.slow
def test_odds_ratios_are_learned_by_all_weights(run, written, preferences):
    method = {"type": "orpo", "max_steps": 6, "learning_rate": 1e-3, "beta": 0.3, "logging_steps": 1, "gradient_accumulation_steps": 7}
    run.order(written(preferences), method=method).train()
    assert run.losses()[-1] < run.losses()[0]
    assert "adapter" not in run.result["model"]["artifacts"]
    assert json.loads((run.folder / "autotrain" / "RUN.json").read_text())["overrides"]["beta"] == 0.3


@pytest.mark.parametrize("adapter", ["lora", pytest.param("full", marks=pytest.mark.slow)])
def test_a_reward_model_scores_and_cannot_be_deployed(run, written, preferences, adapter):
    from anytune.backend import DeployOrder
    from anytune.errors import ConfigError
    from anytune.values import ModelRef
    from anytune_autotrain import AutoTrainBackend

    method = {"type": "reward", "max_steps": 20, "learning_rate": 1e-2 if adapter == "lora" else 3e-3, "gradient_accumulation_steps": 1}
    run.order(written(preferences), adapter=adapter, method=method).train()
    assert run.result["metrics"]["reward_accuracy"] > 0.8
    made = run.result["model"]
    assert "parity" not in made["artifacts"]
    with pytest.raises(ConfigError, match="is a reward model"):
        AutoTrainBackend().deploy(DeployOrder(ref="D", model=ModelRef.model_validate(made), name="x", ttl_s=60))


@pytest.mark.slow
def test_a_reward_model_is_scored_at_its_end_though_padding_closes_turns(run, written, preferences, copied):
    changed = json.loads((copied / "tokenizer_config.json").read_text()) | {"pad_token": "<|im_end|>"}
    (copied / "tokenizer_config.json").write_text(json.dumps(changed))
    method = {"type": "reward", "max_steps": 20, "learning_rate": 3e-3, "gradient_accumulation_steps": 1}
    run.order(written(preferences), model=copied, method=method).train()
    assert run.result["metrics"]["reward_accuracy"] > 0.8
    assert json.loads((run.folder / "merged" / "config.json").read_text())["pad_token_id"] != 2


@pytest.mark.slow
def test_plain_text_is_learned_in_blocks(run, written):
    rows = [{"text": f"{pair} please answer"} for pair in FRUIT * 6]
    run.order(written(rows), method={"type": "clm", "max_steps": 3, "max_length": 32, "learning_rate": 1e-3}).train()
    counted = run.result["counts"]["train"]
    assert counted["tokens"] == 32 * counted["sequences"]
    started = next(line for line in run.lines("events.jsonl") if line["message"].startswith("AutoTrain 0.8.36 trains"))
    assert (started["data"]["sequences"], started["data"]["tokens"]) == (
        counted["sequences"],
        counted["tokens"] + counted["dropped_tokens"],
    )


@pytest.mark.slow
def test_autotrains_own_template_brings_its_tokens_along(run, written):
    options = {"autotrain": {"chat_template": "zephyr", "log": "tensorboard"}}
    run.order(written(chats(4)), adapter="lora", method=FAST | {"max_steps": 2}, options=options).train()
    first = json.loads((run.folder / "autotrain" / "data" / "train.jsonl").read_text().splitlines()[0])["text"]
    assert first == "<|user|>\ncolour of apple</s>\n<|assistant|>\nred</s>\n"
    from transformers import AutoModelForCausalLM, AutoTokenizer

    merged = run.result["model"]["id"]
    tokenizer = AutoTokenizer.from_pretrained(merged)
    assert tokenizer.eos_token == "</s>"
    assert AutoModelForCausalLM.from_pretrained(merged).get_input_embeddings().num_embeddings >= len(tokenizer)
    assert list((run.folder / "autotrain" / "runs").rglob("events.out.*"))


def test_data_that_changed_since_the_order_is_refused(run, written):
    data = written(chats())
    run.order(data)
    data.write_text(data.read_text().replace("red", "blue"))
    run.train()
    assert "data changed since the job was made" in run.said("failed.json")["message"]


def test_overlong_rows_fail_the_job_before_it_trains(run, written):
    run.order(written(chats()), method=FAST | {"max_steps": 2, "max_length": 10}).train()
    assert "rows are longer than max_length=10" in run.said("failed.json")["message"]
    assert not run.lines("metrics.jsonl")


def test_a_model_that_autotrain_cannot_know_is_refused_with_the_reason(run, written, copied):
    config = json.loads((copied / "config.json").read_text()) | {"model_type": "qwen3"}
    (copied / "config.json").write_text(json.dumps(config))
    run.order(written(chats()), model=copied).train()
    assert "does not know the architecture 'qwen3'" in run.said("failed.json")["message"]


def test_a_full_disk_is_noticed_before_training(run, written, monkeypatch):
    from types import SimpleNamespace

    from anytune_autotrain import train

    monkeypatch.setattr(train.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    run.order(written(chats())).train()
    assert "GB of disk space" in run.said("failed.json")["message"]


def test_a_tampered_checkpoint_is_never_resumed_from(whole, runs):
    run = runs("tampered")
    shutil.copytree(whole.folder, run.folder)
    shutil.rmtree(run.folder / "merged")
    broken = run.folder / "checkpoints" / "checkpoint-120" / "optimizer.pt"
    broken.write_bytes(broken.read_bytes()[:-1] + b"x")
    run.train()
    assert any("checkpoint-120: optimizer.pt was changed" in message for message in run.messages)
    assert "Going on from checkpoint-110." in run.messages
    assert run.result["steps"] == 120
