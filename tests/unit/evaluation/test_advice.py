"""The lesson's four questions, from figures that a person can check by hand."""

from __future__ import annotations

import pytest
from tests.unit.evaluation.report.samples import SPEC, arm, around, evaluation

from anytune.data.report import Report
from anytune.errors import ConfigError
from anytune.evaluation.advice import markdown, untuned, weighed
from anytune.evaluation.spec import EvaluationSpec
from anytune.evaluation.values import Power
from anytune.preflight import Preflight
from anytune.values import DataStats, Finding, Quote

ARMS = {
    "base": {"type": "zero_shot", "model": "base"},
    "few_shot": {"type": "few_shot", "model": "base"},
    "nearest": {"type": "nearest"},
    "again": {"type": "again", "of": "base"},
}


def asked(*, few_shot=0.70, floor=0.50, usd=0.0010, gain=0.09):
    """200 questions of 100 tokens and 10 tokens of answer; with examples they cost `usd`."""
    arms = (
        arm("base", "as it is", 0.30, usd=0.0001, prompt_tokens=20_000, completion_tokens=2_000),
        arm("few_shot", "with examples", few_shot, usd=usd, prompt_tokens=200_000, completion_tokens=2_000),
        arm("nearest", "copies", floor, model="", usd=0.0),
        arm("again", "base twice", 0.31, usd=0.0001),
    )
    power = Power(rows=200, gain=gain, power=0.8, alpha=0.05, assumed="the arms differ on 20 % of the rows")
    return evaluation(spec=SPEC | {"arms": ARMS}, arms=arms, candidate="base", baseline="few_shot", power=power)


def quoted(*, cost=12.0, hourly=0.0, read=1.0, wrote=10.0, findings=()):
    quote = Quote(
        cost_usd=cost,
        minutes=30,
        hosting_usd_per_hour=hourly,
        input_usd_per_million=read,
        output_usd_per_million=wrote,
        basis="prices read",
    )
    return Preflight(findings=findings, losses=(), quote=quote, stats=DataStats(rows=500), data={}, report=Report.model_construct())


def answers(advice):
    return [one.answer for one in advice.questions]


def test_a_tuned_request_is_the_bare_question_at_the_tuned_price():
    advice = weighed(asked(), quoted(), requests_per_month=10_000)
    assert advice.tuned_usd == pytest.approx((100 * 1.0 + 10 * 10.0) / 1e6)
    assert advice.untuned_usd == 0.0010


def test_shorter_prompts_pay_for_the_training_without_any_gain():
    advice = weighed(asked(), quoted(), requests_per_month=10_000)
    assert advice.saved_usd_per_month == pytest.approx(10_000 * 0.0008)
    assert (advice.months, advice.gain) == (pytest.approx(1.5), 0.0)
    assert answers(advice)[2] == "None is needed: a tuned model saves $8.00 a month, and what is paid once is back after 1.5 months."


def test_what_hosting_costs_has_to_come_back_as_gain():
    advice = weighed(asked(usd=0.01), quoted(hourly=0.02), requests_per_month=1_000)
    whole = 0.0002 + (0.02 * 730 + 12 / 12) / 1000
    assert advice.gain == pytest.approx(0.70 * (whole / 0.01 - 1))
    assert "No gain can make a right answer as cheap as by few_shot" in answers(advice)[2]
    assert advice.gain > advice.headroom


def test_a_gain_that_pays_is_told_in_points_and_in_right_answers():
    advice = weighed(asked(usd=0.01), quoted(hourly=0.0135), requests_per_month=1_000)
    assert 0 < advice.gain < advice.headroom
    right = f"{1_000 * advice.gain:,.0f} more right answers a month"
    assert f"A gain of {advice.gain * 100:.1f} points ({right}) makes a right answer as cheap as by few_shot." in answers(advice)[2]


@pytest.mark.parametrize("missing", ["read", "cost", "hourly"])
def test_a_price_that_is_missing_is_unknown_and_not_nought(missing):
    advice = weighed(asked(), quoted(**{missing: None}), requests_per_month=10_000)
    assert "unknown" in answers(advice)[1]
    assert "not known" in answers(advice)[2].lower()
    assert advice.months is None
    assert advice.gain is None


def test_one_s_own_machine_is_counted_as_free():
    advice = weighed(asked(usd=0.0), quoted(cost=None, hourly=None, read=None, wrote=None), requests_per_month=10_000, local=True)
    assert (advice.tuned_usd, advice.once_usd, advice.hosting_usd_per_month, advice.months) == (0.0, 0.0, 0.0, 0.0)
    assert answers(advice)[2].startswith("None: asking is free either way")


def test_where_hardly_anything_is_left_to_gain_the_advice_is_to_keep_what_there_is():
    advice = weighed(asked(few_shot=0.96), quoted(), requests_per_month=10_000)
    assert "At most 4.0 points are left to gain. That is less than these rows can show: keep few_shot" in answers(advice)[0]


def test_where_copying_does_as_well_it_is_said():
    assert "Copying does as well as asking" in answers(weighed(asked(floor=0.75), quoted(), requests_per_month=10))[0]


def test_otherwise_there_is_room():
    first = answers(weighed(asked(), quoted(), requests_per_month=10))[0]
    assert first.startswith("few_shot reaches 70.0")
    assert "There is room for tuning" in first


def test_the_same_arm_asked_twice_is_never_the_strongest():
    found = asked(few_shot=0.2)
    lucky = tuple(one.model_copy(update={"scores": {"exact": around(0.99)}}) if one.name == "again" else one for one in found.arms)
    assert weighed(found.model_copy(update={"arms": lucky}), quoted(), requests_per_month=10).strongest == "base"


def test_errors_of_the_data_are_effort_that_is_told():
    wrong = Finding(severity="error", code="no-assistant", message="row 3 has no answer", row=3)
    advice = weighed(asked(), quoted(findings=(wrong,)), requests_per_month=10)
    assert "1 errors in them have to be mended first" in answers(advice)[1]
    assert advice.errors == ("row 3 has no answer",)


def test_rows_that_are_too_few_for_the_gain_that_would_pay_are_told():
    advice = weighed(asked(usd=0.01, gain=0.2), quoted(hourly=0.0135), requests_per_month=1_000)
    assert "may be too small to be seen with these rows" in answers(advice)[3]


def test_the_page_for_a_pull_request_has_the_four_questions_and_the_arms():
    text = markdown(weighed(asked(), quoted(), requests_per_month=10_000))
    assert text.count("**Is tuning right here, compared with prompting, few-shot and retrieval?**") == 1
    assert text.count("\n\n**") == 4
    assert "| `few_shot` | 70.0" in text


def test_tuned_models_are_left_out_and_what_repeats_them_too():
    spec = untuned(EvaluationSpec(**SPEC))
    assert set(spec.arms) == {"base", "few_shot"}
    assert set(spec.models) == {"base"}
    assert (spec.rule.candidate, spec.rule.baseline, spec.name) == ("base", "all", "recipes-advice")


def test_copying_is_looked_at_wherever_there_are_rows_to_copy_from():
    assert untuned(EvaluationSpec(**(SPEC | {"train": "train.jsonl"}))).arms["nearest"].type == "nearest"


def test_an_evaluation_of_tuned_models_alone_has_nothing_to_advise_on():
    only = {"name": "x", "data": "t.jsonl", "models": {"tuned": {"job": "j"}}, "arms": {"tuned": {"type": "zero_shot", "model": "tuned"}}}
    with pytest.raises(ConfigError, match="no arm that asks an untuned model"):
        untuned(EvaluationSpec(**only))
