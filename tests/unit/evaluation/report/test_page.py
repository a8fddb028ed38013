from __future__ import annotations

import re

import pytest
from tests.unit.evaluation.report.reading import Page
from tests.unit.evaluation.report.samples import arm, arms, comparison, decided, evaluation, flips, of_verdict

from anytune.evaluation.report import html
from anytune.evaluation.values import ArmResult, BreakEven, Comparison, Estimate, Flip, Power, Verdict
from anytune.values import Metric


@pytest.fixture(scope="module")
def page():
    return Page(html(evaluation()))


def test_the_first_thing_said_is_the_verdict_and_what_it_means(page):
    assert page.text.index("Yes: tuned is better than few_shot.") < page.text.index("Decision")
    assert "answered 86.0 % of 200 held-out questions right, few_shot 74.5 %" in page.text
    assert "1,000 requests cost $0.062 instead of $0.31" in page.text


def test_an_engineer_finds_interval_p_value_methods_and_counts_beside_it(page):
    assert "95 % interval +6.2 to +16.9 (Tango score); p < 0.0001 (exact McNemar); 32 won, 9 lost, 159 the same, 200 rows" in page.text


@pytest.mark.parametrize(
    ("verdict", "outcome", "words"),
    [
        (Verdict.IMPROVED, "Pass", "Yes: tuned is better than few_shot."),
        (Verdict.NO_CHANGE, "Fail", "No: tuned did not turn out better than few_shot."),
        (Verdict.DEGRADED, "Fail", "No: tuned is worse than few_shot."),
        (
            Verdict.INCONCLUSIVE,
            "Inconclusive",
            "Not known yet whether tuned is better than few_shot: it may be anything from 2.1 points worse to 9.2 points better.",
        ),
        (Verdict.TOO_FEW_SAMPLES, "Inconclusive", "Not known yet: 12 rows are too few to decide whether tuned is better than few_shot."),
    ],
)
def test_each_verdict_has_words_that_need_no_statistics(verdict, outcome, words):
    page = Page(html(of_verdict(verdict)))
    assert f"{outcome} {words}" in page.text
    assert page.crossed == []


def test_no_worse_by_a_margin_is_said_with_the_margin_and_it_is_drawn():
    one = comparison("few_shot", 0.745, 0.75, -0.018, 0.028, Verdict.NO_CHANGE, margin=0.03, p_non_inferior=0.004)
    text = html(evaluation(comparisons=(one,), decision=decided("pass", "no worse", kind="non_inferiority", margin=0.03)))
    page = Page(text)
    assert "Yes: tuned is no more than 3 points worse than few_shot." in page.text
    assert "tuned has to be no more than 3 points worse than few_shot, by exact" in page.text
    assert [line for line in page.of("line") if line.get("class") == "margin"]
    assert "margin \N{MINUS SIGN}3" in page.text


def test_a_candidate_that_fails_by_drift_alone_is_not_called_worse_at_the_task():
    found = evaluation(decision=decided("fail", "drift check, general items: worse"))
    assert "holds its own at the task, but not all that was asked for holds" in Page(html(found)).text


def test_every_arm_stands_in_the_table_with_its_errors_tokens_cost_and_times(page):
    for name in ("base", "prompt", "few_shot", "retrieval", "nearest", "tuned", "again"):
        assert name in page.text
    assert "2 failed" in page.text
    assert "1 not gradable" in page.text
    assert "151,200" in page.text
    assert "96,000 cached" in page.text
    assert "at least 820 ms" in page.text  # the upper bound of a 95 % quantile is not always there


def test_what_is_not_known_is_a_dash_and_not_a_nought():
    lone = evaluation(arms=(ArmResult(name="tuned", what="asked", model="m", answers=3, scores={}),), break_even=None, spent_usd=None)
    page = Page(html(lone))
    row = page.text[page.text.index("Failed, or not gradable") :]
    assert "$0" not in row
    assert "–" in row
    assert "Break-even was not computed" not in page.text  # without a chart of cost there is no section on money


