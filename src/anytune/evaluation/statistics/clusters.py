"""Rows that are not independent: groups are what counts, such as the questions of one user, or near-duplicates of one text.

Errors are clustered (statsmodels' OLS with `cov_type="cluster"`, t with groups - 1 degrees of freedom; E. Miller, arXiv 2411.00640). Rows
taken for independent would have covered the truth 69 % of the time where the stated level was 95 % (simulated, 2026-11-22).
With fewer than 30 groups nothing is decided by default (`min_rows`), and groups of very unequal size ask for more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anytune.evaluation.needs import need
from anytune.evaluation.statistics import sparse
from anytune.evaluation.statistics.power import score_gain
from anytune.evaluation.statistics.shown import Asked, Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Clustered", "independent", "shown"]


def independent(groups: Sequence[str] | None) -> list[int] | None:
    """Number the groups; a row without one stands for itself.

    Returns:
        The group of each row; None where no two rows share one.
    """
    if groups is None:
        return None
    names = [("", row) if group == "" else (group, -1) for row, group in enumerate(groups)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return None if len(numbers) == len(names) else [numbers[name] for name in names]


@dataclass(frozen=True)
class Clustered:
    """The mean of rows in groups.

    Attributes:
        mean: Of all rows.
        error: Its clustered standard error; 0 where all rows are the same.
        groups: How many.
        means, weights: Of each group: the mean, and its share of the rows.
    """

    mean: float
    error: float
    groups: int
    means: Any
    weights: Any

    @classmethod
    def of(cls, values: Any, numbers: Sequence[int]) -> Clustered:
        """Measure rows; there must be two groups or more."""
        numpy, api = need("numpy"), need("statsmodels.api")
        of = numpy.asarray(numbers)
        sizes = numpy.bincount(of)
        fit = api.OLS(values, numpy.ones_like(values)).fit(cov_type="cluster", cov_kwds={"groups": of}, use_t=True)
        means = numpy.bincount(of, weights=values) / sizes
        return cls(float(fit.params[0]), float(fit.bse[0]), sizes.size, means, sizes / values.size)

    def interval(self, level: float) -> tuple[float, float]:
        """Give the interval of the mean by t."""
        half = float(need("scipy.stats").t.ppf(0.5 + level / 2, self.groups - 1)) * self.error
        return self.mean - half, self.mean + half

    def above(self, bound: float) -> float:
        """Give the one-sided p-value against a mean of `bound` or below."""
        return float(need("scipy.stats").t.sf((self.mean - bound) / self.error, self.groups - 1))


def shown(differences: Any, numbers: Sequence[int], asked: Asked) -> Shown:
    """Say what differences in groups show: where few groups differ, they go by `sparse`.

    Args:
        differences: Candidate minus baseline of each row.
        numbers: The group of each row, from 0 on.
        asked: What is asked.
    """
    if max(numbers) == 0:
        return Shown(-1.0, 1.0, None, None, "none: one group", "none: one group", None)
    found = Clustered.of(differences, numbers)
    if sparse.few(found.means):
        return sparse.shown(found.means, found.weights, asked)
    low, high = found.interval(asked.level)
    spread = found.error * found.groups**0.5
    return Shown(
        low=max(low, -1.0),
        high=min(high, 1.0),
        p_value=min(2 * min(found.above(0), 1 - found.above(0)), 1.0),
        p_non_inferior=None if asked.margin is None else found.above(-asked.margin),
        test="t, clustered",
        interval="t, clustered",
        smallest_gain=score_gain(found.groups, spread=spread, alpha=asked.alpha, power=asked.power),
    )
