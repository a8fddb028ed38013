"""Right and wrong: the exact test, the score interval, and the test against a margin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.unit.evaluation.statistics.chances import tables

from anytune.evaluation.statistics import binary

PUBLISHED = [
    (1, 7, 21, -0.517, -0.026),  # airway hyper-responsiveness, Fagerland, Lydersen & Laake, Statistics in Medicine 33 (2014) 2850-2875
    (6, 16, 161, -0.124, -0.005),  # complete response, the same authors, Statistical Analysis of Contingency Tables (2017), chapter 8
]
COUNTS = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200)).filter(any)


def by_hand(wins: int, losses: int, rows: int, level: float) -> tuple[float, float]:
    """Try 200,001 differences; the likeliest share of losses comes from maximising the likelihood itself, on a grid, not from Tango's formula."""
    z = stats.norm.ppf(0.5 + level / 2)
    kept = []
    for difference in np.linspace(-1, 1, 2001):
        lost = np.linspace(max(0.0, -difference), (1 - difference) / 2, 4001)
        left = 1 - 2 * lost - difference
        from scipy.special import xlogy

        likelihood = xlogy(wins, np.maximum(lost + difference, 0)) + xlogy(losses, lost) + xlogy(rows - wins - losses, np.maximum(left, 0))
        lost_then = lost[likelihood.argmax()]
        variance = rows * (2 * lost_then + difference - difference**2)
        if (wins - losses - rows * difference) ** 2 <= z**2 * variance + 1e-9:
            kept.append(difference)
    return min(kept), max(kept)


@pytest.mark.parametrize(("wins", "losses", "rows", "low", "high"), PUBLISHED)
def test_tango_gives_the_published_intervals(wins, losses, rows, low, high):
    assert binary.tango(wins, losses, rows) == pytest.approx((low, high), abs=0.0005)


@pytest.mark.parametrize("counts", [(1, 7, 21), (6, 16, 161), (0, 0, 30), (4, 0, 40), (0, 12, 50), (20, 0, 20), (30, 25, 60)])
def test_tango_is_what_trying_every_difference_gives(counts):
    assert binary.tango(*counts) == pytest.approx(by_hand(*counts, level=0.95), abs=0.0012)


def test_no_flips_leave_eleven_points_either_way_at_thirty_rows():
    low, high = binary.tango(0, 0, 30)
    assert high == pytest.approx(1.96**2 / (30 + 1.96**2), abs=1e-4)
    assert low == -high


def test_no_flips_are_no_difference():
    assert binary.mcnemar(0, 0) == 1.0


@pytest.mark.parametrize(("wins", "losses"), [(9, 1), (5, 0), (6, 0), (30, 18)])
def test_mcnemar_is_the_sign_test_of_the_flips(wins, losses):
    assert binary.mcnemar(wins, losses) == pytest.approx(stats.binomtest(wins, wins + losses).pvalue)


@settings(deadline=None)
@given(COUNTS)
def test_swapping_the_arms_mirrors_the_interval(counts):
    wins, losses, ties = counts
    rows = wins + losses + ties
    low, high = binary.tango(wins, losses, rows)
    assert binary.tango(losses, wins, rows) == pytest.approx((-high, -low), abs=1e-9)
    assert binary.mcnemar(wins, losses) == binary.mcnemar(losses, wins)


@settings(deadline=None)
@given(COUNTS)
def test_the_interval_holds_what_was_seen_and_has_a_width(counts):
    wins, losses, ties = counts
    rows = wins + losses + ties
    low, high = binary.tango(wins, losses, rows)
    assert -1 <= low <= (wins - losses) / rows + 1e-9
    assert (wins - losses) / rows - 1e-9 <= high <= 1
    assert high - low > 0.01


@pytest.mark.parametrize("discordance", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("rows", [30, 50, 100, 200, pytest.param(400, marks=pytest.mark.slow)])
def test_intervals_cover_the_truth_93_to_97_times_in_100(rows, discordance):
    """Summed over every table, so no luck is in it. Above 97 % only where fewer than 6 rows are expected to differ."""
    for gain in (0.0, 0.05):
        covered = sum(chance for wins, losses, chance in tables(rows, discordance, gain) if covers(wins, losses, rows, gain))
        print(f"{rows} rows, {discordance:.0%} differ, gain {gain:.0%}: {covered:.2%}")
        assert 0.93 <= covered <= (0.97 if rows * discordance >= 6 else 0.99)


def covers(wins: int, losses: int, rows: int, gain: float) -> bool:
    low, high = binary.tango(wins, losses, rows)
    return low - 1e-9 <= gain <= high + 1e-9


@pytest.mark.parametrize("discordance", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("rows", [30, 100, pytest.param(400, marks=pytest.mark.slow)])
def test_chance_alone_promotes_at_most_one_in_forty(rows, discordance):
    """Alpha is 5 % for both directions together, and only one of them promotes."""
    promoted = sum(
        chance for wins, losses, chance in tables(rows, discordance, 0.0) if wins > losses and binary.mcnemar(wins, losses) <= 0.05
    )
    assert promoted <= 0.025 + 1e-9


@pytest.mark.parametrize("margin", [0.03, 0.05, 0.1])
@pytest.mark.parametrize("rows", [30, pytest.param(50, marks=pytest.mark.slow), pytest.param(80, marks=pytest.mark.slow)])
def test_a_candidate_worse_by_the_margin_passes_at_most_one_time_in_twenty(rows, margin):
    for discordance in (margin, 0.15, 0.2, 0.4):
        passed = sum(
            chance
            for wins, losses, chance in tables(rows, discordance, -margin)
            if binary.no_worse(wins, losses, rows, margin=margin) <= 0.05
        )
        assert passed <= 0.05 + 1e-6


def test_a_candidate_worse_by_the_margin_would_pass_more_often_without_the_exact_sum(monkeypatch):
    exact = sum(chance for wins, losses, chance in tables(30, 0.2, -0.03) if binary.no_worse(wins, losses, 30, margin=0.03) <= 0.05)
    monkeypatch.setattr(binary, "EXACT_ROWS", 0)
    score = sum(chance for wins, losses, chance in tables(30, 0.2, -0.03) if binary.no_worse(wins, losses, 30, margin=0.03) <= 0.05)
    assert exact < 0.05
    assert 0.06 < score < 0.061


def test_the_exact_and_the_score_test_agree_for_many_rows(monkeypatch):
    exact = binary.no_worse(60, 70, 1000, margin=0.03)
    monkeypatch.setattr(binary, "EXACT_ROWS", 0)
    assert binary.no_worse(60, 70, 1000, margin=0.03) == pytest.approx(exact, rel=0.15)


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), st.sampled_from([0.02, 0.05, 0.1]))
def test_a_win_more_never_looks_worse(wins, losses, margin):
    assert binary.no_worse(wins + 1, losses, 40, margin=margin) <= binary.no_worse(wins, losses, 40, margin=margin) + 1e-9
