"""One arm by itself: its mean score with an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.evaluation.needs import need
from anytune.evaluation.statistics import clusters, sparse
from anytune.evaluation.statistics.paired import taken
from anytune.evaluation.statistics.scores import Bootstrap
from anytune.evaluation.values import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["estimate", "mean_of_repeats"]


def estimate(
    scores: Sequence[float], *, binary: bool, groups: Sequence[str] | None = None, level: float = 0.95, seed: int = 0, name: str = "arm"
) -> Estimate:
    """Estimate an arm's mean score.

    Right and wrong gets Wilson's interval, scores the BCa bootstrap, rows in groups clustered errors. Where hardly any score stands out
    from the commonest, Wilson's interval on the sum is taken: no scores from 0 to 1 with this mean vary more than right and wrong do.
    Intervals of two arms may overlap where their difference is beyond doubt: only `compare` says who is better.

    Args:
        scores: One a row, from 0 to 1.
        binary: Each is 0 or 1.
        groups: As for `compare`.
        level: Of the interval.
        seed: Of resampling.
        name: Of the arm, for errors.

    Returns:
        The estimate; without bounds where there are no rows, or only one group.

    Raises:
        DataError: A score is not from 0 to 1, or neither of them where it has to be.
    """
    values = taken(scores, name, binary=binary)
    if values.size == 0:
        return Estimate(value=0.0, level=level)
    mean, numbers = float(values.mean()), clusters.independent(groups)
    if numbers is not None and max(numbers) == 0:
        return Estimate(value=mean, level=level)
    low, high = _grouped(values, numbers, level) if numbers is not None else _single(values, level, binary=binary, seed=seed)
    return Estimate(value=mean, low=max(low, 0.0), high=min(high, 1.0), level=level)


def mean_of_repeats(scores: Sequence[Sequence[float]]) -> list[float]:
    """Average the repeats of each row: they are no rows of their own.

    Example:
        >>> mean_of_repeats([[1.0, 0.0], [1.0, 1.0]])
        [0.5, 1.0]
    """
    return [sum(repeats) / len(repeats) for repeats in scores]


def _single(values: Any, level: float, *, binary: bool, seed: int) -> tuple[float, float]:
    if binary or sparse.few(values):
        return _wilson(float(values.mean()), values.size, level)
    return Bootstrap(values, seed=seed).interval(level)


def _grouped(values: Any, numbers: Sequence[int], level: float) -> tuple[float, float]:
    found = clusters.Clustered.of(values, numbers)
    if sparse.few(found.means):
        return _wilson(found.mean, 1 / float((found.weights**2).sum()), level)
    return found.interval(level)


def _wilson(mean: float, rows: float, level: float) -> tuple[float, float]:
    proportion = need("statsmodels.stats.proportion")
    low, high = proportion.proportion_confint(mean * rows, rows, alpha=1 - level, method="wilson")
    return float(low), float(high)