def test_break_even_is_told_in_requests_and_months(page):
    assert "tuned is the cheaper one after 52,000 requests (48,900 to 55,700)." in page.text
    assert "At 50,000 requests a month after 1.0 months." in page.text


def test_no_break_even_is_told_as_such():
    none = BreakEven(candidate="tuned", baseline="few_shot", requests=None, once_usd=12.9, saved_usd=Estimate(value=1e-6, low=-1e-5, high=1e-5),
                     basis="the interval of what is saved reaches 0")  # fmt: skip
    text = Page(html(evaluation(break_even=none))).text
    assert "No break-even established between tuned and few_shot." in text
    assert "The interval of what is saved reaches 0." in text


def test_the_noise_floor_says_what_chance_alone_moves(page):
    assert "tuned was asked twice. Nothing differs but chance, and 5 of 200 rows came out otherwise" in page.text


def test_a_missing_noise_floor_is_said():
    assert "how much chance alone moves was not measured" in Page(html(evaluation(noise=None))).text


def test_power_is_told_as_it_was_before(page):
    assert "200 independent rows find a true gain of 8.9 points in 80 % of cases" in page.text
    blind = evaluation(power=Power(rows=4, gain=None, power=0.8, alpha=0.05, assumed="few"))
    assert "4 independent rows cannot show any gain" in Page(html(blind)).text


def test_choices_come_with_their_scores_on_the_development_rows(page):
    assert "Made on 60 development rows, never on the rows that are reported" in page.text
    assert "8: 73.3 %" in page.text


def test_flips_are_shown_both_ways_with_the_words_that_differ(page):
    assert "Won: tuned right, few_shot wrong (2)" in page.text
    assert "Lost: tuned wrong, few_shot right (1)" in page.text
    text = html(evaluation())
    assert "<del>GetWeather</del><ins>SearchEvent</ins>" in text
    assert re.search(r"<ins>[^<]*four[^<]*</ins>", text)


def test_without_a_right_answer_the_candidate_is_held_against_the_baseline():
    lone = flips()[0].model_copy(update={"reference": "", "candidate_text": "play jazz", "baseline_text": "play rock"})
    text = html(evaluation(flips=(lone,)))
    assert "play <del>rock</del><ins>jazz</ins>" in text
    assert "Right answer" not in Page(text).text


def test_of_many_flips_some_are_shown_and_the_rest_is_counted():
    many = tuple(flips()[0].model_copy(update={"row": number}) for number in range(500))
    text = html(evaluation(flips=many))
    assert text.count('<article class="flip') == 20
    assert "480 more are in the JSON record." in Page(text).text


def test_labels_that_are_taken_for_others_are_a_table_with_headers(page):
    assert "AddToPlaylist" in page.text
    assert "(no label)" in page.text
    heads = [attrs.get("scope") for attrs in page.of("th")]
    assert set(heads) == {"col", "row"}


def test_of_many_labels_the_commonest_are_shown():
    labels = {f"label-{number}": {f"label-{number}": 200 - number, "label-0": 3} for number in range(150)}
    text = Page(html(evaluation(labels={"tuned": labels}))).text
    assert "label-3 " in text
    assert "label-149" not in text
    assert "126 rarer labels are in the JSON record." in text


def test_loss_curves_are_drawn_and_broken_values_are_counted():
    metrics = [
        Metric(step=step, at=evaluation().began, values={"loss": float("nan") if step == 3 else 1.0 / (step + 1)}) for step in range(9)
    ]
    text = Page(html(evaluation(curves=tuple(metrics)))).text
    assert "Loss while tuned was trained" in text
    assert "1 values were no numbers" in text


