"""Every word of AutoTrain's is carried or named: the table against the class itself, and each word through a translation."""

from __future__ import annotations

import ast
import os
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import platformdirs
import pytest

from anytune.errors import ConfigError
from anytune.recipes import autotrain
from anytune.recipes.autotrain.sources import FLAGS, KEYS
from anytune.recipes.autotrain.words import OPTIONS, PARAMS
from anytune.spec import SFT, LoRA, TrainingSpec

MODULE = Path("autotrain", "trainers", "clm", "params.py")


def their_params() -> Path | None:
    """Find AutoTrain's own class: in this environment, where ANYTUNE_AUTOTRAIN_SITE says, or in one that the provider made."""
    places = [Path(os.environ["ANYTUNE_AUTOTRAIN_SITE"])] if "ANYTUNE_AUTOTRAIN_SITE" in os.environ else []
    with suppress(PackageNotFoundError):
        places.append(Path(str(distribution("autotrain-advanced").locate_file(""))))
    for folder in (platformdirs.user_cache_path("anytune"), platformdirs.user_data_path("anytune")):
        places += [found for depth in ("*", "*/*", "*/*/*") for found in folder.glob(f"{depth}/lib/python*/site-packages")]
    return next((place / MODULE for place in places if (place / MODULE).is_file()), None)


def test_the_table_is_autotrains_own_list_with_its_defaults():
    path = their_params()
    if path is None:
        pytest.skip("no AutoTrain environment is ready on this machine")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    theirs = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "LLMTrainingParams")
    fields = {
        each.target.id: ast.literal_eval(each.value.args[0])
        for each in theirs.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and isinstance(each.value, ast.Call)
    }
    assert [*fields.items()] == [(name, word.default) for name, word in PARAMS.items()]


OTHERWISE = {
    "model": "their/other",
    "project_name": "other",
    "data_path": "elsewhere",
    "train_split": "second",
    "valid_split": "second",
    "trainer": "orpo",
    "log": "wandb",
    "eval_strategy": "no",
    "mixed_precision": "bf16",
    "optimizer": "adafactor",
    "scheduler": "cosine",
    "chat_template": "chatml",
    "quantization": "int8",
    "target_modules": "q_proj,v_proj",
    "model_ref": "their/reference",
    "prompt_text_column": "asked",
    "text_column": "words",
    "rejected_text_column": "bad",
    "username": "kitchen",
    "token": "$HF_TOKEN",
    "distributed_backend": "ddp",
    "padding": "left",
    "warmup_ratio": 0.3,
    "lora_dropout": 0.2,
    "weight_decay": 0.1,
    "dpo_beta": 0.7,
    "lr": 0.002,
    "max_grad_norm": 0.5,
    "block_size": 64,
    "logging_steps": 7,
}
"""Another value than the default for each word that is no switch and no count."""
BESIDE = {
    **{name: {"peft": True} for name in ("quantization", "target_modules", "merge_adapter", "lora_r", "lora_alpha", "lora_dropout")},
    "dpo_beta": {"trainer": "dpo"},
    "model_ref": {"trainer": "dpo"},
    "max_prompt_length": {"trainer": "dpo"},
    "max_completion_length": {"trainer": "orpo"},
    "prompt_text_column": {"trainer": "dpo"},
    "rejected_text_column": {"trainer": "dpo"},
    "push_to_hub": {"username": "kitchen"},
}
"""What else must be said for a word to have an effect in AutoTrain."""


def other(name):
    word = PARAMS[name]
    return OTHERWISE[name] if name in OTHERWISE else not word.default if word.kind is bool else (word.default or 0) + 3


@pytest.fixture
def pantry(desk):
    """Rows that any of the columns can be taken from, in several splits and folders."""
    rest = {"words": "two", "prompt": "three", "asked": "four", "rejected": "five", "bad": "six"}
    for place in ("data/train", "data/second", "elsewhere/train"):
        chat = [{"role": "user", "content": place}, {"role": "assistant", "content": "b"}]
        desk.rows({"text": str(chat)} | rest, name=f"{place}.jsonl")
    return desk


