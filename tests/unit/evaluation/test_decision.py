"""What the gate says: the rule that was fixed, and nothing else, decides."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.unit.evaluation.statistics.chances import most

from anytune.evaluation.decision import decided
from anytune.evaluation.spec import Rule
from anytune.evaluation.statistics import compare


def against(wins: int, losses: int, rows: int = 200, *, baseline: str = "prompt", candidate: str = "tuned", margin: float | None = None):
    ties = [1.0] * (rows - wins - losses)
    return compare(
        [0.0] * wins + [1.0] * losses + ties,
        [1.0] * wins + [0.0] * losses + ties,
        names=(baseline, candidate),
        binary=True,
        margin=margin,
    )


SUPERIORITY = Rule(baseline="all")
NO_WORSE = Rule(kind="non_inferiority", margin=0.05)


@pytest.mark.parametrize(
    ("found", "outcome", "why"),
    [
        (against(30, 8), "pass", "better"),
        (against(8, 30), "fail", "worse"),
        (against(12, 8), "inconclusive", "not shown to be better"),
        (against(10, 10), "inconclusive", "not shown to be better"),
        (against(4, 4, rows=2000, margin=0.03), "fail", "no change within the margin"),
        (against(25, 0, rows=25), "inconclusive", "too few independent rows"),
        (against(0, 25, rows=25), "inconclusive", "too few independent rows"),
    ],
)
def test_superiority_passes_only_what_is_better(found, outcome, why):
    decision = decided(SUPERIORITY, [found])
    assert decision.outcome == outcome
    assert decision.reasons[0].startswith(f"{outcome}: tuned against prompt: {why} (")


@pytest.mark.parametrize(
    ("found", "outcome", "why"),
    [
        (against(3, 4, rows=300, margin=0.05), "pass", "no worse by 5 points or more"),
        (against(30, 8, margin=0.05), "pass", "no worse by 5 points or more"),
        (against(12, 14, margin=0.05), "inconclusive", "not shown to be no worse by 5 points"),
        (against(8, 30, margin=0.05), "fail", "worse by more than 5 points"),
        (against(8, 22, margin=0.05), "fail", "worse, and not shown to be so by less than 5 points"),
        (against(5, 25, rows=1000, margin=0.05), "pass", "worse, by less than 5 points"),
        (against(0, 0, rows=20, margin=0.05), "inconclusive", "too few independent rows"),
        (against(0, 0), "inconclusive", "no margin was given"),
    ],
)
def test_non_inferiority_passes_what_is_no_worse_by_the_margin(found, outcome, why):
    decision = decided(NO_WORSE, [found])
    assert decision.outcome == outcome
    assert decision.reasons[0].startswith(f"{outcome}: tuned against prompt: {why} (")


def test_every_baseline_has_to_be_beaten():
    two = [against(30, 8), against(12, 8, baseline="few_shot")]
    decision = decided(SUPERIORITY, two)
    assert decision.outcome == "inconclusive"
    assert decision.baselines == ("prompt", "few_shot")
    assert decided(SUPERIORITY, [two[0], against(40, 8, baseline="few_shot")]).outcome == "pass"


def test_one_failure_fails_the_whole():
    assert decided(SUPERIORITY, [against(30, 8), against(12, 8, baseline="a"), against(2, 30, baseline="b")]).outcome == "fail"


def test_other_candidates_do_not_count():
    decision = decided(SUPERIORITY, [against(30, 8), against(2, 40, candidate="another")])
    assert (decision.outcome, len(decision.reasons)) == ("pass", 1)


def test_nothing_compared_is_inconclusive():
    decision = decided(SUPERIORITY, [])
    assert decision.outcome == "inconclusive"
    assert decision.reasons == ("inconclusive: tuned was compared with nothing",)


def drifted(wins: int, losses: int, rows: int = 250):
    return {"probe": "general", "baseline": 0.9, "candidate": 0.8, "comparison": against(wins, losses, rows, margin=0.05)}


def test_a_failed_drift_check_fails_the_whole():
    decision = decided(SUPERIORITY, [against(30, 8)], [drifted(2, 40)])
    assert decision.outcome == "fail"
    assert decision.reasons[1].startswith("fail: drift check, general: worse")


def test_an_inconclusive_drift_check_is_told_and_stops_nothing():
    decision = decided(SUPERIORITY, [against(30, 8)], [drifted(8, 14)])
    assert decision.outcome == "pass"
    assert decision.reasons[1].startswith("inconclusive: drift check, general")


def test_a_drift_check_alone_promotes_nothing():
    assert decided(SUPERIORITY, [], [drifted(0, 0)]).outcome == "inconclusive"


def test_findings_that_were_read_back_count_the_same():
    written = drifted(2, 40)
    read = json.loads(json.dumps(written | {"comparison": written["comparison"].model_dump(mode="json")}))
    assert decided(SUPERIORITY, [against(30, 8)], [read]) == decided(SUPERIORITY, [against(30, 8)], [written])


def test_the_rule_of_the_spec_is_told():
    decision = decided(NO_WORSE, [against(3, 4, rows=300, margin=0.05)])
    assert (decision.kind, decision.candidate, decision.margin) == ("non_inferiority", "tuned", 0.05)
    assert decision.reasons[0].endswith("300 rows)")


def test_reasons_never_say_safe():
    said = " ".join(decided(SUPERIORITY, [against(30, 8)], [drifted(0, 0)]).reasons)
    assert "safe" not in said


def scored(dice, rows: int, share: float, arms: int, *, gain: float = 0.0):
    """Give right and wrong of baselines, and of a candidate that is better by the gain: on a share of the rows chance decides."""
    luck = dice.random(rows) < share
    easy = dice.random(rows) < 0.6
    drawn = [np.where(luck, dice.random(rows) < 0.5 + up, easy).astype(float) for up in (*[0.0] * arms, gain / share)]
    return drawn[:-1], drawn[-1]


def promoted(rule: Rule, *, gain: float, tries: int, arms: int) -> float:
    """How often the gate passes, out of so many evaluations of 120 rows against so many baselines."""
    dice, passed = np.random.default_rng(20261123), 0
    for _ in range(tries):
        before, after = scored(dice, 120, 0.4, arms, gain=gain)
        found = [
            compare(one, after, names=(str(number), "tuned"), binary=True, margin=rule.margin, kind=rule.kind)
            for number, one in enumerate(before)
        ]
        passed += decided(rule, found).outcome == "pass"
    print(f"{rule.kind}, {arms} baselines, true gain {gain:+.0%}: {passed / tries:.1%} of {tries}")
    return passed / tries


@pytest.mark.parametrize("arms", [1, 3])
def test_a_candidate_that_is_no_better_passes_the_gate_at_most_one_time_in_forty(arms):
    assert promoted(SUPERIORITY, gain=0.0, tries=400, arms=arms) <= most(0.025, 400)


def test_a_candidate_that_is_worse_by_the_margin_passes_the_gate_at_most_one_time_in_twenty():
    assert promoted(NO_WORSE, gain=-0.05, tries=400, arms=1) <= most(0.05, 400)


def test_a_candidate_that_is_much_better_passes_the_gate():
    assert promoted(SUPERIORITY, gain=0.2, tries=50, arms=3) >= 0.8
