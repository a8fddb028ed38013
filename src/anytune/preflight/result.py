"""What preflight found, and whether that stops the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from anytune.codes import CODES, finding
from anytune.data.report import Report
from anytune.errors import BudgetExceeded, ConfigError, DataError
from anytune.values import DataStats, Finding, LocalFile, Quote, Value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

__all__ = ["Preflight"]

_DATA_ROOMS = frozenset({"file", "row", "tools", "images", "content", "rows", "size"})


class Preflight(Value):
    """What preflight found.

    Attributes:
        findings: About rows, settings, the model, the host and the machine.
        losses: Settings that the target has no word for; errors where the spec is strict or they change what is learned.
        quote: What the run will take.
        stats: What is known of the data.
        data: The files by role, as they were given.
        uploads: The files by role, as the backend will get them: the same, or converted into what it reads.
        report: What the files hold, with rows and tokens.
    """

    findings: tuple[Finding, ...]
    losses: tuple[Finding, ...]
    quote: Quote
    stats: DataStats
    data: dict[str, LocalFile]
    uploads: dict[str, LocalFile] = Field(default_factory=dict)
    report: Report

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What stops the job."""
        return tuple(found for found in (*self.findings, *self.losses) if found.severity == "error")

    @property
    def ok(self) -> bool:
        """Tell whether the job may start."""
        return not self.errors

    def allowing(self, codes: Iterable[str]) -> Self:
        """Give the same with the errors of these codes turned into warnings, and say that they were allowed."""
        named = frozenset(codes)
        used = sorted({found.code for found in self.errors if found.code in named})
        if not used:
            return self
        said = finding("allowed", f"Allowed by name: {', '.join(used)}.", "What they warn of will be so.")
        return self.model_copy(
            update={
                "findings": (*(_lowered(found, named) for found in self.findings), said),
                "losses": tuple(_lowered(found, named) for found in self.losses),
            }
        )

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
        if first.row is not None or first.rows or (first.code in CODES and CODES[first.code].room in _DATA_ROOMS):
            raise DataError(text, findings=errors, fix=first.fix)
        raise ConfigError(text, fix=first.fix)


def _lowered(found: Finding, codes: frozenset[str]) -> Finding:
    if found.severity != "error" or found.code not in codes:
        return found
    return found.model_copy(update={"severity": "warning"})
