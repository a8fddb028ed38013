"""The rule was fixed beforehand: a record is held against it, and against its own figures."""

from __future__ import annotations

import pytest
from tests.unit.evaluation.report.samples import SPEC, evaluation, of_verdict

from anytune.errors import ConfigError
from anytune.evaluation.fixing import fixed
from anytune.evaluation.gate import Gate, held
from anytune.evaluation.spec import EvaluationSpec
from anytune.evaluation.values import Verdict


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.IMPROVED, 0),
        (Verdict.DEGRADED, 1),
        (Verdict.NO_CHANGE, 1),
        (Verdict.INCONCLUSIVE, 2),
        (Verdict.TOO_FEW_SAMPLES, 2),
    ],
)
def test_each_verdict_ends_in_its_code(verdict, code):
    assert Gate.of(held(of_verdict(verdict))) == code


def test_the_spec_that_was_answered_is_the_spec_that_is_asked():
    assert held(evaluation(), EvaluationSpec(**SPEC)) == evaluation()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"rule": {"candidate": "tuned", "baseline": "base"}}, "`rule`"),
        ({"rule": {"candidate": "tuned", "baseline": "few_shot", "alpha": 0.2}}, "`rule`"),
        ({"rule": {"kind": "non_inferiority", "margin": 0.2, "candidate": "tuned", "baseline": "few_shot"}}, "`rule`"),
        ({"graders": [{"type": "contains"}]}, "`graders`"),
        ({"rows": 20, "seed": 3}, "`rows`, `seed`"),
        ({"repeats": 3}, "`repeats`"),
    ],
)
def test_a_rule_that_was_changed_after_the_answers_were_seen_is_refused(changed, named):
    with pytest.raises(ConfigError, match=f"another rule: {named} changed since") as refused:
        held(evaluation(), EvaluationSpec(**(SPEC | changed)))
    assert "other rows and a new `name`" in refused.value.fix


def test_where_a_model_answers_and_what_it_costs_may_change():
    moved = SPEC | {"models": SPEC["models"] | {"base": {"base_url": "http://127.0.0.1:9/v1", "model": "base"}}, "spending": {"max_usd": 3}}
    assert fixed(EvaluationSpec(**moved)) == fixed(EvaluationSpec(**SPEC))


def test_a_record_whose_decision_was_edited_is_refused():
    lost = of_verdict(Verdict.DEGRADED)
    edited = lost.model_copy(update={"decision": lost.decision.model_copy(update={"outcome": "pass"})})
    with pytest.raises(ConfigError, match=r"says pass, and its own figures say fail"):
        held(edited)


def test_a_record_whose_baseline_was_left_out_is_refused():
    lost = of_verdict(Verdict.DEGRADED)
    with pytest.raises(ConfigError, match="its own figures say inconclusive"):
        held(lost.model_copy(update={"comparisons": ()}))


def test_a_record_without_a_spec_is_refused():
    with pytest.raises(ConfigError, match="holds no spec that can be read"):
        held(evaluation(spec={"name": "recipes"}))
