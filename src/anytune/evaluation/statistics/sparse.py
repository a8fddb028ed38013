"""Scores that seldom differ: a score interval where resampling only sees what is there.

Where few rows differ, the bootstrap of a mean is too narrow (85 to 92 % coverage at 5 to 15 rows that differ, 0 width at none; simulated on
2026-11-23). Tango's statistic is not: it is used on scores as follows.

Gains and losses are summed as if they were counts. A table of 0 and 1 with these sums has a larger variance than scores have, by the size
of a typical difference, `scale` = Σd² / Σ|d|; so sums and interval are measured in units of `scale`. Two imagined differences of 1 are
added to both sums of `scale`: what was not seen may be as large as that. For right and wrong `scale` is 1, and all of it is
Tango's interval. The construction is ours; its coverage, 93 % and more, is what the simulations in the tests show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anytune.evaluation.needs import need
from anytune.evaluation.statistics.binary import statistic, tango
from anytune.evaluation.statistics.power import binary_gain
from anytune.evaluation.statistics.shown import Asked, Shown

__all__ = ["Table", "few", "flipped", "shown"]

_RESAMPLES = 9999
_LEAST_RESAMPLES = 999
_DRAWN = 10_000_000
"""Signs to draw in all where there are many rows: half a second at 1,000 rows, two at 10,000 (2026-11-23)."""

_AT_ONCE = 1_000_000
"""Numbers that are drawn at once: 8 MB."""

_IMAGINED = 2


@dataclass(frozen=True)
class Table:
    """Differences as if they were a table of wins and losses.

    Attributes:
        gains: Sum of what the candidate is better by, in units of `scale`.
        losses: Sum of what it is worse by.
        rows: Independent rows.
        scale: Size of a typical difference, from 0 to 1.
    """

    gains: float
    losses: float
    rows: float
    scale: float

    @classmethod
    def of(cls, means: Any, weights: Any) -> Table:
        """Count differences.

        Args:
            means: Differences from -1 to 1: of rows, or means of groups.
            weights: Their shares, which sum to 1. Unequal ones count as fewer rows (Kish: 1 / Σ weights²).
        """
        numpy = need("numpy")
        rows = 1 / float((weights**2).sum())
        gains = rows * float((weights * numpy.maximum(means, 0)).sum())
        losses = rows * float((weights * numpy.maximum(-means, 0)).sum())
        squares = rows * float((weights * means**2).sum())
        scale = (squares + _IMAGINED) / (gains + losses + _IMAGINED)
        return cls(gains / scale, losses / scale, rows, scale)

    def interval(self, level: float) -> tuple[float, float]:
        """Give the interval of the difference; its width is never 0."""
        low, high = tango(self.gains, self.losses, self.rows, level=level)
        return low * self.scale, high * self.scale

    def no_worse(self, margin: float) -> float:
        """Give the one-sided p-value against a difference of minus the margin or below."""
        seen = statistic(self.gains, self.losses, self.rows, max(-margin / self.scale, -1.0))
        return float(need("scipy.special").ndtr(-seen))


def few(differences: Any) -> bool:
    """Tell whether too few differences stand out from the commonest one for a bootstrap: 30, in small samples half of all, at least 12."""
    numpy = need("numpy")
    _, counts = numpy.unique(differences.round(9), return_counts=True)
    return bool(differences.size - counts.max() < max(12, min(30, differences.size / 2)))


def shown(means: Any, weights: Any, asked: Asked) -> Shown:
    """Say what seldom differences show; means and weights as for `Table.of`."""
    table = Table.of(means, weights)
    low, high = table.interval(asked.level)
    changed = min((table.gains + table.losses) * table.scale / table.rows, 1.0)
    return Shown(
        low=low,
        high=high,
        p_value=flipped(means * weights, seed=asked.seed),
        p_non_inferior=None if asked.margin is None else table.no_worse(asked.margin),
        test="permutation of signs",
        interval="Tango's score, scaled",
        smallest_gain=binary_gain(int(table.rows), discordance=changed, alpha=asked.alpha, power=asked.power),
    )


def flipped(parts: Any, *, seed: int, resamples: int = _RESAMPLES) -> float:
    """Give the two-sided p-value of a sum whose parts would have either sign equally often if there were no difference.

    Exact up to 13 parts that are not 0; above, `resamples` patterns of signs are drawn: fewer, down to 999, from 1,000 parts on.
    """
    numpy, stats = need("numpy"), need("scipy.stats")
    parts = oriented(parts[parts != 0])[0]
    if parts.size < 2 or abs(parts.sum()) <= 1e-12 * numpy.abs(parts).sum():  # noqa: PLR2004 - one part says nothing
        return 1.0
    drawn = stats.permutation_test(
        (parts,),
        numpy.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=min(resamples, max(_LEAST_RESAMPLES, _DRAWN // parts.size)),
        batch=max(1, _AT_ONCE // parts.size),
        rng=numpy.random.default_rng(seed),
    )
    return float(drawn.pvalue)


def oriented(differences: Any) -> tuple[Any, bool]:
    """Sort differences, and turn their signs where that sorts higher: neither the order of rows nor that of arms changes what is drawn.

    Returns:
        The differences, and whether their signs were turned.
    """
    numpy = need("numpy")
    ours, theirs = numpy.sort(differences), numpy.sort(-differences)
    turned = tuple(theirs) > tuple(ours)
    return (theirs if turned else ours), turned
