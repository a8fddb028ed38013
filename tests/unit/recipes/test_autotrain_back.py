"""A spec becomes an AutoTrain YAML; and back again it is the same spec, but for what the loss list names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anytune.errors import ConfigError
from anytune.recipes import autotrain
from anytune.recipes.autotrain.words import PARAMS
from anytune.spec import CLM, DPO, ORPO, RFT, SFT, Budget, Full, LoRA, QLoRA, Reward, TrainingSpec

CHAT = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
ROWS = {
    "sft": {"messages": CHAT},
    "clm": {"text": "one"},
    "dpo": {"prompt": "a", "chosen": "b", "rejected": "c"},
    "orpo": {"prompt": CHAT[:1], "chosen": CHAT[1:], "rejected": [{"role": "assistant", "content": "5"}]},
    "reward": {"prompt": "a", "chosen": "b", "rejected": "c"},
}
METHODS = {"sft": SFT, "dpo": DPO, "orpo": ORPO, "reward": Reward, "clm": CLM}


def spec(desk, kind="sft", **fields) -> TrainingSpec:
    train = desk.rows(ROWS[kind], name=f"{kind}/train.jsonl")
    return TrainingSpec(
        **{"backend": "autotrain", "model": "their/model", "train": train, "method": METHODS[kind](), "name": "mine"} | fields
    )


def again(desk, recipe) -> TrainingSpec:
    (desk.folder / "back.yml").write_text(recipe.yaml, encoding="utf-8")
    return autotrain.to_spec(autotrain.from_yaml(desk.folder / "back.yml")).spec


def lost(recipe) -> set[str]:
    return {name for each in recipe.findings if each.code == "lost" for name in re.findall(r"no word for `([\w.]+)`", each.message)}


def test_the_yaml_has_the_documented_keys_and_only_autotrains_words(desk):
    found = autotrain.from_spec(
        spec(desk, method=SFT(learning_rate=1e-4, max_length=512), adapter=LoRA(r=8), backend="autotrain@spaces:l4x1")
    )
    config = yaml.safe_load(found.yaml)
    assert (config["task"], config["backend"], config["base_model"]) == ("llm-sft", "spaces-l4x1", "their/model")
    assert config["data"]["column_mapping"] == {"text_column": "messages"}
    assert config["data"]["chat_template"] == "tokenizer"
    assert config["params"] == {"lr": 1e-4, "block_size": 512, "peft": True, "quantization": None, "lora_r": 8}
    assert set(config["params"]) < set(PARAMS)


def test_rows_that_autotrain_reads_stay_where_they_are(desk):
    given = spec(desk)
    assert autotrain.from_spec(given).config["data"]["path"] == str(given.train.parent)


def test_other_rows_are_written_for_it(desk):
    desk.rows({"prompt": "2+2?", "completion": "4"}, name="rows.jsonl")
    found = autotrain.from_spec(spec(desk, train=desk.folder / "rows.jsonl"))
    folder = Path(found.config["data"]["path"])
    assert desk.read(folder / "train.jsonl") == [{"messages": CHAT}]
    assert "rewritten" in {each.code for each in found.findings}


def test_a_token_is_only_ever_a_name_of_the_environment(desk):
    found = autotrain.from_spec(spec(desk, options={"autotrain": {"push_to_hub": True, "username": "kitchen"}}))
    assert found.config["hub"] == {"username": "kitchen", "token": "${HF_TOKEN}", "push_to_hub": True}


def test_what_has_no_word_is_named(desk):
    method = SFT(max_steps=5, save_steps=2, num_train_epochs=1.5, warmup_steps=10, packing=False, overlong="error", seed=7, batch_size=8)
    options = {"trl": {"speed": 3}}
    found = autotrain.from_spec(
        spec(desk, method=method, budget=Budget(max_usd=5), strict=True, backend="trl", options=options, name="a.b")
    )
    assert lost(found) == {
        "max_steps", "save_steps", "num_train_epochs", "warmup_steps", "packing", "overlong", "seed", "batch_size", "budget", "strict",
        "backend", "options.trl.speed", "name",
    }  # fmt: skip


def test_an_option_that_is_no_word_of_autotrains_is_refused(desk):
    with pytest.raises(ConfigError, match="optimiser"):
        autotrain.from_spec(spec(desk, options={"autotrain": {"optimiser": "adafactor"}}))


def test_reinforcement_has_no_word(desk):
    with pytest.raises(ConfigError, match="'rft'"):
        autotrain.from_spec(spec(desk, method=RFT(grader={"type": "string_check"})))


def test_a_mapping_of_models_gives_the_one_for_autotrain_or_for_trl(desk):
    assert autotrain.from_spec(spec(desk, model={"autotrain": "a/b", "trl": "c/d"})).config["base_model"] == "a/b"
    assert autotrain.from_spec(spec(desk, model={"openai": "gpt", "trl": "c/d"})).config["base_model"] == "c/d"
    with pytest.raises(ConfigError, match="autotrain"):
        autotrain.from_spec(spec(desk, model={"openai": "gpt"}))


def test_a_dataset_of_the_hub_is_named_with_its_split(desk, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = autotrain.from_spec(spec(desk, train="hf:kitchen/cards@v1:en/train", validation="hf:kitchen/cards:en/test"))
    data = found.config["data"]
    assert (data["path"], data["train_split"], data["valid_split"]) == ("kitchen/cards", "en:train", "en:test")
    assert any("revision" in each.message for each in found.findings)
    assert any("a guess" in each.message for each in found.findings if each.code == "not-checked")


SHARED = {
    "num_train_epochs": st.integers(1, 9) | st.floats(0.1, 5),
    "learning_rate": st.floats(1e-6, 0.1),
    "per_device_train_batch_size": st.integers(1, 64),
    "gradient_accumulation_steps": st.integers(1, 64),
    "warmup_steps": st.floats(0, 0.9) | st.integers(1, 100),
    "lr_scheduler_type": st.sampled_from(["linear", "cosine", "constant", "constant_with_warmup"]),
    "weight_decay": st.floats(0, 0.5),
    "max_grad_norm": st.floats(0.1, 5),
    "max_length": st.integers(8, 9000),
    "overlong": st.sampled_from(["error", "drop", "truncate"]),
    "packing": st.booleans(),
    "seed": st.integers(0, 99),
    "save_steps": st.integers(1, 9),
    "save_total_limit": st.integers(1, 9),
    "logging_steps": st.integers(1, 9),
    "max_steps": st.integers(1, 9),
    "report_to": st.sampled_from([("wandb",), ("mlflow",), ("wandb", "mlflow")]),
}
ADAPTERS = st.one_of(
    st.none(),
    st.just(Full()),
    st.builds(
        lambda kind, **given: kind(**{name: each for name, each in given.items() if each is not None}),
        st.sampled_from([LoRA, QLoRA]),
        r=st.none() | st.integers(1, 64),
        lora_alpha=st.none() | st.integers(1, 64),
        lora_dropout=st.none() | st.floats(0, 0.9),
        target_modules=st.sampled_from(["all-linear", ("q_proj", "v_proj")]),
    ),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "optimizer": st.sampled_from(["adafactor", "adamw_bnb_8bit"]),
        "mixed_precision": st.sampled_from(["fp16", "bf16"]),
        "merge_adapter": st.just(True),
        "padding": st.just("left"),
        "disable_gradient_checkpointing": st.just(True),
        "model_max_length": st.integers(9000, 9999),
        "chat_template": st.sampled_from(["chatml", "zephyr"]),
        "log": st.just("tensorboard"),
    },
)


@st.composite
def specs(draw):
    kind = draw(st.sampled_from(sorted(METHODS)))
    method = {name: draw(values) for name, values in SHARED.items() if draw(st.booleans())}
    if kind in {"dpo", "orpo"} and draw(st.booleans()):
        method["beta"] = draw(st.floats(0.05, 1))
    fields = {"method": METHODS[kind](**method), "adapter": draw(ADAPTERS)}
    backend = draw(st.sampled_from(["autotrain", "autotrain@spaces:t4-small", "trl"]))
    return kind, fields | {"backend": backend, "options": {"autotrain": options} if (options := draw(OPTIONS)) else {}}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=specs())
def test_there_and_back_again_keeps_all_that_is_not_named_as_lost(desk, drawn):
    kind, fields = drawn
    asked = spec(desk, kind, **fields)
    recipe = autotrain.from_spec(asked)
    got = again(desk, recipe)
    gone = lost(recipe)
    before, after = asked.settings(), got.settings()
    chat = recipe.config["data"]["chat_template"] is not None
    without_effect = {"options.autotrain.merge_adapter"} if not isinstance(asked.adapter, LoRA) else set()
    without_effect |= set() if chat else {"options.autotrain.chat_template"}
    without_effect.add("packing")  # named as lost, unless it is what AutoTrain does in any case
    if "report_to" in before and "options.autotrain.log" in before:
        without_effect |= {"options.autotrain.log"}
    kept = {name: value for name, value in before.items() if name not in gone | without_effect}
    assert {name: after.get(name) for name in kept} == kept
    assert (got.model, got.name) == (asked.model, asked.name)
    assert "backend" in gone or got.backend == asked.backend
    assert isinstance(got.method, type(asked.method))
