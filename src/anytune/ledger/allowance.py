"""What is left of a budget goes with the order: whoever trains holds an attempt to the rest, not to the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.spec import Budget

if TYPE_CHECKING:
    from anytune.backend import Order
    from anytune.ledger.rows import JobRow
    from anytune.ledger.store import Ledger

__all__ = ["within"]

_LEAST_HOURS, _LEAST_USD = 1 / 3600, 0.01
"""A budget is above nothing; preflight refuses where nothing is left."""


def within(order: Order, row: JobRow, ledger: Ledger) -> Order:
    """Give the order with the budget that earlier attempts left. The spec's hash does not cover it."""
    budget = order.spec.budget
    if budget is None or row.attempt == 1:
        return order
    earlier = [each for each in ledger.jobs(backend=row.backend, name=row.name) if each.account == row.account and each.id != row.id]
    hours = sum(each.actual.minutes or 0.0 for each in earlier) / 60
    usd = sum(each.cost_usd or 0.0 for each in earlier)
    left = Budget(
        max_usd=None if budget.max_usd is None else max(budget.max_usd - usd, _LEAST_USD),
        max_hours=None if budget.max_hours is None else max(budget.max_hours - hours, _LEAST_HOURS),
    )
    return order.model_copy(update={"spec": order.spec.model_copy(update={"budget": left})})
