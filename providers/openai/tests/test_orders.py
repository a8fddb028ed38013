"""What the one create call says: each setting in the protocol's word, the tag, and nothing that was not set."""

from __future__ import annotations

import pytest

from anytune.errors import ConfigError
from anytune.spec import DPO, RFT, SFT
from anytune_openai import OPENAI, SETTINGS
from anytune_openai.orders import parameters, suffix, tail

REF = "01KAQ4Z8V7M4T9X2C3D5E6F7G8"
SUFFIXES = OPENAI.model_copy(update={"tag": "suffix", "suffix_chars": 18})
GRADER = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.answer}}"}


def asked(order, backend, method, dialect=OPENAI, **settings):
    return parameters(order(backend, ref=REF, method=method), dialect, **settings)


def test_a_plain_run_says_model_file_method_and_tag(order, backend):
    made = order(backend, ref=REF)
    assert parameters(made, OPENAI) == {
        "model": "gpt-4.1-mini-2025-04-14",
        "training_file": made.files["train"].id,
        "method": {"type": "supervised"},
        "suffix": "recipes",
        "metadata": {"anytune_ref": REF, "anytune_spec": made.spec_hash, "anytune_ledger": "01LEDGER", "anytune_name": made.name},
    }


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (SFT(n_epochs=2), {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}),
        (SFT(n_epochs="auto"), {"type": "supervised"}),
        (
            SFT(batch_size="auto", learning_rate_multiplier=0.5),
            {"type": "supervised", "supervised": {"hyperparameters": {"batch_size": "auto", "learning_rate_multiplier": 0.5}}},
        ),
        (DPO(beta=0.1, batch_size=8), {"type": "dpo", "dpo": {"hyperparameters": {"batch_size": 8, "beta": 0.1}}}),
        (DPO(beta="auto"), {"type": "dpo", "dpo": {"hyperparameters": {"beta": "auto"}}}),
        (RFT(grader=GRADER), {"type": "reinforcement", "reinforcement": {"grader": GRADER}}),
        (
            RFT(grader=GRADER, compute_multiplier=1.5, eval_interval=5, eval_samples="auto", reasoning_effort="low"),
            {
                "type": "reinforcement",
                "reinforcement": {
                    "hyperparameters": {
                        "compute_multiplier": 1.5,
                        "eval_interval": 5,
                        "eval_samples": "auto",
                        "reasoning_effort": "low",
                    },
                    "grader": GRADER,
                },
            },
        ),
    ],
    ids=lambda value: value.type if hasattr(value, "type") else "",
)
def test_each_method_has_its_words(order, backend, method, expected):
    assert asked(order, backend, method)["method"] == expected


def test_settings_that_the_host_has_no_word_for_are_not_sent(order, backend):
    method = SFT(learning_rate=1e-4, warmup_steps=10, packing=True, max_length=512)
    assert asked(order, backend, method)["method"] == {"type": "supervised"}
    assert not {"learning_rate", "warmup_steps", "packing", "max_length"} & SETTINGS


def test_the_seed_and_the_validation_file_are_sent(order, backend):
    made = order(backend, method=SFT(seed=7))
    held = made.files["train"].model_copy(update={"id": "file-valid"})
    wanted = parameters(made.model_copy(update={"files": made.files | {"validation": held}}), OPENAI)
    assert (wanted["seed"], wanted["validation_file"]) == (7, "file-valid")


def test_wandb_is_told_what_the_backend_was_set_up_with(order, backend):
    settings = {"wandb": {"project": "recipes", "entity": "kitchen", "tags": ["basil"]}}
    wanted = asked(order, backend, SFT(report_to=("wandb",)), settings=settings)
    assert wanted["integrations"] == [{"type": "wandb", "wandb": settings["wandb"]}]
    assert "integrations" not in asked(order, backend, SFT(), settings=settings)


@pytest.mark.parametrize("settings", [{}, {"wandb": {}}, {"wandb": {"project": "x", "colour": "red"}}], ids=str)
def test_wandb_without_its_project_is_a_config_error(order, backend, settings):
    with pytest.raises(ConfigError, match="wandb"):
        asked(order, backend, SFT(report_to=("wandb",)), settings=settings)


def test_further_fields_travel_beside_the_protocol(order, backend):
    assert asked(order, backend, SFT(), extras={"trainingType": "Standard"})["extra_body"] == {"trainingType": "Standard"}


def test_an_order_without_a_file_is_refused_before_anything_is_sent(order, backend):
    with pytest.raises(ConfigError, match="training file"):
        parameters(order(backend).model_copy(update={"files": {}}), OPENAI)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("recipes", "recipes"), ("Küche v2!", "K-che-v2"), ("n" * 90, "n" * 64), ("日本", ""), ("--a--", "a")],
)
def test_a_name_becomes_a_suffix_that_hosts_take(name, expected):
    assert suffix(name, REF, OPENAI) == expected


@pytest.mark.parametrize("name", ["recipes", "Recipes. The second", "日本", "x", "a-b-c-d-e-f"])
def test_a_suffix_that_carries_the_tag_is_short_and_ends_with_it(name):
    made = suffix(name, REF, SUFFIXES)
    assert made.endswith(tail(REF))
    assert len(made) <= 18
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not made.startswith("-")
