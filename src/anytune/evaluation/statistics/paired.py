"""Two arms on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from anytune.errors import ConfigError, DataError
from anytune.evaluation.needs import need
from anytune.evaluation.statistics import binary as right_or_wrong
from anytune.evaluation.statistics import clusters, scores
from anytune.evaluation.statistics.shown import Asked, Shown
from anytune.evaluation.statistics.verdicts import verdict
from anytune.evaluation.values import Comparison, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["compare", "taken"]

_SAME = 1e-9
"""Scores that differ by less are the same: means of repeats are rounded."""


def compare(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    grader: str = "",
    names: tuple[str, str] = ("baseline", "candidate"),
    groups: Sequence[str] | None = None,
    binary: bool,
    kind: Literal["superiority", "non_inferiority"] = "superiority",
    margin: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    min_rows: int = 30,
    seed: int = 0,
) -> Comparison:
    """Compare two arms row by row.

    Right and wrong goes by McNemar's exact test and Tango's score interval; scores by a permutation of signs and the BCa bootstrap; rows in
    groups by clustered errors; where few rows differ, by a scaled score interval. `test` and `interval` of the result say which it was.

    Args:
        baseline: Score of each row, from 0 to 1; a failed answer is 0, repeats are averaged.
        candidate: The same rows, in the same order.
        grader: Name of the grader.
        names: Of the baseline and of the candidate.
        groups: Group of each row; rows of one are not independent. An empty one means that its row stands for itself.
        binary: Each score is 0 or 1: a grader of right and wrong, with one repeat. Means of repeats are scores.
        kind: Non-inferiority asks for a margin.
        margin: How much worse still counts as no worse, and how small a difference counts as none.
        alpha: Two-sided for a difference, one-sided for non-inferiority; the interval has the level 1 - alpha.
        power: Of the smallest gain.
        min_rows: With fewer independent rows (or groups), the verdict is that they are too few.
        seed: Of resampling. Neither the order of rows nor that of arms changes what is drawn.

    Raises:
        ConfigError: Non-inferiority without a margin.
        DataError: The rows are not aligned, or a score is none.

    Example:
        >>> found = compare([0.0] * 30 + [1.0] * 30, [1.0] * 20 + [0.0] * 10 + [1.0] * 30, binary=True)
        >>> found.verdict, found.wins, found.losses
        (<Verdict.IMPROVED: 'improved'>, 20, 0)
    """
    if kind == "non_inferiority" and margin is None:
        raise ConfigError("Non-inferiority needs a margin.", fix="Give `margin`, such as 0.03: how much worse is still no worse.")
    before, after = taken(baseline, names[0], binary=binary), taken(candidate, names[1], binary=binary)
    if before.size != after.size or (groups is not None and len(groups) != before.size):
        raise DataError(f"{names[1]!r} and {names[0]!r} are not scored on the same rows.", fix="Give one score, and one group, a row.")
    pair = _Pair(before, after, clusters.independent(groups))
    asked = Asked(margin=margin, alpha=alpha, power=power, seed=seed)
    return pair.compared(asked, grader=grader, names=names, binary=binary, min_rows=min_rows)


class _Pair:
    """Scores of two arms on the same rows, and which rows belong together."""

    def __init__(self, before: Any, after: Any, numbers: Any) -> None:
        self.before, self.after, self.numbers = before, after, numbers
        self.rows = int(before.size)
        self.differences = after - before
        self.differences[abs(self.differences) < _SAME] = 0.0
        self.wins, self.losses = int((self.differences > 0).sum()), int((self.differences < 0).sum())
        self.groups = None if numbers is None else int(max(numbers, default=-1) + 1)

    def shown(self, asked: Asked, *, binary: bool) -> Shown:
        """Choose the test that fits the rows."""
        if self.rows == 0:
            return Shown(-1.0, 1.0, None, None, "none: no rows", "none: no rows", None)
        if self.numbers is not None:
            return clusters.shown(self.differences, self.numbers, asked)
        if binary:
            return right_or_wrong.shown(self.wins, self.losses, self.rows, asked)
        return scores.shown(self.differences, asked)

    def compared(self, asked: Asked, *, grader: str, names: tuple[str, str], binary: bool, min_rows: int) -> Comparison:
        """Put all of it into one value."""
        found = self.shown(asked, binary=binary)
        difference = _mean(self.differences)
        said = verdict(difference=difference, low=found.low, high=found.high, p_value=found.p_value, margin=asked.margin, alpha=asked.alpha)
        independent = self.rows if self.groups is None else self.groups
        return Comparison(
            grader=grader,
            baseline=names[0],
            candidate=names[1],
            rows=self.rows,
            groups=self.groups,
            binary=binary,
            baseline_score=_mean(self.before),
            candidate_score=_mean(self.after),
            difference=difference,
            low=found.low,
            high=found.high,
            level=asked.level,
            p_value=found.p_value,
            margin=asked.margin,
            p_non_inferior=found.p_non_inferior,
            wins=self.wins,
            losses=self.losses,
            ties=self.rows - self.wins - self.losses,
            test=found.test,
            interval=found.interval,
            smallest_gain=found.smallest_gain,
            verdict=Verdict.TOO_FEW_SAMPLES if independent < min_rows else said,
        )


def _mean(values: Any) -> float:
    return float(values.mean()) if values.size else 0.0


def taken(given: Sequence[float], name: str, *, binary: bool) -> Any:
    """Take scores as an array.

    Raises:
        DataError: One is not from 0 to 1, or neither of them where it has to be.
    """
    numpy = need("numpy")
    values = numpy.asarray(given, dtype=float)
    good = (values == 0) | (values == 1) if binary else (values >= 0) & (values <= 1)
    if not good.all():
        place = int((~good).argmax())
        raise DataError(
            f"Score {place + 1} of {name!r} is {values[place]:g}.",
            fix="Give 0 or 1, or say that scores are not binary." if binary else "Give scores from 0 to 1.",
        )
    return values
