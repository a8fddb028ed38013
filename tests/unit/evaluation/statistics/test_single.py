"""One arm by itself, and quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.evaluation.statistics.chances import least

from anytune.errors import DataError
from anytune.evaluation.statistics import estimate, mean_of_repeats, quantile


def test_right_and_wrong_gets_wilsons_interval():
    found = estimate([1.0] * 18 + [0.0] * 2, binary=True)
    assert (found.value, found.low, found.high) == pytest.approx((0.9, 0.699, 0.972), abs=1e-3)


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_equal_scores_have_a_width(score):
    found = estimate([score] * 40, binary=False)
    assert 0 <= found.low <= score <= found.high <= 1
    assert found.high - found.low > 0.05


def test_scores_get_the_bootstrap():
    values = np.random.default_rng(1).beta(4, 2, 200)
    found = estimate(list(values), binary=False)
    assert found.low < values.mean() < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 200**0.5, rel=0.1)


def test_rows_in_groups_are_less_sure():
    scores = [float(row % 20 < 10) for row in range(400)]
    alone, grouped = estimate(scores, binary=True), estimate(scores, binary=True, groups=[str(row // 10) for row in range(400)])
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_one_group_gives_no_bounds():
    found = estimate([1.0, 0.0], binary=True, groups=["a", "a"])
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_no_rows_give_no_bounds():
    assert estimate([], binary=True).low is None


def test_repeats_are_averaged_and_are_no_rows():
    assert mean_of_repeats([[1.0, 0.0, 0.5], [1.0]]) == [0.5, 1.0]


def test_fifty_values_do_not_bound_their_95th_percentile():
    found = quantile([float(n) for n in range(50)], 0.95)
    assert (found.value, found.low, found.high) == (pytest.approx(46.55), 43.0, None)


def test_one_value_bounds_no_median():
    assert quantile([3.0], 0.5).model_dump() == {"value": 3.0, "low": None, "high": None, "level": 0.95}


def test_intervals_of_a_median_cover_it():
    dice, tries = np.random.default_rng(20261123), 300
    found = [quantile(list(dice.lognormal(0, 1, 60)), 0.5) for _ in range(tries)]
    assert sum(one.low <= 1.0 <= one.high for one in found) / tries >= least(0.95, tries)


def test_no_values_have_no_quantile():
    with pytest.raises(DataError, match="no quantile"):
        quantile([], 0.5)
