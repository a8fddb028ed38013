"""What the simulations share: every table of wins and losses with its probability, and how far chance may carry a share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Iterator


def tables(rows: int, discordance: float, gain: float) -> Iterator[tuple[int, int, float]]:
    """Give wins, losses and their probability, but for tables that together come up less than once in 10 million times."""
    won, lost = (discordance + gain) / 2, (discordance - gain) / 2
    for changed in range(rows + 1):
        some = stats.binom.pmf(changed, rows, discordance)
        if some < 1e-11:
            continue
        chances = some * stats.binom.pmf(np.arange(changed + 1), changed, won / (won + lost))
        for wins in np.flatnonzero(chances > 1e-12):
            yield int(wins), changed - int(wins), float(chances[wins])


def most(share: float, tries: int) -> float:
    """Give the share that tries with this true share exceed once in 10,000 times."""
    return float(stats.binom.ppf(0.9999, tries, share)) / tries


def least(share: float, tries: int) -> float:
    """Give the share that tries with this true share stay below once in 10,000 times."""
    return float(stats.binom.ppf(0.0001, tries, share)) / tries


def repeated(dice: np.random.Generator, rows: int, *, repeats: int, undecided: float, gain: float = 0.0) -> np.ndarray:
    """Give differences between means of repeats: some rows are undecided, and there the candidate's chance is up by twice the gain."""
    chance = dice.random(rows)
    better = np.minimum(chance + gain / undecided * (1 - chance) * 2, 1.0)
    drawn = dice.binomial(repeats, better) / repeats - dice.binomial(repeats, chance) / repeats
    return np.where(dice.random(rows) < undecided, drawn, 0.0)
