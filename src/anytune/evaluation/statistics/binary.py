"""Right and wrong, paired: McNemar's exact test, Tango's score interval, and an exact test against a margin.

Sources: T. Tango, Statistics in Medicine 17 (1998) 891-908 (the score statistic and its interval); H. Hsueh, J. Liu, J. Chen, Biometrics 57
(2001) 478-483 (the same statistic with its exact, unconditional distribution). No library had either (looked for on 2026-11-22).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from anytune.evaluation.needs import need
from anytune.evaluation.statistics.power import binary_gain
from anytune.evaluation.statistics.shown import Asked, Shown

__all__ = ["mcnemar", "no_worse", "shown", "statistic", "tango"]

EXACT_ROWS = 1000
"""Up to so many rows the test against a margin sums over every table: 0.04 s at 300 rows, growing with their square. Tango's own test
accepts up to 6.0 % of candidates that are worse by exactly the margin (30 rows, margin 3 points), and 5.7 % at 200 rows where every
change is a loss (summed exactly on 2026-11-23)."""

_ROUNDING = 1e-9

_NUISANCE = 96
"""Values that are tried for the unknown share of losses."""


def shown(wins: int, losses: int, rows: int, asked: Asked) -> Shown:
    """Say what wins and losses among rows show.

    Args:
        wins: Rows that only the candidate has right.
        losses: Rows that only the baseline has right.
        rows: All rows, at least 1.
        asked: What is asked.
    """
    low, high = tango(wins, losses, rows, level=asked.level)
    return Shown(
        low=low,
        high=high,
        p_value=mcnemar(wins, losses),
        p_non_inferior=None if asked.margin is None else no_worse(wins, losses, rows, margin=asked.margin),
        test="McNemar, exact",
        interval="Tango's score",
        smallest_gain=binary_gain(rows, discordance=(wins + losses) / rows, alpha=asked.alpha, power=asked.power),
    )


def mcnemar(wins: int, losses: int) -> float:
    """Give the two-sided exact p-value against as many wins as losses.

    Example:
        >>> round(mcnemar(1, 9), 4)
        0.0215
    """
    tables = need("statsmodels.stats.contingency_tables")
    return float(tables.mcnemar([[0, wins], [losses, 0]], exact=True).pvalue)


def statistic(wins: float, losses: float, rows: float, difference: float) -> float:
    """Give Tango's score statistic of a true difference: standard normal, for many rows, if it is the true one.

    The variance is that of the likeliest table with this difference, so that it is above 0 where no row differs.

    Args:
        wins: As for `shown`; it need not be whole.
        losses: The same.
        rows: The same.
        difference: The true share of wins minus the true share of losses, from -1 to 1.
    """
    away = wins - losses - rows * difference
    if abs(away) < 1e-12 * rows:
        return 0.0
    square, linear = 2 * rows, (2 * rows - wins + losses) * difference - wins - losses
    constant = -losses * difference * (1 - difference)
    lost = (math.sqrt(max(linear * linear - 4 * square * constant, 0.0)) - linear) / (2 * square)
    variance = rows * (2 * lost + difference * (1 - difference))
    return away / math.sqrt(max(variance, 1e-300))


def tango(wins: float, losses: float, rows: float, *, level: float = 0.95) -> tuple[float, float]:
    """Give the interval of true differences that the score statistic does not reject.

    Example:
        >>> low, high = tango(0, 0, 30)
        >>> round(low, 3), round(high, 3)
        (-0.114, 0.114)
    """
    z = float(need("scipy.special").ndtri(0.5 + level / 2))
    return -_upper(losses, wins, rows, z), _upper(wins, losses, rows, z)


def _upper(wins: float, losses: float, rows: float, z: float) -> float:
    def beyond(difference: float) -> float:
        return statistic(wins, losses, rows, difference) + z

    seen = (wins - losses) / rows
    if seen >= 1 or beyond(1.0) >= 0:
        return 1.0
    return float(need("scipy.optimize").bisect(beyond, seen, 1.0, xtol=1e-10))


def no_worse(wins: int, losses: int, rows: int, *, margin: float) -> float:
    """Give the one-sided p-value against a candidate that is worse by the margin or more.

    Up to 1,000 rows it is exact: the largest probability of so large a score statistic over all values of the unknown share of losses.
    Above, it is that of Tango's score test.
    """
    seen = statistic(wins, losses, rows, -margin)
    if rows > EXACT_ROWS:
        return float(need("scipy.special").ndtr(-seen))
    return _exact(round(seen, 9), rows, margin)


@lru_cache(maxsize=4096)
def _exact(seen: float, rows: int, margin: float) -> float:
    numpy, special = need("numpy"), need("scipy.special")
    wins, losses, statistics = _tables(rows, margin)
    extreme = statistics >= seen - _ROUNDING
    wins, losses = wins[extreme], losses[extreme]
    same = rows - wins - losses
    ways = special.gammaln(rows + 1) - special.gammaln(wins + 1) - special.gammaln(losses + 1) - special.gammaln(same + 1)
    largest = 0.0
    for lost in margin + (1 - margin) / 2 * numpy.linspace(0, 1, _NUISANCE) ** 2:
        left = max(1 - 2 * lost + margin, 0.0)
        chances = ways + special.xlogy(wins, lost - margin) + special.xlogy(losses, lost) + special.xlogy(same, left)
        largest = max(largest, float(numpy.exp(chances).sum()))
    return min(largest, 1.0)


@lru_cache(maxsize=8)
def _tables(rows: int, margin: float) -> tuple[Any, Any, Any]:
    """Give wins, losses and score statistic of every table with so many rows."""
    numpy = need("numpy")
    wins, losses = (counts.ravel() for counts in numpy.meshgrid(numpy.arange(rows + 1), numpy.arange(rows + 1)))
    possible = wins + losses <= rows
    wins, losses = wins[possible], losses[possible]
    linear = -(2 * rows - wins + losses) * margin - wins - losses
    constant = losses * margin * (1 + margin)
    lost = (numpy.sqrt(numpy.maximum(linear * linear - 8 * rows * constant, 0)) - linear) / (4 * rows)
    variance = rows * (2 * lost - margin * (1 + margin))
    away = wins - losses + rows * margin
    away[numpy.abs(away) < _ROUNDING] = 0
    return wins, losses, away / numpy.sqrt(numpy.maximum(variance, 1e-300))
