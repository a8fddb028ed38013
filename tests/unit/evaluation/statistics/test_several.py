"""Several arms: adjusting, and choosing on rows that are not reported on."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.evaluation.statistics.chances import most

from anytune.evaluation.statistics import adjusted, binary, compare
from anytune.evaluation.values import Verdict

SEED = 20261123


def against(wins: int, losses: int, rows: int = 100):
    before = [0.0] * wins + [1.0] * losses + [1.0] * (rows - wins - losses)
    after = [1.0] * wins + [0.0] * losses + [1.0] * (rows - wins - losses)
    return compare(before, after, binary=True)


def test_a_narrow_win_among_five_is_no_win():
    several = adjusted([against(13, 3), *[against(5, 5)] * 4])
    assert against(13, 3).verdict is Verdict.IMPROVED
    assert several[0].verdict is Verdict.INCONCLUSIVE
    assert several[0].p_adjusted == pytest.approx(5 * several[0].p_value)


def test_a_clear_win_among_five_stays_one():
    assert adjusted([against(25, 3), *[against(5, 5)] * 4])[0].verdict is Verdict.IMPROVED


def test_one_candidate_alone_is_not_adjusted():
    assert adjusted([against(13, 3)])[0].p_adjusted == against(13, 3).p_value


def test_too_few_rows_stay_too_few():
    assert adjusted([against(10, 0, rows=20)])[0].verdict is Verdict.TOO_FEW_SAMPLES


def test_what_has_no_p_value_is_left_out():
    nothing = compare([], [], binary=True)
    assert adjusted([nothing]) == [nothing]
    assert [found.p_adjusted is None for found in adjusted([nothing, against(13, 3)])] == [True, False]


def drawn(dice: np.random.Generator, rows: int, arms: int) -> tuple[np.ndarray, np.ndarray]:
    """Give answers of a baseline and of arms that are no better: on a fifth of the rows chance decides."""
    easy = dice.random(rows) < 0.7
    luck = dice.random((arms + 1, rows)) < np.where(dice.random(rows) < 0.4, 0.5, easy)
    return luck[0], luck[1:]


def test_one_of_five_null_arms_passes_at_most_one_time_in_twenty():
    dice, tries = np.random.default_rng(SEED), 800
    raw = held = 0
    known: dict[tuple[int, int], float] = {}
    for _ in range(tries):
        before, arms = drawn(dice, 200, 5)
        pairs = [(int((arm & ~before).sum()), int((before & ~arm).sum())) for arm in arms]
        ps = [known.setdefault(pair, binary.mcnemar(*pair)) if pair[0] > pair[1] else 1.0 for pair in pairs]
        raw += min(ps) <= 0.05
        held += min(ps) * 5 <= 0.05  # Holm's first step; `adjusted` is held against it below
    print(f"one of five passes: {raw / tries:.1%}, by Holm {held / tries:.1%} of {tries}")
    assert held / tries <= most(0.025, tries) <= 0.05
    assert raw > 2 * held


def test_the_first_step_of_holm_decides_whether_any_passes():
    several = adjusted([against(wins, 3) for wins in (12, 14, 9, 5, 4)])
    assert min(found.p_adjusted for found in several) == pytest.approx(min(5 * min(found.p_value for found in several), 1.0))


def test_the_best_of_five_chosen_on_other_rows_passes_at_most_one_time_in_twenty():
    dice, tries = np.random.default_rng(SEED), 800
    passed = flattered = 0
    gains = []
    known: dict[tuple[int, int], float] = {}
    for _ in range(tries):
        before, arms = drawn(dice, 260, 5)
        best, lucky = arms[:, :60].sum(axis=1).argmax(), arms[:, 60:].sum(axis=1).argmax()
        for arm, honest in ((arms[best, 60:], True), (arms[lucky, 60:], False)):
            pair = (int((arm & ~before[60:]).sum()), int((before[60:] & ~arm).sum()))
            hit = pair[0] > pair[1] and known.setdefault(pair, binary.mcnemar(*pair)) <= 0.05
            passed, flattered = passed + (hit and honest), flattered + (hit and not honest)
        gains.append(arms[lucky, 60:].mean() - before[60:].mean())
    print(
        f"best of five: {passed / tries:.1%} pass if chosen elsewhere, {flattered / tries:.1%} if chosen on the same rows, {np.mean(gains):.1%} for nothing"
    )
    assert passed / tries <= most(0.025, tries) <= 0.05
    assert flattered > 2 * passed
