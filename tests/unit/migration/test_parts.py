"""The parts of a migration that ask nobody: settings in other words, rates, criteria of Evals."""

from __future__ import annotations

import json

import pytest

from anytune.errors import ConfigError
from anytune.migration.criteria import judges, read_criteria
from anytune.migration.fitting import CODES, fitted
from anytune.migration.rates import rate_for
from anytune.migration.sweeping import best
from anytune.migration.values import Candidate, Origin, Plan
from anytune.testing import MemoryBackend


class Devices(MemoryBackend):
    """A backend that decides on its devices."""

    @property
    def capabilities(self):
        words = {"num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate", "beta", "seed"}
        return super().capabilities.model_copy(update={"settings": frozenset(words), "local": True})


def fit(**method):
    origin = Origin(source="openai:x", backend="openai", model="gpt-4.1-mini-2025-04-14", tuned="ft:x", method={"type": "sft"} | method)
    return fitted(origin, Devices(), "Qwen/Qwen3-8B")


@pytest.mark.parametrize(("rows", "device", "passes"), [(1, 1, 1), (8, 8, 1), (12, 6, 2), (13, 1, 13), (128, 8, 16), (256, 8, 32)])
def test_rows_a_step_stay_the_same_however_they_are_said(rows, device, passes):
    method = fit(batch_size=rows).method
    assert (method["per_device_train_batch_size"], method["gradient_accumulation_steps"]) == (device, passes)


def test_a_multiplier_is_never_taken_for_a_rate():
    found = fit(learning_rate_multiplier=1.8)
    assert "learning_rate" not in found.method
    assert "learning-rate-multiplier" in {loss.code for loss in found.losses}


def test_what_dpo_holds_to_moves_as_it_is():
    assert fit(type="dpo", beta=0.2, num_train_epochs=2, batch_size=4).method["beta"] == 0.2


def test_what_a_host_left_open_is_told_and_not_guessed():
    found = fit()
    assert {"num_train_epochs", "per_device_train_batch_size"} & found.method.keys() == set()
    assert {"epochs", "batch-size"} <= {loss.code for loss in found.losses}


def test_every_loss_has_a_known_code_a_reason_and_a_remedy():
    found = fit(learning_rate_multiplier=2, report_to=["wandb"])
    assert {loss.code for loss in found.losses} <= set(CODES)
    assert all(loss.what and loss.why and loss.instead for loss in found.losses)


@pytest.mark.parametrize(
    ("model", "method", "full", "rate"),
    [
        ("Qwen/Qwen3-8B", "sft", False, 1e-3),
        ("Qwen/Qwen3.5-4B", "sft", False, 3e-4),
        ("Qwen/Qwen3.5-27B", "sft", False, 3e-4),
        ("meta-llama/Llama-3.1-8B-Instruct", "sft", False, 3e-4),
        ("openai/gpt-oss-20b", "sft", False, 1e-4),
        ("openai/gpt-oss-20b", "sft", True, 1e-5),
        ("starter", "sft", False, 2e-4),
        ("starter", "dpo", False, 1e-5),
        ("starter", "dpo", True, 1e-6),
    ],
)
def test_the_table_gives_a_rate_to_begin_with(model, method, full, rate):
    found = rate_for(model, method, full=full)
    assert found.value == pytest.approx(rate)
    assert "read 2026-11-22" in found.basis


def test_a_method_without_a_row_has_no_rate():
    assert rate_for("starter", "reward") is None


def chosen(*candidates):
    plan = Plan.model_construct(tries=(1.0, 3.0, 9.0), dev_rows=20)
    return best(
        plan,
        [Candidate(job=str(at), name=str(at), value=value, score=score, loss=loss) for at, (value, score, loss) in enumerate(candidates)],
    )


def test_the_highest_score_wins_whatever_its_loss():
    winner, why = chosen((1.0, 0.5, 0.1), (3.0, 0.7, 0.9), (9.0, 0.6, 0.2))
    assert winner.value == 3.0
    assert "0.700" in why


def test_equal_scores_are_told_apart_by_the_loss():
    winner, why = chosen((1.0, 0.5, 0.3), (3.0, 0.5, 0.2), (9.0, 0.5, 0.4))
    assert winner.value == 3.0
    assert "loss" in why


def test_where_nothing_tells_them_apart_the_middle_one_is_taken():
    winner, why = chosen((1.0, None, None), (3.0, None, None), (9.0, None, None))
    assert winner.value == 3.0
    assert "nothing told" in why


CHECK = {
    "type": "string_check",
    "name": "same",
    "id": "c1",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.a}}",
}
JUDGE = {"type": "label_model", "name": "same", "model": "gpt-4.1", "input": [], "labels": ["a", "b"], "passing_labels": ["a"]}


@pytest.mark.parametrize("shape", [lambda c: {"object": "eval", "testing_criteria": c}, lambda c: c])
def test_an_exported_evals_criteria_become_graders_with_names_of_their_own(tmp_path, shape):
    (tmp_path / "eval.json").write_text(json.dumps(shape([CHECK, JUDGE])))
    one, two = read_criteria(tmp_path / "eval.json")
    assert (one["name"], two["name"], "id" in one) == ("same", "same #2", False)
    assert judges([one, two]) == ("gpt-4.1",)


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '[{"type": "vibes"}]', '{"testing_criteria": [1]}'])
def test_what_is_no_criterion_is_refused(tmp_path, text):
    (tmp_path / "eval.json").write_text(text)
    with pytest.raises(ConfigError):
        read_criteria(tmp_path / "eval.json")
