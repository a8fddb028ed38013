"""Quantiles of latencies and costs, with intervals that assume no shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from anytune.errors import DataError
from anytune.evaluation.needs import need
from anytune.evaluation.values import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["quantile"]


def quantile(values: Sequence[float], q: float, *, level: float = 0.95) -> Estimate:
    """Estimate a quantile by order statistics (scipy's `quantile_test`): a bound that so few values cannot give is None.

    Args:
        values: At least one.
        q: Such as 0.95.
        level: Of the interval.

    Raises:
        DataError: There are no values.

    Example:
        >>> quantile([float(n) for n in range(50)], 0.95).high is None
        True
    """
    if not values:
        raise DataError("No values have no quantile.", fix="Give at least one.")
    bounds = need("scipy.stats").quantile_test(values, p=q).confidence_interval(confidence_level=level)
    low, high = (None if math.isnan(bound) else float(bound) for bound in bounds)
    return Estimate(value=float(need("numpy").quantile(values, q)), low=low, high=high, level=level)
