"""What asking costs: prices with their basis, an estimate before, the cost of answers, and from when on a tuned model pays."""

from __future__ import annotations

from anytune.evaluation.money.breakeven import break_even
from anytune.evaluation.money.costs import ArmCosts, arm_costs, cost_of, costs_by_case, measured, spent
from anytune.evaluation.money.forecast import Forecast, ask_tokens, estimate_before, most_tokens
from anytune.evaluation.money.tally import Tally, tokens_of
from anytune.evaluation.money.tariff import Tariff, prices_of

__all__ = [
    "ArmCosts",
    "Forecast",
    "Tally",
    "Tariff",
    "arm_costs",
    "ask_tokens",
    "break_even",
    "cost_of",
    "costs_by_case",
    "estimate_before",
    "measured",
    "most_tokens",
    "prices_of",
    "spent",
    "tokens_of",
]