def outcome(config):
    """Give all that a translation says, with the rows instead of their file's name."""
    found = autotrain.to_spec(config)
    files = [None if path is None else Path(path).read_text(encoding="utf-8") for path in (found.spec.train, found.spec.validation)]
    plain = found.spec.model_dump(mode="json", exclude={"train", "validation"})
    return plain, files, {each.message for each in (*found.findings, *found.moving)}


@pytest.mark.parametrize("name", [name for name in PARAMS if name != "token"])
def test_every_word_under_params_is_carried_or_named(pantry, name):
    mapping = {"prompt_text_column": "prompt", "rejected_text_column": "rejected"}
    beside = BESIDE.get(name, {})
    before = outcome(pantry.config(mapping=mapping, params=beside))
    after = outcome(pantry.config(mapping=mapping, params=beside | {name: other(name)}))
    assert before[:2] != after[:2] or any(f"`{name}`" in message for message in after[2] - before[2])


@pytest.mark.parametrize("name", [name for name in PARAMS if name not in {"token", "trainer"}])
@pytest.mark.parametrize("form", ["--{}", "--{}="])
def test_every_flag_of_the_command_line_means_what_the_yaml_means(pantry, name, form):
    value = other(name)
    given = {"model": "their/model", "project_name": "mine", "data_path": "data", "trainer": "sft"}
    given |= {"prompt_text_column": "prompt", "rejected_text_column": "rejected"} | BESIDE.get(name, {}) | {name: value}
    argv = ["--train"]
    for word, each in given.items():
        flag = form.format(word.replace("_", "-" if len(word) % 2 else "_"))
        if isinstance(each, bool):
            argv += [flag.rstrip("=")] if each else []
        else:
            argv += [f"{flag}{each}"] if form.endswith("=") else [flag, str(each)]
    read = autotrain.from_argv(argv)
    assert {word: read[word] for word in given if not (PARAMS[word].kind is bool and given[word] is False)} == {
        word: each for word, each in given.items() if each is not False
    }


def test_no_word_has_two_fates_and_each_reason_is_told():
    assert {word.fate for word in PARAMS.values()} == {"spec", "data", "option", "either", "left-out", "secret"}
    assert all(word.to for word in PARAMS.values() if word.fate in {"spec", "data", "either", "left-out"})
    assert {"push_to_hub", "username", "chat_template"} <= OPTIONS


def test_fields_that_the_table_names_are_fields_of_the_spec():
    fields = {"method": SFT.model_fields | {"beta": None}, "adapter": LoRA.model_fields}
    for word in PARAMS.values():
        if word.fate in {"spec", "data", "either"}:
            part, _, name = word.to.partition(".")
            assert name in fields[part] if name else part in TrainingSpec.model_fields, word


def test_the_sections_are_those_of_the_documented_yaml():
    assert set(KEYS[""]) == {"task", "base_model", "project_name", "log", "backend", "data", "params", "hub"}
    assert set(KEYS["hub"]) == {"username", "token", "push_to_hub"}
    assert {"train", "deploy", "inference", "backend"} < set(FLAGS)


def test_the_how_to_names_every_word():
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "autotrain.md").read_text(encoding="utf-8")
    assert [name for name in (*PARAMS, *KEYS["data"], *KEYS["hub"], *KEYS[""]) if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("config", "guess"),
    [
        ({"params": {"lorar": 8}}, "`lora_r`"),
        ({"mapping": {"text_colum": "a"}}, "`text_column`"),
        ({"data": {"trian_split": "train"}}, "`train_split`"),
        ({"hub": {"user": "me"}}, "`username`"),
        ({"baseline_model": "x"}, "`base_model`"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(desk, config, guess):
    with pytest.raises(ConfigError) as caught:
        desk.config(**config)
    assert guess in caught.value.fix


def test_an_unknown_flag_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError) as caught:
        autotrain.from_argv(["--train", "--projct-name", "a"])
    assert "`--project-name`" in caught.value.fix
