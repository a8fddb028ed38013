"""A quote in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.cli.durations import human
from anytune.cli.show import size

if TYPE_CHECKING:
    from anytune.values import Quote

__all__ = ["amounts"]


def amounts(quote: Quote) -> list[str]:
    """Write a quote's figures with their units; what is not known is left out.

    Example:
        >>> from anytune.values import Quote
        >>> amounts(Quote(tokens=75_000, epochs=3, cost_usd=0.375))
        ['75,000 tokens in 3 epochs', '$0.38']
    """
    found = []
    if quote.tokens is not None:
        epochs = "" if quote.epochs is None else " in 1 epoch" if quote.epochs == 1 else f" in {quote.epochs:g} epochs"
        found.append(f"{quote.tokens:,} tokens{epochs}")
    if quote.minutes is not None:
        found.append(f"about {human(quote.minutes * 60)}")
    if quote.cost_usd is not None:
        found.append(dollars(quote.cost_usd))
    if quote.hosting_usd_per_hour:
        found.append(f"then {dollars(quote.hosting_usd_per_hour)} an hour while it is deployed")
    if quote.memory_bytes is not None:
        found.append(f"{size(quote.memory_bytes)} of memory")
    return found


def dollars(amount: float) -> str:
    """Write US dollars with cents; less than a cent is not nothing.

    Example:
        >>> dollars(1234.5), dollars(0.0), dollars(0.0021)
        ('$1,234.50', '$0.00', 'less than $0.01')
    """
    return "less than $0.01" if 0 < amount < 0.01 else f"${amount:,.2f}"  # noqa: PLR2004 - a cent
