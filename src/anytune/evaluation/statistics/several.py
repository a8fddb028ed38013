"""Several candidates of which one may pass: the chance that any of them passes by luck is held, by Holm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.evaluation.needs import need
from anytune.evaluation.statistics.verdicts import verdict
from anytune.evaluation.values import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.evaluation.values import Comparison

__all__ = ["adjusted"]


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Adjust p-values where *some* of several candidates may pass, and give verdicts again.

    Where *each* of several baselines has to be beaten, nothing is adjusted: to pass all of them by luck is no likelier than to pass one.
    Intervals stay what they are: each holds for itself.
    """
    told = [place for place, found in enumerate(comparisons) if found.p_value is not None]
    if not told:
        return list(comparisons)
    raw = [comparisons[place].p_value for place in told]
    _, holm, _, _ = need("statsmodels.stats.multitest").multipletests(raw, method="holm")
    by_place = dict(zip(told, (float(p) for p in holm), strict=True))
    return [_again(found, by_place.get(place)) for place, found in enumerate(comparisons)]


def _again(found: Comparison, p_adjusted: float | None) -> Comparison:
    if p_adjusted is None or found.verdict is Verdict.TOO_FEW_SAMPLES:
        return found.model_copy(update={"p_adjusted": p_adjusted})
    said = verdict(
        difference=found.difference,
        low=found.low,
        high=found.high,
        p_value=p_adjusted,
        margin=found.margin,
        alpha=round(1 - found.level, 12),
    )
    return found.model_copy(update={"p_adjusted": p_adjusted, "verdict": said})
