"""The hashes of earlier releases, frozen: a job made by them must be found again by every later one. Never edit a hash here."""

from __future__ import annotations

import pytest

from anytune.spec import CLM, DPO, ORPO, RFT, SFT, Budget, LoRA, QLoRA, Reward, TrainingSpec, spec_hash

DATA = {"train": "a" * 64}
BOTH = {"train": "a" * 64, "validation": "b" * 64}


def digest(model="starter", data=DATA, **fields):
    spec = TrainingSpec(**{"backend": "trl", "model": model, "train": "train.jsonl"} | fields)
    return spec_hash(spec, model=model, data=data)


FROZEN = [
    ("0.1.0", "1:379c44dde5baa9201d821c153681e0de786d4b9759200009996d1deca031ae70", {}),
    (
        "0.1.0",
        "1:77be1a1f8d036742c84450f598a4fa1e387470d04d3da2ce7a30938bcfd4a817",
        {"method": SFT(num_train_epochs=2, learning_rate=2e-4, seed=7), "adapter": LoRA(r=16, lora_alpha=32)},
    ),
    ("0.1.0", "1:17752da72524811002f67eb720a0ab46967603314164e25c6decad506fc63c64", {"method": DPO(beta=0.1, max_steps=100), "data": BOTH}),
    (
        "0.1.0",
        "1:da7f29f01fc9adea96dbd6c66fe27fceb0a190e8d0109da5ec4cca45949f633a",
        {"model": "HuggingFaceTB/SmolLM2-135M-Instruct", "adapter": QLoRA(target_modules=("q_proj", "v_proj")), "data": BOTH},
    ),
    (
        "0.1.0",
        "1:db01dbc8b9d9e8a221ed2c50c22410bbe136ad8cd4cec4c2a3e6c4bcb6ba5fae",
        {
            "model": "gpt-4.1-mini-2025-04-14",
            "backend": "openai",
            "method": SFT(n_epochs=3, batch_size="auto", learning_rate_multiplier=1.8),
        },
    ),
]


@pytest.mark.parametrize(("release", "frozen", "fields"), FROZEN)
def test_the_hash_of_an_earlier_release_comes_out_again(release, frozen, fields):
    assert digest(**fields) == frozen


@pytest.mark.parametrize(
    "fields",
    [
        {"method": SFT(report_to=("wandb",))},
        {"method": SFT(save_steps=5, save_total_limit=2, logging_steps=1, eval_steps=3)},
        {"method": SFT(learning_rate=None)},
        {"method": SFT(n_epochs="auto")},
        {"budget": Budget(max_usd=5, max_hours=0.2)},
        {"train": "moved/elsewhere.jsonl"},
        {"name": "another"},
        {"strict": True},
        {"backend": "profile-of-trl"},
        {"options": {}},
        {"options": {"autotrain": {}}},
        {"options": {"autotrain": {"optimizer": None}}},
    ],
)
def test_what_does_not_change_the_outcome_does_not_change_the_hash(fields):
    assert digest(**fields) == digest()


def test_another_grader_is_another_run():
    same = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.answer}}"}
    first = digest(method=RFT(grader=same))
    assert digest(method=RFT(grader=dict(reversed(same.items())))) == first
    assert digest(method=RFT(grader=same | {"operation": "ilike"})) != first


@pytest.mark.parametrize(
    "fields",
    [
        {"method": SFT(learning_rate=1e-4)},
        {"method": SFT(overlong="drop")},
        {"method": DPO()},
        {"adapter": LoRA()},
        {"adapter": LoRA(r=8)},
        {"model": "another"},
        {"data": {"train": "c" * 64}},
        {"data": BOTH},
        {"method": ORPO()},
        {"method": Reward()},
        {"method": CLM()},
        {"options": {"autotrain": {"optimizer": "adafactor"}}},
    ],
)
def test_what_changes_the_outcome_changes_the_hash(fields):
    assert digest(**fields) != digest()


def test_options_count_by_their_backend_word_and_value_in_any_order():
    first = digest(options={"autotrain": {"optimizer": "adafactor", "padding": "left"}})
    assert digest(options={"trl": {}, "autotrain": {"padding": "left", "optimizer": "adafactor"}}) == first
    assert digest(options={"trl": {"padding": "left", "optimizer": "adafactor"}}) != first
    assert digest(options={"autotrain": {"optimizer": "adafactor", "padding": "right"}}) != first


def test_a_default_that_a_later_release_adds_changes_no_hash():
    class LaterSFT(SFT):
        neftune_noise_alpha: float | None = None
        dropout: float = 0.1

    assert digest(method=LaterSFT(seed=1)) == digest(method=SFT(seed=1))


def test_an_alias_gives_the_same_hash_as_the_canonical_name():
    assert digest(method=SFT(n_epochs=2)) == digest(method=SFT(num_train_epochs=2))


def test_a_model_named_for_each_backend_hashes_like_the_one_it_resolves_to():
    spec = TrainingSpec(backend="trl", model={"trl": "starter", "openai": "gpt-4.1-mini"}, train="t.jsonl")
    assert spec_hash(spec, model="starter", data=DATA) == digest()
