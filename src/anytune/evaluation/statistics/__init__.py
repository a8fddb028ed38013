"""Paired statistics, row by row. Nothing here knows where scores come from."""

from __future__ import annotations

from anytune.evaluation.statistics.paired import compare
from anytune.evaluation.statistics.power import beforehand, rows_needed
from anytune.evaluation.statistics.quantiles import quantile
from anytune.evaluation.statistics.several import adjusted
from anytune.evaluation.statistics.single import estimate, mean_of_repeats

__all__ = ["adjusted", "beforehand", "compare", "estimate", "mean_of_repeats", "quantile", "rows_needed"]
