"""What a number of rows can show, said before anything is spent."""

from __future__ import annotations

from typing import Literal

from anytune.errors import ConfigError
from anytune.evaluation.needs import need
from anytune.evaluation.values import Power

__all__ = ["beforehand", "binary_gain", "binary_power", "rows_needed", "score_gain"]

_MOST_ROWS = 10_000_000


def beforehand(
    rows: int,
    *,
    binary: bool,
    discordance: float = 0.2,
    spread: float = 0.4,
    alpha: float = 0.05,
    power: float = 0.8,
    kind: Literal["superiority", "non_inferiority"] = "superiority",
    margin: float | None = None,
) -> Power:
    """Say which true gain so many rows find.

    Right and wrong is computed exactly for McNemar's test; scores by t. For non-inferiority the gain is the smallest true difference at
    which the margin is met with this power, below 0 where even a somewhat worse candidate is found to be no worse (a normal approximation).

    Args:
        rows: Independent rows; groups, where rows are grouped.
        binary: Each score is 0 or 1.
        discordance: Share of rows on which the two arms differ, where scores are binary. A gain that is larger takes its own size for it.
        spread: Standard deviation of the differences, where they are not.
        alpha: Two-sided for superiority, one-sided for non-inferiority.
        power: Probability to be found.
        kind: What has to be shown.
        margin: For non-inferiority.

    Raises:
        ConfigError: Non-inferiority without a margin.

    Example:
        >>> beforehand(200, binary=True).gain
        0.092
    """
    assumed = (
        f"the arms differ on {100 * discordance:g} % of the rows" if binary else f"differences have a standard deviation of {spread:g}"
    )
    if kind == "non_inferiority":
        if margin is None:
            raise ConfigError("Non-inferiority needs a margin.", fix="Give `margin`, such as 0.03.")
        gain = _needed_for_margin(rows, margin, discordance**0.5 if binary else spread, alpha=alpha, power=power)
        assumed += f"; no worse by {100 * margin:g} points or more has to be shown"
    elif binary:
        gain = binary_gain(rows, discordance=discordance, alpha=alpha, power=power)
    else:
        gain = score_gain(rows, spread=spread, alpha=alpha, power=power)
    return Power(rows=rows, gain=gain, power=power, alpha=alpha, assumed=assumed)


def rows_needed(
    gain: float, *, binary: bool, discordance: float = 0.2, spread: float = 0.4, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Give the fewest rows that find a true gain, or None where 10 million do not. Arguments as for `beforehand`.

    Raises:
        ConfigError: The gain is not above 0, or above 1.

    Example:
        >>> rows_needed(0.05, binary=True)
        658
    """
    if not 0 < gain <= 1:
        raise ConfigError(f"A gain of {gain:g} cannot be looked for.", fix="Give a share above 0 and up to 1, such as 0.05 for 5 points.")

    def enough(rows: int) -> bool:
        if binary:
            return binary_power(rows, gain=gain, discordance=discordance, alpha=alpha) >= power
        found = score_gain(rows, spread=spread, alpha=alpha, power=power)
        return found is not None and found <= gain

    few, many = 1, 2
    while not enough(many):
        few, many = many, many * 2
        if many > _MOST_ROWS:
            return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def binary_power(rows: int, *, gain: float, discordance: float, alpha: float) -> float:
    """Give the probability that McNemar's exact test finds a true gain: summed over how many rows may differ, exactly."""
    numpy, binom = need("numpy"), need("scipy.stats").binom
    differ = min(max(discordance, gain, 1e-12), 1.0)
    around, away = rows * differ, 10 * (rows * differ) ** 0.5 + 10
    changed = numpy.arange(max(0, int(around - away)), min(rows, int(around + away)) + 1)
    wins = 1 + binom.isf(alpha / 2, changed, 0.5)
    found = numpy.where(changed > 0, binom.sf(wins - 1, changed, (1 + gain / differ) / 2), 0.0)
    return float((binom.pmf(changed, rows, differ) * found).sum())


def binary_gain(rows: int, *, discordance: float, alpha: float, power: float) -> float | None:
    """Give the smallest true gain that McNemar's exact test finds, rounded up to a tenth of a point; None where there is none."""

    def found(gain: float) -> bool:
        return binary_power(rows, gain=gain, discordance=discordance, alpha=alpha) >= power

    if rows < 1 or not found(1.0):
        return None
    few, many = 0, 1000
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if found(middle / 1000) else (middle, many)
    return many / 1000


def score_gain(rows: int, *, spread: float, alpha: float, power: float) -> float | None:
    """Give the smallest true gain that a paired t-test finds (a permutation is as powerful for many rows); None where there is none."""
    if rows < 2:  # noqa: PLR2004 - a spread needs two
        return None
    special, t = need("scipy.special"), need("scipy.stats").t
    edge = float(t.ppf(1 - alpha / 2, rows - 1))
    shift = float(special.nctdtrinc(rows - 1, 1 - power, edge))
    gain = shift * spread / rows**0.5
    return gain if gain <= 1 else None


def _needed_for_margin(rows: int, margin: float, spread: float, *, alpha: float, power: float) -> float | None:
    if rows < 1:
        return None
    z = need("scipy.special").ndtri
    gain = float(z(1 - alpha) + z(power)) * spread / rows**0.5 - margin
    return gain if gain <= 1 else None
