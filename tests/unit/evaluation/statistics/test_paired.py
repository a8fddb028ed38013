"""Two arms on the same rows: what a comparison says, and what it does not depend on."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anytune.errors import ConfigError, DataError
from anytune.evaluation.statistics import compare
from anytune.evaluation.values import Verdict

ROWS = st.lists(st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])] * 2), min_size=1, max_size=70)
RIGHT = st.lists(st.tuples(*[st.sampled_from([0.0, 1.0])] * 2), min_size=1, max_size=70)


def flips(wins: int, losses: int, ties: int) -> tuple[list[float], list[float]]:
    return [0.0] * wins + [1.0] * (losses + ties), [1.0] * wins + [0.0] * losses + [1.0] * ties


@pytest.mark.parametrize(
    ("wins", "losses", "ties", "margin", "expected"),
    [
        (20, 2, 78, None, Verdict.IMPROVED),
        (2, 20, 78, None, Verdict.DEGRADED),
        (5, 5, 90, None, Verdict.INCONCLUSIVE),
        (5, 5, 90, 0.03, Verdict.INCONCLUSIVE),
        (5, 5, 990, 0.03, Verdict.NO_CHANGE),
        (5, 5, 990, None, Verdict.INCONCLUSIVE),
        (0, 0, 29, None, Verdict.TOO_FEW_SAMPLES),
        (29, 0, 0, None, Verdict.TOO_FEW_SAMPLES),
        (0, 0, 30, None, Verdict.INCONCLUSIVE),
        (30, 5, 2965, 0.03, Verdict.IMPROVED),
    ],
)
def test_a_verdict_says_what_was_shown_and_no_more(wins, losses, ties, margin, expected):
    assert compare(*flips(wins, losses, ties), binary=True, margin=margin).verdict is expected


def test_a_comparison_holds_what_was_counted():
    found = compare(*flips(6, 2, 42), grader="exact", names=("base", "tuned"), binary=True, margin=0.1)
    assert (found.grader, found.baseline, found.candidate) == ("exact", "base", "tuned")
    assert (found.rows, found.groups, found.wins, found.losses, found.ties) == (50, None, 6, 2, 42)
    assert (found.baseline_score, found.candidate_score) == pytest.approx((0.88, 0.96))
    assert found.difference == pytest.approx(0.08)
    assert (found.test, found.interval, found.level) == ("McNemar, exact", "Tango's score", 0.95)
    assert found.p_non_inferior == pytest.approx(0.0034, abs=1e-4)


def test_what_the_rows_could_have_shown_is_said():
    assert compare(*flips(10, 10, 80), binary=True).smallest_gain == pytest.approx(0.13, abs=0.01)


def test_repeats_make_scores():
    found = compare([0.5, 0.25, 0.75] * 40, [0.75, 0.5, 0.5] * 40, binary=False)
    assert found.test == "permutation of signs"
    assert found.interval == "bootstrap, BCa"


def test_no_rows_show_nothing():
    found = compare([], [], binary=True)
    assert (found.rows, found.low, found.high, found.p_value, found.verdict) == (0, -1.0, 1.0, None, Verdict.TOO_FEW_SAMPLES)


@settings(deadline=None)
@given(RIGHT)
def test_swapping_the_arms_mirrors_what_right_and_wrong_show(rows):
    _mirrored(rows, binary=True)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_swapping_the_arms_mirrors_what_scores_show(rows):
    _mirrored(rows, binary=False)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_swapping_the_arms_mirrors_what_groups_show(rows):
    _mirrored(rows, binary=False, groups=[str(row // 2) for row in range(len(rows))])


def _mirrored(rows, *, binary, groups=None):
    before, after = zip(*rows, strict=True)
    one, other = (compare(*pair, binary=binary, groups=groups) for pair in ((before, after), (after, before)))
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-9)
    assert other.difference == -one.difference
    assert (other.wins, other.losses) == (one.losses, one.wins)
    assert other.p_value == (one.p_value if one.p_value is None else pytest.approx(one.p_value, abs=1e-9))


@settings(max_examples=25, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows, dice):
    shuffled = dice.sample(rows, len(rows))
    one, other = (compare(*zip(*some, strict=True), binary=False, margin=0.05) for some in (rows, shuffled))
    for field in ("low", "high", "p_value", "p_non_inferior"):
        assert getattr(other, field) == pytest.approx(getattr(one, field), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_bounds_lie_within_what_is_possible(rows):
    found = compare(*zip(*rows, strict=True), binary=False, margin=0.05)
    assert -1 <= found.low < found.high <= 1
    assert found.low - 1e-9 <= found.difference <= found.high + 1e-9
    assert 0 <= found.p_value <= 1
    assert 0 <= found.p_non_inferior <= 1


def test_the_same_seed_gives_the_same():
    dice = random.Random(1)
    before, after = ([dice.random() for _ in range(60)] for _ in range(2))
    assert compare(before, after, binary=False, seed=7) == compare(before, after, binary=False, seed=7)
    assert compare(before, after, binary=False, seed=7).low != compare(before, after, binary=False, seed=8).low


def test_differences_that_come_from_rounding_are_ties():
    found = compare([0.1 + 0.2] * 40, [0.3] * 40, binary=False)
    assert (found.ties, found.p_value) == (40, 1.0)


def test_rows_have_to_be_aligned():
    with pytest.raises(DataError, match="not scored on the same rows"):
        compare([1.0], [1.0, 0.0], binary=True)
    with pytest.raises(DataError, match="not scored on the same rows"):
        compare([1.0], [1.0], groups=["a", "b"], binary=True)


@pytest.mark.parametrize(("score", "binary"), [(0.5, True), (float("nan"), False), (1.2, False), (-0.1, False), (float("nan"), True)])
def test_a_score_that_is_none_is_refused(score, binary):
    with pytest.raises(DataError, match="Score 2 of 'candidate'"):
        compare([1.0, 1.0], [1.0, score], binary=binary)


def test_non_inferiority_needs_a_margin():
    with pytest.raises(ConfigError, match="margin"):
        compare([1.0], [1.0], binary=True, kind="non_inferiority")
