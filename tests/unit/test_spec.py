"""The spec: what it accepts, how a file is read, what its schema says. Frozen hashes: test_spec_hash.py."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from anytune.errors import ConfigError
from anytune.spec import CLM, DPO, ORPO, RFT, SFT, Full, LoRA, QLoRA, Reward, TrainingSpec, json_schema, spec_hash

SAME = {
    "type": "string_check",
    "name": "same",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
}
EXAMPLES = {
    "least": {"backend": "trl", "model": "starter", "train": "rows.jsonl"},
    "words": {"backend": "trl", "model": "starter", "train": "rows.jsonl", "method": "sft", "adapter": "lora"},
    "full": {
        "backend": "trl",
        "model": {"trl": "starter", "openai": "gpt-4.1-mini-2025-04-14"},
        "train": "rows.jsonl",
        "validation": "valid.jsonl",
        "method": {"type": "dpo", "beta": 0.2, "num_train_epochs": 2, "learning_rate": 1e-5, "report_to": ["wandb"]},
        "adapter": {"type": "qlora", "r": 16, "lora_alpha": 32, "target_modules": "all-linear"},
        "name": "recipes",
        "budget": {"max_usd": 5, "max_hours": 0.5},
        "strict": True,
    },
    "hosted": {
        "backend": "openai",
        "model": "gpt-4.1-mini-2025-04-14",
        "train": "rows.jsonl",
        "method": {"type": "dpo", "n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": 0.5, "beta": "auto"},
    },
    "graded": {
        "backend": "openai",
        "model": "o4-mini-2025-04-16",
        "train": "rows.jsonl",
        "validation": "valid.jsonl",
        "method": {
            "type": "rft",
            "grader": SAME,
            "compute_multiplier": 1.5,
            "eval_interval": "auto",
            "eval_samples": 2,
            "reasoning_effort": "low",
        },
    },
}


def spec(**changes) -> TrainingSpec:
    return TrainingSpec(**{**EXAMPLES["least"], **changes})


def hashed(given: TrainingSpec) -> str:
    return spec_hash(given, model="starter", data={"train": "a" * 64})


def written(folder: Path, raw: object) -> Path:
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def test_a_word_stands_for_a_method_or_adapter_of_that_type():
    made = TrainingSpec(**EXAMPLES["words"])
    assert isinstance(made.method, SFT)
    assert isinstance(made.adapter, LoRA)


@pytest.mark.parametrize(("word", "kind"), [("lora", LoRA), ("qlora", QLoRA), ("full", Full)])
def test_an_adapter_is_told_by_its_type(word, kind):
    assert type(spec(adapter={"type": word}).adapter) is kind


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'sft'.*'dpo'"):
        spec(method="ppo")


@pytest.mark.parametrize("name", ["num_train_epochs", "n_epochs", "epochs"])
def test_epochs_by_auto_are_epochs_that_the_backend_chooses(name):
    made = SFT(**{name: "auto"})
    assert made.num_train_epochs is None
    assert spec(method=made).settings() == {}


def test_auto_stays_a_word_where_a_host_has_a_setting_of_that_name():
    made = DPO(batch_size="auto", learning_rate_multiplier="auto", beta="auto")
    assert (made.batch_size, made.learning_rate_multiplier, made.beta) == ("auto", "auto", "auto")


def test_reinforcement_needs_a_grader_and_keeps_it_as_it_came():
    made = RFT(grader=SAME, n_epochs=2)
    assert spec(method=made).settings() == {"grader": SAME, "num_train_epochs": 2}


def test_aliases_are_echoed_from_every_part():
    made = spec(method={"type": "sft", "n_epochs": 2}, adapter={"type": "lora", "rank": 8})
    assert made.aliases_used() == {"n_epochs": "num_train_epochs", "rank": "r"}


def test_a_budgets_older_name_is_taken_and_echoed():
    made = spec(budget={"max_cost_usd": 5})
    assert made.budget.max_usd == 5
    assert made.aliases_used() == {"max_cost_usd": "max_usd"}


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"hyperparameters": {}}, "Put them into `method`"),
        ({"learning_rate": 1e-4}, "belong into `method`"),
        ({"api_key": "secret"}, "Secrets come from the environment"),
        ({"method": {"type": "sft", "train_batch_size": 8}}, "per_device_train_batch_size"),
        ({"validaton": "x"}, "Did you mean `validation`"),
        ({"name": "../../etc"}, "`name`"),
        ({"method": {"type": "sft", "learning_rate": -1}}, "learning_rate"),
        ({"method": {"type": "sft", "n_epochs": "automatic"}}, "num_train_epochs"),
        ({"method": {"type": "sft", "learning_rate_multiplier": 0}}, "learning_rate_multiplier"),
        ({"method": {"type": "sft", "batch_size": 0}}, "batch_size"),
        ({"method": {"type": "dpo", "beta": 0}}, "beta"),
        ({"method": "rft"}, "grader"),
        ({"method": {"type": "rft", "grader": {"name": Path("a.py")}}}, "grader"),
        ({"method": {"type": "rft", "grader": SAME, "compute_multiplier": 11}}, "compute_multiplier"),
        ({"method": {"type": "rft", "grader": SAME, "eval_samples": 0}}, "eval_samples"),
        ({"method": {"type": "rft", "grader": SAME, "reasoning_effort": "max"}}, "reasoning_effort"),
        ({"budget": {"max_usd": 0}}, "max_usd"),
        ({"budget": {"max_minutes": 30}}, "Say `max_hours` (30 minutes: 0.5)."),
        ({"budget": {"max_usd": 5, "max_cost_usd": 5}}, "are the same setting"),
    ],
)
def test_what_is_wrong_is_refused_with_the_way_out(wrong, hint):
    with pytest.raises(ConfigError) as caught:
        spec(**wrong)
    assert hint in str(caught.value)


def test_a_refused_secret_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        spec(api_key="sk-abcdefgh12345678")
    assert "abcdefgh" not in str(caught.value)


def test_one_model_is_for_every_backend():
    assert spec(model="starter").model_for("openai") == "starter"


def test_a_model_by_backend_is_for_that_backend():
    made = TrainingSpec(**EXAMPLES["full"])
    assert made.model_for("openai") == "gpt-4.1-mini-2025-04-14"
    with pytest.raises(ConfigError, match="names no model for backend 'azure', only for openai, trl"):
        made.model_for("azure")


def test_a_job_without_a_name_is_called_after_its_file():
    assert spec(train="data/recipes.v2.jsonl").job_name == "recipes"
    assert spec(name="dinner").job_name == "dinner"


def test_settings_are_those_that_were_set_by_dotted_name():
    made = spec(method=SFT(num_train_epochs=2, learning_rate=None), adapter=LoRA(r=4))
    assert made.settings() == {"num_train_epochs": 2, "adapter.type": "lora", "adapter.r": 4}


@pytest.mark.parametrize("raw", EXAMPLES.values(), ids=EXAMPLES)
def test_a_file_gives_the_same_spec_as_python_with_paths_relative_to_the_file(raw, tmp_path):
    read = TrainingSpec.read(written(tmp_path, raw))
    made = TrainingSpec(**raw)
    assert read.train == tmp_path / made.train
    assert read.validation == (made.validation and tmp_path / made.validation)
    assert read.model_copy(update={"train": made.train, "validation": made.validation}) == made


def test_an_absolute_path_in_a_file_stays(tmp_path):
    assert TrainingSpec.read(written(tmp_path, {**EXAMPLES["least"], "train": "/data/rows.jsonl"})).train == Path("/data/rows.jsonl")


def test_aliases_in_a_file_are_echoed(tmp_path):
    raw = {"backend": "trl", "base_model": "starter", "train_file": "rows.jsonl"}
    assert TrainingSpec.read(written(tmp_path, raw)).aliases_used() == {"base_model": "model", "train_file": "train"}


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "holds no settings"),
        (b"- a\n- b\n", "holds no settings"),
        (b"backend: [trl\n", "is not YAML"),
        (b"\xff\xfe\x00", "is not YAML"),
        (b"!!python/object/apply:os.getcwd []\n", "is not YAML"),
        (b"backend: trl\nmodel: starter\n", "`train`"),
        (b"1: 2\n", "holds no settings"),
        (b"backend: trl\nmodel: starter\ntrain: a\nmethod: {1: 2}\n", "`method"),
    ],
    ids=["empty", "list", "cut", "bytes", "python-object", "no-train", "number-key", "number-key-inside"],
)
def test_a_file_that_is_no_spec_gives_a_config_error(content, hint, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        TrainingSpec.read(path)
    assert hint in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"Cannot read the spec .*nowhere.yaml: No such file"):
        TrainingSpec.read(tmp_path / "nowhere.yaml")


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("raw", EXAMPLES.values(), ids=EXAMPLES)
def test_the_schema_accepts_what_the_spec_accepts(raw):
    jsonschema.Draft202012Validator(json_schema()).validate(raw)


@pytest.mark.parametrize(
    "wrong",
    [
        {"trian": "x"},
        {"method": {"type": "ppo"}},
        {"method": {"type": "rft"}},
        {"method": {"type": "sft", "num_train_epochs": "many"}},
        {"adapter": {"type": "lora", "r": 0}},
        {"name": "a b"},
    ],
)
def test_the_schema_refuses_what_the_spec_refuses(wrong):
    raw = {**EXAMPLES["least"], **wrong}
    with pytest.raises(ConfigError):
        TrainingSpec(**raw)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(raw)


def test_options_are_named_by_their_backend_and_word():
    given = spec(options={"autotrain": {"optimizer": "adafactor", "padding": None}, "trl": {"a": [1, {"b": 2}]}})
    assert given.settings() == {"options.autotrain.optimizer": "adafactor", "options.trl.a": [1, {"b": 2}]}


@pytest.mark.parametrize("options", [{"autotrain": "adafactor"}, {"autotrain": {"when": Path("x")}}, ["autotrain"]])
def test_options_are_what_a_file_can_hold(options):
    with pytest.raises(ConfigError, match="options"):
        spec(options=options)


@pytest.mark.parametrize(("word", "kind"), [("orpo", ORPO), ("reward", Reward), ("clm", CLM)])
def test_every_method_has_its_word(word, kind):
    made = spec(method=word)
    assert isinstance(made.method, kind)
    jsonschema.Draft202012Validator(json_schema()).validate({**EXAMPLES["least"], "method": word})
    jsonschema.Draft202012Validator(json_schema()).validate({**EXAMPLES["least"], "method": {"type": word, "max_length": 512}})


def test_a_reward_model_has_no_beta():
    with pytest.raises(ConfigError, match="beta"):
        spec(method={"type": "reward", "beta": 0.1})


def test_the_schema_describes_every_setting():
    schema = json_schema()
    parts = {"spec": schema, **schema["$defs"]}
    undescribed = [
        f"{part}.{name}" for part, body in parts.items() for name, field in body.get("properties", {}).items() if "description" not in field
    ]
    assert [name for name in undescribed if not name.endswith(".type")] == []


@given(epochs=st.integers(1, 1000))
def test_a_whole_number_hashes_alike_however_it_is_written(epochs):
    assert hashed(spec(method=SFT(num_train_epochs=epochs))) == hashed(spec(method=SFT(num_train_epochs=float(epochs))))


@given(rate=st.floats(1e-9, 9.0), epochs=st.floats(0.01, 1000), r=st.integers(1, 4096))
def test_the_hash_survives_json(rate, epochs, r):
    made = spec(method=DPO(type="dpo", learning_rate=rate, num_train_epochs=epochs), adapter=LoRA(type="lora", r=r))
    again = TrainingSpec(**json.loads(made.model_dump_json(exclude_unset=True)))
    assert hashed(again) == hashed(made)


def test_a_dataset_of_the_hub_is_no_path_beside_the_file_and_names_the_job(tmp_path):
    (tmp_path / "spec.yaml").write_text("{backend: trl, model: m, train: 'hf:owner/recipes@main:en/train', validation: valid.jsonl}")
    spec = TrainingSpec.read(tmp_path / "spec.yaml")
    assert (str(spec.train), spec.validation, spec.job_name) == ("hf:owner/recipes@main:en/train", tmp_path / "valid.jsonl", "recipes")
