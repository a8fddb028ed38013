"""Figures as they are written everywhere: shares as percentages, differences in points, money with as many digits as it needs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.evaluation.values import Estimate

__all__ = ["count", "interval", "months", "p_value", "percent", "points", "seconds", "usd"]

MINUS = "\N{MINUS SIGN}"
"""A hyphen would break from its figure at the end of a line."""

UNKNOWN = "–"
"""What stands where a figure is not known."""


def percent(value: float | None, digits: int = 1) -> str:
    r"""Write a share or a score of 0 to 1.

    Example:
        >>> percent(0.86), percent(0.95, 0), percent(None)
        ('86.0\xa0%', '95\xa0%', '–')
    """
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value * 100:.{digits}f}\N{NO-BREAK SPACE}%"


def points(value: float | None) -> str:
    """Write a difference of scores, with its sign; a minus is a minus, not a hyphen.

    Example:
        >>> points(0.14), points(0.0001)
        ('+14.0', '0.0')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{abs(value) * 100:.1f}"
    return text if float(text) == 0 else f"{MINUS if value < 0 else '+'}{text}"


def usd(value: float | None) -> str:
    """Write US dollars: cents where there are any, else two figures that tell.

    Example:
        >>> usd(1234.5), usd(0.00042), usd(0.0), usd(None)
        ('$1,234.50', '$0.00042', '$0', '–')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "$0"
    size = abs(value)
    digits = 2 if size >= 0.1 else min(12, 1 - math.floor(math.log10(size)))  # noqa: PLR2004 - below ten cents, cents say little
    return f"{MINUS if value < 0 else ''}${size:,.{digits}f}"


def seconds(value: float | None) -> str:
    r"""Write a time.

    Example:
        >>> seconds(0.0421), seconds(2.5), seconds(75.0)
        ('42\xa0ms', '2.50\xa0s', '75\xa0s')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value < 1:
        return f"{value * 1000:.0f}\N{NO-BREAK SPACE}ms"
    return f"{value:.2f}\N{NO-BREAK SPACE}s" if value < 10 else f"{value:.0f}\N{NO-BREAK SPACE}s"  # noqa: PLR2004 - three figures


def p_value(value: float | None) -> str:
    """Write a probability.

    Example:
        >>> p_value(0.04321), p_value(0.00001)
        ('0.043', '< 0.0001')
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"  # noqa: PLR2004 - digits that tell


def count(value: float | None) -> str:
    """Write a whole number.

    Example:
        >>> count(12345.6), count(None)
        ('12,346', '–')
    """
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:,.0f}"


def months(requests: float, each: int) -> str:
    """Say how long so many requests take.

    Example:
        >>> months(90_000, 30_000), months(1_000, 30_000), months(1e7, 30_000)
        ('3.0 months', 'under a month', '27.8 years')
    """
    length = requests / each
    if length < 1:
        return "under a month"
    return f"{length:.1f} months" if length < 24 else f"{length / 12:.1f} years"  # noqa: PLR2004 - two years


def interval(estimate: Estimate | None, write: Callable[[float | None], str] = percent) -> str:
    r"""Write the bounds of a figure; a bound that is not there is said.

    Example:
        >>> from anytune.evaluation.values import Estimate
        >>> interval(Estimate(value=0.8, low=0.7, high=0.88)), interval(Estimate(value=2.0, low=1.5), seconds)
        ('70.0\xa0% to 88.0\xa0%', 'at least 1.50\xa0s')
    """
    if estimate is None or (estimate.low is None and estimate.high is None):
        return ""
    if estimate.high is None:
        return f"at least {write(estimate.low)}"
    return f"at most {write(estimate.high)}" if estimate.low is None else f"{write(estimate.low)} to {write(estimate.high)}"
