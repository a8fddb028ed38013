"""From an interval and a p-value to one word."""

from __future__ import annotations

from anytune.evaluation.values import Verdict

__all__ = ["verdict"]


def verdict(*, difference: float, low: float, high: float, p_value: float | None, margin: float | None, alpha: float) -> Verdict:
    """Say what was shown.

    - `improved`, `degraded`: the p-value is at most alpha, in this direction. This is the test's say, not the interval's: McNemar's exact
      test is the stricter of the two, and an interval may begin just above 0 where nothing is said to be improved.
    - `no_change`: not so, and the interval lies within plus or minus the margin. Without a margin nothing is ever said to be the same: not
      to have found a difference is `inconclusive`.
    """
    if p_value is not None and p_value <= alpha and difference != 0:
        return Verdict.IMPROVED if difference > 0 else Verdict.DEGRADED
    if margin is not None and -margin <= low and high <= margin:
        return Verdict.NO_CHANGE
    return Verdict.INCONCLUSIVE
