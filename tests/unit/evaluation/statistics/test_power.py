"""What rows can show, said before money is spent, and held against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.evaluation.statistics.chances import least, most, tables

from anytune.errors import ConfigError
from anytune.evaluation.statistics import beforehand, binary, rows_needed, sparse
from anytune.evaluation.statistics.power import binary_power


@pytest.mark.parametrize(("discordance", "rows"), [(0.1, 337), (0.2, 658), (0.3, 975)])
def test_rows_for_five_points_are_those_that_were_simulated(discordance, rows):
    """Simulated on 2026-11-22: 340, 660 and 980."""
    assert rows_needed(0.05, binary=True, discordance=discordance) == rows


@pytest.mark.parametrize(("rows", "discordance"), [(40, 0.2), (100, 0.1), (150, 0.3)])
def test_the_stated_power_is_reached(rows, discordance):
    gain = beforehand(rows, binary=True, discordance=discordance).gain
    differ = max(discordance, gain)
    found = sum(chance for wins, losses, chance in tables(rows, differ, gain) if wins > losses and binary.mcnemar(wins, losses) <= 0.05)
    print(f"{rows} rows, {discordance:.0%} differ: {gain:.1%} is found with {found:.2%}")
    assert 0.8 <= found < 0.83


def test_power_is_summed_exactly():
    told = binary_power(60, gain=0.1, discordance=0.25, alpha=0.05)
    found = sum(chance for wins, losses, chance in tables(60, 0.25, 0.1) if wins > losses and binary.mcnemar(wins, losses) <= 0.05)
    assert told == pytest.approx(found, abs=1e-7)


def test_the_stated_power_is_reached_by_scores():
    dice, tries, rows = np.random.default_rng(20261123), 400, 60
    gain = beforehand(rows, binary=False, spread=0.3).gain
    found = (
        sum(sparse.flipped(np.clip(dice.normal(gain, 0.3, rows), -1, 1), seed=seed, resamples=999) <= 0.05 for seed in range(tries)) / tries
    )
    print(f"{rows} rows, spread 0.3: {gain:.1%} is found with {found:.1%} of {tries}")
    assert least(0.8, tries) <= found <= most(0.8, tries)


def test_a_hundred_rows_find_five_points_one_time_in_ten_to_four():
    assert [round(binary_power(100, gain=0.05, discordance=share, alpha=0.05), 2) for share in (0.1, 0.2, 0.3)] == [0.24, 0.14, 0.1]


def test_too_few_rows_find_nothing():
    assert beforehand(5, binary=True).gain is None
    assert beforehand(1, binary=False).gain is None
    assert beforehand(0, binary=True).gain is None


def test_what_was_assumed_is_said():
    assert beforehand(100, binary=True, discordance=0.15).assumed == "the arms differ on 15 % of the rows"
    assert beforehand(100, binary=False).assumed == "differences have a standard deviation of 0.4"


def test_non_inferiority_needs_a_better_candidate_where_rows_are_few():
    few, many = (beforehand(rows, binary=True, kind="non_inferiority", margin=0.03).gain for rows in (100, 4000))
    assert few > 0 > many


def test_non_inferiority_needs_a_margin():
    with pytest.raises(ConfigError, match="margin"):
        beforehand(100, binary=True, kind="non_inferiority")


@pytest.mark.parametrize(("margin", "discordance", "rows"), [(0.03, 0.1, 690), (0.03, 0.2, 1400), (0.05, 0.1, 250), (0.05, 0.2, 500)])
def test_rows_for_a_margin_are_those_of_the_recipe(margin, discordance, rows):
    assert beforehand(rows, binary=True, discordance=discordance, kind="non_inferiority", margin=margin).gain == pytest.approx(0, abs=0.002)


def test_rows_needed_for_scores_find_the_gain():
    rows = rows_needed(0.05, binary=False, spread=0.3)
    assert beforehand(rows, binary=False, spread=0.3).gain <= 0.05 < beforehand(rows - 1, binary=False, spread=0.3).gain


@pytest.mark.parametrize("gain", [0.0, -0.1, 1.5])
def test_no_gain_cannot_be_looked_for(gain):
    with pytest.raises(ConfigError, match="cannot be looked for"):
        rows_needed(gain, binary=True)


def test_a_gain_that_no_number_of_rows_finds_has_none():
    assert rows_needed(1e-6, binary=True) is None