def test_ten_thousand_steps_of_a_run_are_thinned():
    metrics = tuple(Metric(step=step, at=evaluation().began, values={"loss": 1.0}) for step in range(10_000))
    assert len(html(evaluation(curves=metrics))) < len(html(evaluation())) + 20_000


def test_the_drift_check_is_called_one_and_never_safe(page):
    assert "Drift check" in page.text
    assert "not a proof of safety" in page.text
    assert not re.search(r"\bsafe\b", page.text)
    assert "refusals on harmful prompts" in page.text


def test_a_drift_finding_that_cannot_be_read_is_unknown():
    assert "odd probe not known" in Page(html(evaluation(drift=({"probe": "odd probe"},)))).text


def test_what_it_cannot_tell_hashes_versions_and_the_spec_are_there(page):
    assert "Anything about languages other than English" in page.text
    assert "1f" * 32 in page.text
    assert "statsmodels" in page.text
    assert "requests_per_month: 50000" in page.text


def test_the_page_loads_nothing_runs_nothing_and_forbids_both():
    page = Page(html(evaluation()))
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on") or name in {"src", "srcset"}]
    assert all(attrs["href"].startswith("#") for attrs in page.of("a"))
    policy = next(attrs["content"] for attrs in page.of("meta") if attrs.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "url(" not in html(evaluation())


def test_a_keyboard_and_a_screen_reader_get_everywhere(page):
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in page.of("a")} <= set(ids)
    assert all(attrs.get("role") == "img" and attrs["aria-labelledby"] in ids for attrs in page.of("svg"))
    assert all("tabindex" in attrs and attrs.get("aria-label") for attrs in page.of("div") if "wide" in attrs.get("class", ""))
    assert page.of("html")[0]["lang"] == "en"
    assert len(page.of("h1")) == 1
    assert page.crossed == []


def test_an_evaluation_of_hardly_anything_is_still_a_page():
    bare = evaluation(arms=(), comparisons=(), noise=None, choices=(), drift=(), break_even=None, flips=(), labels={}, curves=(), cannot_tell=(),
                      hashes={}, versions={}, spec={}, decision=decided("inconclusive", "nothing was compared"))  # fmt: skip
    page = Page(html(bare))
    assert "Not known: nothing could be compared." in page.text
    assert page.crossed == []


def test_figures_that_are_no_numbers_break_no_chart():
    odd = comparison("few_shot", 0.5, 0.5, float("-inf"), float("inf"), Verdict.INCONCLUSIVE, p_value=float("nan"))
    text = html(evaluation(comparisons=(odd,)))
    assert 'x1="nan"' not in text
    assert 'x1="inf"' not in text


def test_where_no_price_is_known_quality_stands_against_time():
    unpriced = tuple(one.model_copy(update={"usd_per_request": None, "usd_per_correct": None}) for one in arms())
    text = Page(html(evaluation(arms=unpriced, break_even=None))).text
    assert "Quality and time" in text
    assert "left is faster" in text


def test_prices_far_apart_stand_on_a_scale_that_multiplies():
    dear = (*arms(), arm("huge", "A far larger model.", 0.9, usd=0.09, p50=3.0))
    page = Page(html(evaluation(arms=dear)))
    at = [float(attrs["cx"]) for attrs in page.of("circle")]
    assert max(at) - min(at) > 500
    assert "$100.00" in page.text


def test_a_comparison_of_scores_is_not_told_as_right_and_wrong():
    scored = Comparison(**(comparison("few_shot", 0.7, 0.8, 0.05, 0.15, Verdict.IMPROVED).model_dump() | {"binary": False}))
    assert "scored 80.0 % on 200 held-out questions" in Page(html(evaluation(comparisons=(scored,)))).text


def test_a_flip_of_equal_scores_is_no_flip():
    same = Flip(case="x", row=1, candidate_score=1, baseline_score=1, asked="?", reference="a", candidate_text="a", baseline_text="a")
    assert 'class="flip' not in html(evaluation(flips=(same,)))
