"""A spec to begin with suits the rows, can be read again, and overwrites nothing."""

from __future__ import annotations

import json

import pytest

from anytune import FineTuneJob
from anytune.errors import ConfigError, NotFound
from anytune.evaluation.graders import Desk, parsed
from anytune.evaluation.spec import EvaluationSpec
from anytune.evaluation.starting import graders, of_job, of_model, written
from anytune.evaluation.values import Case


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name in ("train", "test"):
        lines = [{"messages": [{"role": "user", "content": f"{name} {n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(12)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {"data": tmp_path / "test.jsonl", "train": tmp_path / "train.jsonl"}


def case(reference, **more):
    return Case(id="a", row=1, messages=(), reference=reference, **more)


@pytest.mark.parametrize(
    ("references", "first"),
    [
        (['{"a": 1}', "[1, 2]"], "json_exact"),
        (["12", "1,250.5"], "numeric"),
        (["Rome", "The Hague"], "normalized"),
        (["word " * 40], "chrf"),
        (['{"a": 1}', "not JSON"], "normalized"),
    ],
)
def test_graders_suit_what_right_answers_look_like(references, first):
    assert graders([case(text) for text in references])[0]["type"] == first


def test_calls_are_graded_as_calls():
    assert graders([case(None, tool_calls=({"type": "function"},))]) == [{"type": "tool_calls"}]


def test_rows_without_a_right_answer_need_a_person():
    with pytest.raises(ConfigError, match="No held-out row has a right answer"):
        graders([case(None)])


@pytest.mark.parametrize("references", [['{"a": 1}'], ["12"], ["Rome"], ["word " * 40]])
def test_every_grader_that_is_chosen_exists(references, tmp_path):
    desk = Desk(endpoint=lambda word: pytest.fail(f"{word} is asked"), scratch=tmp_path, folder=tmp_path, models=frozenset())
    for raw in graders([case(text) for text in references]):
        assert parsed(raw, desk).name == raw["type"]


def test_a_job_s_spec_holds_its_model_against_its_own_base_in_every_way(rows):
    FineTuneJob.create(backend="memory", model="starter", train=rows["train"], name="minutes")
    spec = of_job("minutes", **rows)
    assert (spec.models["base"].backend, spec.models["base"].model, spec.models["tuned"].job) == ("memory", "starter", "minutes")
    kinds = {name: arm.type for name, arm in spec.arms.items()}
    assert kinds == {
        "base": "zero_shot", "prompt": "prompt", "few_shot": "few_shot", "retrieval": "retrieval", "nearest": "nearest", "tuned": "zero_shot",
        "again": "again",
    }  # fmt: skip
    assert (spec.rule.candidate, spec.rule.baseline) == ("tuned", "best")


def test_of_few_training_rows_most_stay_examples(rows):
    assert of_model("memory", "starter", **rows).dev.rows == 3


def test_a_job_that_is_not_there_is_said(rows):
    with pytest.raises(NotFound):
        of_job("nobody", **rows)


def test_what_is_written_is_read_back_as_the_same(rows, tmp_path):
    spec = of_model("memory", "starter", **rows)
    written(spec, tmp_path / "spec.yaml")
    (tmp_path / "specs").mkdir()
    written(spec, tmp_path / "specs" / "spec.yaml")
    assert EvaluationSpec.read(tmp_path / "specs" / "spec.yaml").data.resolve() == rows["data"]
    assert (tmp_path / "spec.yaml").read_text().startswith("# What is asked of whom")
    assert EvaluationSpec.read(tmp_path / "spec.yaml") == spec


def test_a_file_that_is_there_is_kept(rows, tmp_path):
    (tmp_path / "spec.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="there already"):
        written(of_model("memory", "starter", **rows), tmp_path / "spec.yaml")
    assert (tmp_path / "spec.yaml").read_text() == "mine"
