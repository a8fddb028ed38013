"""All that can be known before spending: what is wrong, what the target has no word for, and what it will take. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from anytune import data
from anytune.errors import BudgetExceeded, ConfigError, DataError
from anytune.settings import nearest
from anytune.values import DataStats, Finding, LocalFile, Quote, Value

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.retry import Retry
    from anytune.spec import Budget, TrainingSpec

__all__ = ["Preflight", "losses", "preflight"]


class Preflight(Value):
    """What preflight found.

    Attributes:
        findings: About rows, settings, the model and the machine.
        losses: Settings that the target has no word for; errors where the spec is strict or they change what is learned.
        quote: What the run will take.
        stats: What is known of the data.
        data: The files by role, with their hashes.
    """

    findings: tuple[Finding, ...]
    losses: tuple[Finding, ...]
    quote: Quote
    stats: DataStats
    data: dict[str, LocalFile]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What stops the job."""
        return tuple(f for f in (*self.findings, *self.losses) if f.severity == "error")

    @property
    def ok(self) -> bool:
        """Tell whether the job may start."""
        return not self.errors

    def raise_if_bad(self) -> None:
        """Refuse, with the first error in the text and all of them in the exception.

        Raises:
            DataError: A row or a file is wrong.
            BudgetExceeded: The quote is over the budget.
            ConfigError: Anything else.
        """
        errors = self.errors
        if not errors:
            return
        first = errors[0]
        place = f"Row {first.row}: " if first.row is not None else ""
        rest = f" ({len(errors) - 1} more.)" if len(errors) > 1 else ""
        text = f"{place}{first.message}{rest}"
        if first.code == "over-budget":
            raise BudgetExceeded(text, fix=first.fix)
        if first.row is not None or first.rows or first.code in _DATA_CODES:
            raise DataError(text, findings=errors, fix=first.fix)
        raise ConfigError(text, fix=first.fix)


_DATA_CODES = frozenset({"no-rows", "mixed-rows", "too-few-rows", "more-errors"})


def preflight(spec: TrainingSpec, backend: Backend, *, retry: Retry, spent: tuple[float, float] = (0.0, 0.0)) -> Preflight:
    """Check a spec and its data against a backend; nothing is written anywhere.

    Args:
        spec: What is wanted.
        backend: Who would train it.
        retry: The retry layer, for what the backend reads.
        spent: US dollars and minutes that earlier attempts took.

    Raises:
        DataError: A file is missing, empty or cannot be read.
    """
    files = describe(spec)
    found = [*_names(spec), *losses(spec, backend)]
    checked = {role: data.check(file.path, spec.method.type) for role, file in files.items()}
    findings = [finding for result in checked.values() for finding in result.findings]
    rows = checked["train"].rows
    least = backend.capabilities.min_rows
    if 0 < rows < least:
        findings.append(_error("too-few-rows", f"{rows} rows, but {backend.name} wants at least {least}.", "Add rows."))
    stats = DataStats(rows=rows, validation_rows=checked["validation"].rows if "validation" in checked else 0)
    quote = Quote()
    if not any(f.severity == "error" for f in (*findings, *found)):
        findings += retry.read(lambda: backend.check(spec, list(files.values())), backend=backend)
    if not any(f.severity == "error" for f in (*findings, *found)):
        quote = retry.read(lambda: backend.quote(spec, stats), backend=backend)
        stats = stats.model_copy(update={"tokens": quote.tokens})
        findings += _over(spec.budget, quote, spent)
    return Preflight(
        findings=(*findings, *(f for f in found if f.code == "alias")),
        losses=tuple(f for f in found if f.code != "alias"),
        quote=quote,
        stats=stats,
        data=files,
    )


def describe(spec: TrainingSpec) -> dict[str, LocalFile]:
    """Hash the spec's files, by role.

    Raises:
        DataError: One is missing, empty or cannot be read.
    """
    files = {"train": data.describe(spec.train.expanduser(), "train")}
    if spec.validation is not None:
        files["validation"] = data.describe(spec.validation.expanduser(), "validation")
    return files


def losses(spec: TrainingSpec, backend: Backend) -> list[Finding]:
    """List the settings that were set and that the backend has no word for."""
    able = backend.capabilities
    found = []
    if spec.method.type not in able.methods:
        offers = ", ".join(sorted(able.methods))
        found.append(_error("method", f"{backend.name} does not offer method {spec.method.type!r}.", f"It offers: {offers}."))
    if spec.adapter is not None and able.adapters and spec.adapter.type not in able.adapters:
        offers = ", ".join(sorted(able.adapters))
        found.append(_error("adapter", f"{backend.name} does not offer adapter {spec.adapter.type!r}.", f"It offers: {offers}."))
    severity: Literal["error", "warning"] = "error" if spec.strict else "warning"
    for name, value in spec.settings().items():
        if name in able.settings or (name == "adapter.type" and able.adapters):
            continue
        guess = nearest(name, sorted(able.settings))
        fix = f"Leave it out, or see whether `{guess}` says what you mean." if guess else "Leave it out, or use a backend that knows it."
        found.append(
            Finding(severity=severity, code="lost", message=f"{backend.name} has no word for `{name}` (set to {value!r}).", fix=fix)
        )
    return found


def _names(spec: TrainingSpec) -> list[Finding]:
    return [
        Finding(severity="info", code="alias", message=f"`{alias}` is taken as `{name}`.") for alias, name in spec.aliases_used().items()
    ]


def _over(budget: Budget | None, quote: Quote, spent: tuple[float, float]) -> list[Finding]:
    if budget is None:
        return []
    rows = (
        ("cost_usd", "US dollars", budget.max_cost_usd, quote.cost_usd, spent[0]),
        ("minutes", "minutes", budget.max_minutes, quote.minutes, spent[1]),
    )
    return [
        _error(
            "over-budget",
            f"The run is estimated at {asked:.2f} {unit}, {already:.2f} were spent before, and the budget is {limit:.2f}.",
            f"Raise `budget.max_{name}`, train on fewer rows or for fewer epochs.",
        )
        for name, unit, limit, asked, already in rows
        if limit is not None and asked is not None and asked + already > limit
    ]


def _error(code: str, message: str, fix: str) -> Finding:
    return Finding(severity="error", code=code, message=message, fix=fix)
