"""Rows in groups: near-duplicates and users count as groups."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.evaluation.statistics.chances import least, most

from anytune.evaluation.statistics import clusters, compare, sparse
from anytune.evaluation.statistics.shown import Asked
from anytune.evaluation.values import Verdict

SEED = 20261123


def drawn(
    dice: np.random.Generator, groups: int, *, size: int = 5, alike: float = 0.9, differ: float = 0.4
) -> tuple[np.ndarray, list[int]]:
    """Give flips of rows in groups: most rows of a group do what the whole group does."""
    own, shared = dice.random((groups, size)), np.repeat(dice.random((groups, 1)), size, axis=1)
    lot = np.where(dice.random((groups, size)) < alike, shared, own)
    flips = np.where(lot < differ / 2, 1.0, np.where(lot < differ, -1.0, 0.0))
    return flips.ravel(), np.repeat(np.arange(groups), size).tolist()


def interval(differences: np.ndarray, numbers: list[int]) -> tuple[float, float]:
    found = clusters.Clustered.of(differences, numbers)
    return sparse.Table.of(found.means, found.weights).interval(0.95) if sparse.few(found.means) else found.interval(0.95)


@pytest.mark.parametrize("groups", [30, 60, pytest.param(150, marks=pytest.mark.slow)])
def test_intervals_of_groups_cover_the_truth_and_naive_ones_do_not(groups):
    dice, tries = np.random.default_rng(SEED), 400
    hits = naive = 0
    for _ in range(tries):
        differences, numbers = drawn(dice, groups)
        low, high = interval(differences, numbers)
        hits += low <= 0 <= high
        naive += abs(differences.mean()) <= 1.96 * differences.std() / differences.size**0.5
    print(f"{groups} groups of 5: clustered {hits / tries:.1%}, naive {naive / tries:.1%} of {tries}")
    assert least(0.93, tries) <= hits / tries <= most(0.97, tries)
    assert naive / tries < 0.75


def test_chance_alone_promotes_groups_at_most_one_in_twenty():
    dice, tries, promoted = np.random.default_rng(SEED), 250, 0
    for _ in range(tries):
        differences, numbers = drawn(dice, 40, differ=0.6)
        promoted += differences.mean() > 0 and clusters.shown(differences, numbers, Asked()).p_value <= 0.05
    print(f"40 groups: {promoted / tries:.1%} of {tries}")
    assert promoted / tries <= most(0.025, tries) <= 0.07


@pytest.mark.slow
def test_groups_of_unequal_size_cover_the_truth():
    dice, tries, hits = np.random.default_rng(SEED), 400, 0
    for _ in range(tries):
        sizes = np.maximum(1, dice.lognormal(1.2, 0.8, 50).astype(int))
        lots = [dice.random() if dice.random() < 0.5 else None for _ in sizes]
        parts = [np.full(size, lot) if lot is not None else dice.random(size) for size, lot in zip(sizes, lots, strict=True)]
        lot = np.concatenate(parts)
        differences = np.where(lot < 0.15, 1.0, np.where(lot < 0.3, -1.0, 0.0))
        low, high = interval(differences, np.repeat(np.arange(sizes.size), sizes).tolist())
        hits += low <= 0 <= high
    print(f"50 unequal groups: {hits / tries:.1%} of {tries}")
    assert hits / tries >= least(0.93, tries)


def test_groups_are_counted_not_rows():
    found = compare([0.0] * 100, [1.0] * 100, groups=[f"user {row // 10}" for row in range(100)], binary=True)
    assert (found.rows, found.groups) == (100, 10)
    assert found.verdict is Verdict.TOO_FEW_SAMPLES


def test_rows_without_a_group_stand_for_themselves():
    found = compare([0.0] * 40, [1.0] * 40, groups=[""] * 40, binary=True)
    assert (found.groups, found.test) == (None, "McNemar, exact")


def test_groups_of_one_row_each_are_no_groups():
    alone = compare([0.0, 1.0] * 20, [1.0, 1.0] * 20, groups=[str(row) for row in range(40)], binary=True)
    assert alone == compare([0.0, 1.0] * 20, [1.0, 1.0] * 20, binary=True)


def test_of_one_group_nothing_is_known():
    found = compare([0.0] * 40, [1.0] * 40, groups=["the same"] * 40, binary=True)
    assert (found.low, found.high, found.p_value) == (-1.0, 1.0, None)
    assert found.verdict is Verdict.TOO_FEW_SAMPLES


def test_groups_without_a_flip_have_a_width():
    found = compare([1.0] * 200, [1.0] * 200, groups=[str(row // 5) for row in range(200)], binary=True, margin=0.05)
    assert (found.low, found.high) == pytest.approx((-0.0876, 0.0876), abs=1e-3), "forty groups, not two hundred rows"
    assert found.p_value == 1.0
    assert found.verdict is Verdict.INCONCLUSIVE
