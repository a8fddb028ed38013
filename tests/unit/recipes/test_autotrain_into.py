"""A config becomes a spec: which numbers, which adapter, which backend, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from anytune.errors import ConfigError
from anytune.recipes import autotrain
from anytune.spec import CLM, DPO, ORPO, SFT, Full, LoRA, QLoRA, Reward, TrainingSpec

CONFIGS = Path(__file__).parents[2] / "fixtures" / "autotrain"


def said(findings, code):
    return [each.message for each in findings if each.code == code]


def test_autotrains_own_defaults_are_written_out(desk):
    assert desk.translated().spec.method == SFT(
        num_train_epochs=1,
        learning_rate=3e-5,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=4,
        warmup_steps=0.1,
        lr_scheduler_type="linear",
        weight_decay=0.0,
        max_grad_norm=1.0,
        max_length=1024,
        overlong="truncate",
        seed=42,
    )


def test_the_same_numbers_come_out_for_another_backend(desk):
    config = desk.config(params={"peft": True})
    there, here = autotrain.to_spec(config, "trl").spec, autotrain.to_spec(config).spec
    assert there.backend == "trl"
    assert there.model_copy(update={"backend": "autotrain"}) == here
    assert here.method.packing is None  # trl refuses it on a CPU


@pytest.mark.parametrize(
    ("task", "params", "kind"),
    [
        ("llm", {}, CLM),
        ("llm-generic", {}, CLM),
        ("lm_training", {}, CLM),
        ("llm-sft", {}, SFT),
        ("llm", {"trainer": "sft"}, SFT),
        ("llm-sft", {"trainer": "default"}, CLM),
    ],
)
def test_the_task_or_the_trainer_says_what_is_learned(desk, task, params, kind):
    assert type(desk.translated(task=task, params=params).spec.method) is kind


@pytest.mark.parametrize(("task", "kind", "beta"), [("llm-dpo", DPO, 0.3), ("llm-orpo", ORPO, 0.1), ("llm-reward", Reward, None)])
def test_tasks_of_pairs_have_their_own_methods(desk, task, kind, beta):
    desk.rows({"prompt": "a", "chosen": "b", "rejected": "c"})
    mapping = {"prompt_text_column": "prompt", "text_column": "chosen", "rejected_text_column": "rejected"}
    found = desk.translated(task=task, mapping=mapping, params={"dpo_beta": 0.3})
    assert type(found.spec.method) is kind
    assert getattr(found.spec.method, "beta", None) == beta
    assert bool(said(found.findings, "left-out")) is (task != "llm-dpo")


@pytest.mark.parametrize(
    ("params", "adapter", "options"),
    [
        ({}, Full(), {}),
        ({"peft": True}, QLoRA(r=16, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear"), {}),
        ({"peft": True, "quantization": None, "lora_r": 4}, LoRA(r=4, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear"), {}),
        (
            {"peft": True, "quantization": "int8", "target_modules": "q_proj, v_proj"},
            LoRA(r=16, lora_alpha=32, lora_dropout=0.05, target_modules=("q_proj", "v_proj")),
            {"quantization": "int8"},
        ),
        ({"peft": True, "quantization": "none", "target_modules": ""}, LoRA(r=16, lora_alpha=32, lora_dropout=0.05), {}),
    ],
)
def test_peft_and_quantization_say_which_adapter(desk, params, adapter, options):
    spec = desk.translated(params=params).spec
    assert spec.adapter == adapter
    assert spec.options.get("autotrain", {}) == options


@pytest.mark.parametrize(
    ("params", "length"),
    [
        ({"block_size": -1}, 1024),
        ({"block_size": -1, "model_max_length": 512}, 512),
        ({"block_size": 4096}, 2048),
        ({"block_size": 4096, "model_max_length": 8192}, 4096),
        ({"block_size": [256]}, 256),
    ],
)
def test_the_block_size_is_the_length_that_autotrain_would_take(desk, params, length):
    assert desk.translated(params=params).spec.method.max_length == length


def test_a_number_that_yaml_takes_for_text_is_a_number(desk):
    (desk.folder / "a.yml").write_text(
        "{task: llm-sft, base_model: m, project_name: p, data: {path: data}, params: {lr: 1e-4}}", encoding="utf-8"
    )
    assert autotrain.to_spec(autotrain.from_yaml(desk.folder / "a.yml")).spec.method.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("backend", "word"),
    [
        ("local", "autotrain"),
        ("local-cli", "autotrain"),
        ("spaces-t4-small", "autotrain@spaces:t4-small"),
        ("spaces-a10g-largex2", "autotrain@spaces:a10g-largex2"),
        ("trl", "trl"),
    ],
)
def test_a_backend_has_its_word_here(desk, backend, word):
    assert desk.translated(backend=backend).spec.backend == word


@pytest.mark.parametrize("backend", ["ep-aws-useast1-m", "nvcf-h100x1", "dgx-a100"])
def test_places_that_are_not_supported_say_what_to_do_instead(desk, backend):
    with pytest.raises(ConfigError) as caught:
        desk.config(backend=backend)
    assert backend in caught.value.message
    assert "spaces-" in caught.value.fix


@pytest.mark.parametrize("task", ["tabular", "image-classification", "st:pair", "vlm:vqa", "text_regression"])
def test_tasks_for_other_models_are_refused(desk, task):
    with pytest.raises(ConfigError, match="trains no language model"):
        desk.config(task=task)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"block_size": [128, 256]}, "is a list"),
        ({"lr": "fast"}, "`params.lr` is 'fast'"),
        ({"epochs": None}, "`params.epochs` is None"),
        ({"warmup_ratio": 1.5}, "`warmup_ratio`"),
        ({"trainer": "ppo"}, "no trainer 'ppo'"),
        ({"peft": True, "quantization": "int2"}, "int2"),
        ({"chat_template": "alpaca"}, "no chat template 'alpaca'"),
        ({"push_to_hub": True}, "`push_to_hub` needs a `username`"),
    ],
)
def test_values_that_autotrain_does_not_take_are_refused(desk, params, problem):
    with pytest.raises(ConfigError, match=problem):
        desk.translated(params=params)


def test_only_what_is_not_autotrains_default_becomes_an_option(desk):
    same = {"optimizer": "adamw_torch", "padding": "right", "mixed_precision": None, "merge_adapter": False}
    assert desk.translated(params=same).spec.options == {}
    assert desk.translated(params=same | {"optimizer": "adafactor"}).spec.options == {"autotrain": {"optimizer": "adafactor"}}


@pytest.mark.parametrize(("task", "limit"), [("llm-sft", None), ("llm-dpo", 128), ("llm-orpo", 128), ("llm-reward", None)])
def test_autotrains_limit_of_prompts_is_written_out_where_it_cuts_them(desk, task, limit):
    desk.rows({"text": "one", "prompt": "two", "rejected": "three"})
    mapping = {"prompt_text_column": "prompt", "rejected_text_column": "rejected"}
    spec = desk.translated(task=task, mapping=mapping).spec
    assert spec.options.get("autotrain", {}).get("max_prompt_length") == limit


@pytest.mark.parametrize(
    ("task", "template", "word"),
    [
        ("llm-sft", None, None),
        ("llm-dpo", None, "none"),
        ("llm-reward", None, "none"),
        ("llm-dpo", "tokenizer", None),
        ("llm-dpo", "zephyr", "zephyr"),
    ],
)
def test_pairs_of_plain_text_get_no_template(desk, task, template, word):
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    desk.rows({"text": "one", "prompt": "two", "rejected": "three"} | ({"text": chat, "rejected": chat} if template else {}))
    mapping = {"prompt_text_column": "prompt", "rejected_text_column": "rejected"}
    spec = desk.translated(task=task, data={"chat_template": template}, mapping=mapping).spec
    assert spec.options.get("autotrain", {}).get("chat_template") == word


def test_trackers_are_the_specs_but_tensorboard_is_an_option(desk):
    assert desk.translated(log="wandb").spec.method.report_to == ("wandb",)
    found = desk.translated(log="tensorboard").spec
    assert found.method.report_to is None
    assert found.options == {"autotrain": {"log": "tensorboard"}}


def test_a_schedule_and_a_norm_without_a_word_become_options(desk):
    spec = desk.translated(params={"scheduler": "polynomial", "max_grad_norm": 0}).spec
    assert (spec.method.lr_scheduler_type, spec.method.max_grad_norm) == (None, None)
    assert spec.options == {"autotrain": {"scheduler": "polynomial", "max_grad_norm": 0.0}}


@pytest.mark.parametrize("place", ["hub", "params"])
def test_a_token_in_clear_is_never_read_and_warned_about(desk, place):
    token = "hf_ThisIsNobodysTokenAtAll"
    found = desk.translated(**{place: {"token": token}})
    assert "token-in-clear" in {each.code for each in found.findings}
    assert token not in repr(found)


def test_a_token_from_the_environment_is_fine(desk, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_ThisIsNobodysTokenAtAll")
    monkeypatch.setenv("HF_USERNAME", "kitchen")
    found = desk.translated(hub={"username": "${HF_USERNAME}", "token": "${HF_TOKEN}", "push_to_hub": True})
    assert "token-in-clear" not in {each.code for each in found.findings}
    assert found.spec.options == {"autotrain": {"push_to_hub": True, "username": "kitchen"}}
    assert "hf_This" not in repr(found)


def test_words_that_are_not_supported_are_named_with_the_reason(desk):
    found = desk.translated(params={"unsloth": True, "distributed_backend": "deepspeed"})
    assert [message.partition(" is")[0] for message in said(found.findings, "left-out")] == ["`distributed_backend`", "`unsloth`"]


def test_words_without_effect_are_named(desk):
    found = desk.translated(params={"lora_r": 4, "model_ref": "their/other"})
    assert said(found.findings, "left-out") == [
        "`lora_r` has no effect in this run, in AutoTrain neither.",
        "`model_ref` has no effect in this run, in AutoTrain neither.",
    ]


def test_moving_says_what_is_learned_otherwise(desk):
    desk.rows({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
    found = desk.translated(data={"chat_template": "tokenizer"}, mapping={"text_column": "messages"})
    assert any("every token" in each.message for each in found.moving)
    assert found.told("autotrain") == found.findings
    assert set(found.moving) < set(found.told("trl"))


def test_a_seed_is_the_runs(desk):
    assert any("`seed`" in message for message in said(desk.translated(params={"seed": 7}).findings, "differs"))
    assert not any("`seed`" in message for message in said(desk.translated().findings, "differs"))


@pytest.mark.parametrize("name", ["sft", "dpo", "orpo", "reward", "hub"])
def test_projects_as_people_have_them_become_specs(desk, monkeypatch, name):
    monkeypatch.setenv("HF_USERNAME", "kitchen")
    found = autotrain.to_spec(autotrain.from_yaml(CONFIGS / f"{name}.yml"))
    spec = found.spec
    assert spec.job_name == {"hub": "wiki-base"}.get(name, f"foods-{name}")
    assert TrainingSpec(**spec.model_dump(mode="json", exclude_unset=True)) == spec
    assert not [each for each in found.findings if each.severity == "error"]


def test_a_project_keeps_its_settings(desk, monkeypatch):
    monkeypatch.setenv("HF_USERNAME", "kitchen")
    spec = autotrain.to_spec(autotrain.from_yaml(CONFIGS / "sft.yml")).spec
    assert spec.adapter == QLoRA(r=8, lora_alpha=16, lora_dropout=0.05, target_modules=("q_proj", "v_proj"))
    assert spec.options["autotrain"] == {
        "optimizer": "adamw_bnb_8bit",
        "mixed_precision": "bf16",
        "merge_adapter": True,
        "push_to_hub": True,
        "username": "kitchen",
        "log": "tensorboard",
    }
    assert spec.method.lr_scheduler_type == "cosine"


def test_a_dataset_of_the_hub_stays_there(desk):
    spec = autotrain.to_spec(autotrain.from_yaml(CONFIGS / "hub.yml")).spec
    assert (str(spec.train), str(spec.validation)) == ("hf:kitchen/encyclopedia:en/train", "hf:kitchen/encyclopedia:en/validation")
    assert spec.options["autotrain"] == {"add_eos_token": False, "scheduler": "cosine_with_restarts", "max_grad_norm": 0.0}


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ([], "Nothing is to be done"),
        (["--train", "--model", "m", "--project-name", "p"], "--data-path"),
        (["--train", "--model"], "needs a value"),
        (["--train", "--peft=true"], "takes no value"),
        (["--deploy"], "--deploy"),
        (["--train", "extra"], "`extra`"),
    ],
)
def test_a_command_line_that_cannot_be_run_says_why(argv, problem):
    with pytest.raises(ConfigError, match=problem):
        autotrain.from_argv(argv)


def test_the_command_line_makes_the_same_spec_as_the_yaml(desk):
    argv = (
        "--train --model their/model --project-name mine --data-path data --trainer sft --text_column text --block-size -1 --lr 1e-4 --peft"
    )
    typed = autotrain.to_spec(autotrain.from_argv(argv.split())).spec
    assert typed == desk.translated(mapping={"text_column": "text"}, params={"lr": 1e-4, "peft": True}).spec


def test_a_token_on_the_command_line_is_never_read(desk):
    argv = "--train --model m --project-name p --data-path data --token hf_ThisIsNobodysTokenAtAll"
    found = autotrain.to_spec(autotrain.from_argv(argv.split()))
    assert "token-in-clear" in {each.code for each in found.findings}
    assert "hf_This" not in repr(found)
