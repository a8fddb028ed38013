"""Scores from 0 to 1, paired: the bias-corrected and accelerated bootstrap, and a permutation test."""

from __future__ import annotations

import math
from typing import Any

from anytune.evaluation.needs import need
from anytune.evaluation.statistics import sparse
from anytune.evaluation.statistics.power import score_gain
from anytune.evaluation.statistics.shown import Asked, Shown

__all__ = ["Bootstrap", "shown"]

_RESAMPLES = 9999
_AT_ONCE = 1_000_000
"""Numbers that are drawn at once: 8 MB."""


def shown(differences: Any, asked: Asked) -> Shown:
    """Say what differences show: rows of which few differ go by `sparse`.

    Args:
        differences: Candidate minus baseline of each row, at least one row.
        asked: What is asked.
    """
    numpy = need("numpy")
    if sparse.few(differences):
        return sparse.shown(differences, numpy.full(differences.size, 1 / differences.size), asked)
    drawn = Bootstrap(differences, seed=asked.seed)
    low, high = drawn.interval(asked.level)
    spread = float(differences.std(ddof=1))
    return Shown(
        low=max(low, -1.0),
        high=min(high, 1.0),
        p_value=sparse.flipped(differences, seed=asked.seed),
        p_non_inferior=None if asked.margin is None else drawn.above(-asked.margin),
        test="permutation of signs",
        interval="bootstrap, BCa",
        smallest_gain=score_gain(differences.size, spread=spread, alpha=asked.alpha, power=asked.power),
    )


class Bootstrap:
    """Resampled means, for intervals and one-sided p-values that agree with each other.

    Levels are widened as t is wider than the normal (T. Hesterberg, The American Statistician 69 (2015) 371-386, "expanded percentile"):
    resampling alone is as narrow as a normal interval with the variance divided by n.
    """

    def __init__(self, values: Any, *, seed: int, resamples: int = _RESAMPLES) -> None:
        """Resample; values must not all be equal."""
        numpy, stats = need("numpy"), need("scipy.stats")
        self._values, self._turned = sparse.oriented(values)
        self._drawn = stats.bootstrap(
            (self._values,),
            numpy.mean,
            n_resamples=resamples,
            batch=max(1, _AT_ONCE // values.size),
            vectorized=True,
            method="BCa",
            rng=numpy.random.default_rng(seed),
        )
        self._wider = math.sqrt(values.size / (values.size - 1))

    def interval(self, level: float) -> tuple[float, float]:
        """Give the interval of the mean."""
        numpy, stats = need("numpy"), need("scipy.stats")
        z = float(stats.t.ppf(0.5 + level / 2, self._values.size - 1)) * self._wider
        again = stats.bootstrap(
            (self._values,),
            numpy.mean,
            n_resamples=0,
            bootstrap_result=self._drawn,
            confidence_level=2 * float(stats.norm.cdf(z)) - 1,
            batch=max(1, _AT_ONCE // self._values.size),
            vectorized=True,
            method="BCa",
        )
        low, high = (float(bound) for bound in again.confidence_interval)
        return (-high, -low) if self._turned else (low, high)

    def above(self, bound: float) -> float:
        """Give the one-sided p-value against a mean of `bound` or below: with p, the bound is the end of the interval of level 1 - 2p."""
        stats = need("scipy.stats")
        means, values = self._drawn.bootstrap_distribution, self._values
        bound, sign = (-bound, -1) if self._turned else (bound, 1)
        away = values - values.mean()
        bias = _z(means, values.mean())
        acceleration = float((away**3).sum()) / (6 * float((away**2).sum()) ** 1.5)
        place = _z(means, bound) - bias
        z = sign * (bias - place / (1 + acceleration * place))
        return float(stats.t.sf(z / self._wider, values.size - 1))


def _z(means: Any, bound: float) -> float:
    """Give the normal quantile of the share of means below a bound; a mean equal to it counts half, and no share is 0 or 1."""
    below = float((means < bound).sum()) + 0.5 * float((means == bound).sum())
    return float(need("scipy.special").ndtri(min(max(below, 0.5), means.size - 0.5) / means.size))
