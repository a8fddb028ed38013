"""What a run will take, held against what it may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.codes import finding
from anytune.values import DataStats, Quote

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.data.report import Report
    from anytune.data.rules import Rules
    from anytune.retry import Retry
    from anytune.spec import Budget, TrainingSpec
    from anytune.values import Finding

__all__ = ["over", "quoted", "stats_of", "too_many"]


def stats_of(report: Report) -> DataStats:
    """Give what a quote needs to know of the data."""
    tokens = report.tokens
    validation = report.validation
    return DataStats(
        rows=report.rows,
        validation_rows=validation.rows if validation else 0,
        tokens=tokens.total if tokens else None,
        billable_tokens=tokens.billable if tokens else None,
        longest_tokens=tokens.longest if tokens else None,
        validation_tokens=validation.tokens.total if validation and validation.tokens else None,
    )


def quoted(spec: TrainingSpec, backend: Backend, stats: DataStats, retry: Retry) -> Quote:
    """Ask the backend; where it does not say, the catalogue's dated prices do."""
    own = retry.read(lambda: backend.quote(spec, stats), backend=backend)
    if own != Quote() or backend.catalog is None:
        return own
    from anytune import catalog  # noqa: PLC0415 - a backend that quotes itself does without

    model = spec.model_for(spec.backend, backend.name)
    return catalog.quote(backend.catalog, model, spec.method.type, stats, epochs=spec.method.num_train_epochs) or own


def over(budget: Budget | None, quote: Quote, spent: tuple[float, float]) -> list[Finding]:
    """Hold a quote, and what earlier attempts took, against a budget.

    Args:
        budget: What the run may take over all attempts.
        quote: What this attempt is estimated at.
        spent: US dollars and minutes of earlier attempts.
    """
    if budget is None:
        return []
    hours = None if quote.minutes is None else quote.minutes / 60
    rows = (
        ("max_usd", "US dollars", budget.max_usd, quote.cost_usd, spent[0]),
        ("max_hours", "hours", budget.max_hours, hours, spent[1] / 60),
    )
    found = [
        finding(
            "over-budget",
            f"The run is estimated at {_figure(asked)} {unit}{_before(already)}, and the budget is {_figure(limit)}.",
            f"Raise `budget.{name}`, train on fewer rows or for fewer epochs.",
        )
        for name, unit, limit, asked, already in rows
        if limit is not None and asked is not None and asked + already > limit
    ]
    found += [
        finding(
            "over-budget",
            f"Earlier attempts took {_figure(already)} {unit}, and the budget is {_figure(limit)}: nothing is left of it.",
            f"Raise `budget.{name}`.",
        )
        for name, unit, limit, asked, already in rows
        if limit is not None and asked is None and already >= limit
    ]
    if budget.max_usd is not None and quote.cost_usd is None:
        found.append(
            finding(
                "no-price",
                f"The budget is {_figure(budget.max_usd)} US dollars, and no price is known for this run.",
                "Look the price up, and watch what the run costs: this budget cannot stop it beforehand.",
            )
        )
    return found


def too_many(quote: Quote, rules: Rules) -> list[Finding]:
    """Hold the tokens of all epochs against the target's limit."""
    if quote.tokens is None or rules.max_total_tokens is None or quote.tokens <= rules.max_total_tokens:
        return []
    message = f"{quote.tokens:,} tokens over all epochs, but {rules.target} takes {rules.max_total_tokens:,} at most."
    return [finding("too-many-tokens", message, "Train on fewer rows or for fewer epochs.")]


def _before(already: float) -> str:
    return f", {_figure(already)} were spent before" if already else ""


def _figure(number: float) -> str:
    """Write dollars or hours with two decimals, and small ones so that they are not nothing."""
    return f"{number:.2f}" if number >= 1 or number == 0 else f"{number:.2g}"
