"""`anytune costs`: what jobs and hosts cost, added up from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from anytune.cli import show
from anytune.cli.quotes import dollars
from anytune.cli.show import Json
from anytune.cli.words import known

if TYPE_CHECKING:
    from anytune.upkeep.bills import Sum

__all__ = ["costs"]

_BY = ("backend", "name", "month")


def costs(
    by: Annotated[str, typer.Option("--by", help="Add up by backend, name or month.")] = "backend",
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Only this backend or profile.")] = None,
    as_json: Json = False,
) -> None:
    """Add up what jobs and hosts of this ledger cost so far, as last seen; nothing is asked of any provider."""
    from anytune.upkeep.bills import bills, sums  # noqa: PLC0415 - keeps `--help` light

    if by not in _BY:
        raise typer.BadParameter(f"{by!r} is none of: {', '.join(_BY)}.")
    known(backend)
    found = [bill for bill in bills() if backend in {None, bill.backend}]
    groups = sums(found, cast("Literal['backend', 'name', 'month']", by))
    whole = sums(found)[0]
    if as_json:
        show.document({"by": by, "groups": groups, "total": whole, "bills": found})
        return
    rows = [*groups, whole.model_copy(update={"word": "together"})] if len(groups) > 1 else groups
    show.table(
        (by, "training", "hosting so far", "bills a day", "of it estimated", "without a figure"),
        [_line(one) for one in rows],
        empty="Nothing yet.",
    )
    if whole.unknown:
        show.note(f"{whole.unknown} of {len(found)} have no figure: the sums are too low by them. --json says which.", "yellow")
    for basis in dict.fromkeys(bill.basis for bill in found if bill.estimated and bill.kind == "job" and " at $" in bill.basis):
        show.note(basis.partition(" at ")[2])


def _line(one: Sum) -> tuple[str, ...]:
    sums = (one.training_usd, one.hosting_usd, one.usd_per_day, one.estimated_usd)
    return (one.word, *map(dollars, sums), str(one.unknown or ""))
