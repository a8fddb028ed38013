"""What the ledger's jobs and hosts cost, line by line; nothing is asked of any provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from anytune.costs import Spent, so_far
from anytune.deploy import Deployment
from anytune.errors import AnytuneError
from anytune.runtime import Runtime, runtime
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.ledger import JobRow

__all__ = ["Bill", "Sum", "bills", "sums"]

_HOURS_A_DAY = 24


class Bill(Value):
    """One job's training, or one host.

    Attributes:
        kind: Which of the two.
        backend: Who bills; with its profile's word where it has one.
        month: When it began, as `2026-11` in UTC.
        state: A job's status or a host's state, as last seen.
        usd: US dollars so far; None where nobody says and no price is known.
        estimated: They were made of a dated price, not of a bill.
        basis: How, and of which day the price is.
        usd_per_day: What a host that is not gone goes on to bill; None for jobs, and where no price is known.
        quoted_usd: What a job was quoted at before it ran.
    """

    kind: Literal["job", "deployment"]
    id: str
    name: str
    backend: str
    month: str
    state: str
    usd: float | None = None
    estimated: bool = False
    basis: str = ""
    usd_per_day: float | None = None
    quoted_usd: float | None = None


class Sum(Value):
    """Bills that were added up.

    Attributes:
        word: What they have in common.
        training_usd: Of jobs.
        hosting_usd: Of hosts, so far.
        usd_per_day: What goes on to be billed.
        estimated_usd: How much of the first two is an estimate.
        unknown: Bills without a figure: the sums are too low by them.
    """

    word: str
    training_usd: float = 0.0
    hosting_usd: float = 0.0
    usd_per_day: float = 0.0
    estimated_usd: float = 0.0
    unknown: int = 0


def bills(context: Runtime | None = None) -> list[Bill]:
    """Give what every job and host of the ledger cost so far, newest first, as last seen."""
    context = context or runtime()
    jobs = [_job(row, context) for row in context.ledger.jobs() if row.submit_state not in {"intent", "rejected"}]
    return [*jobs, *(_host(one) for one in Deployment.list(live=False, context=context))]


def sums(found: Iterable[Bill], by: Literal["backend", "name", "month"] | None = None) -> list[Sum]:
    """Add bills up, by what they have in common; None adds all.

    Example:
        >>> [one.training_usd for one in sums([Bill(kind="job", id="1", name="a", backend="b", month="2026-11", state="succeeded", usd=2)])]
        [2.0]
    """
    groups: dict[str, list[Bill]] = {} if by else {"all": []}
    for bill in found:
        groups.setdefault(getattr(bill, by) if by else "all", []).append(bill)
    return [_sum(word, groups[word]) for word in sorted(groups)]


def _sum(word: str, found: list[Bill]) -> Sum:
    return Sum(
        word=word,
        training_usd=round(sum(bill.usd or 0.0 for bill in found if bill.kind == "job"), 6),
        hosting_usd=round(sum(bill.usd or 0.0 for bill in found if bill.kind == "deployment"), 6),
        usd_per_day=round(sum(bill.usd_per_day or 0.0 for bill in found), 6),
        estimated_usd=round(sum(bill.usd or 0.0 for bill in found if bill.estimated), 6),
        unknown=sum(bill.usd is None for bill in found),
    )


def _job(row: JobRow, context: Runtime) -> Bill:
    try:
        took = so_far(row, context.backend(row.profile or row.backend), context, at=context.ledger.clock())
    except AnytuneError:  # without its key or plugin, nobody knows which host's prices hold
        took = Spent(usd=row.cost_usd, basis="as last seen")
    return Bill(
        kind="job",
        id=row.id,
        name=row.name,
        backend=row.profile or row.backend,
        month=f"{row.created_at:%Y-%m}",
        state=row.status.value,
        usd=took.usd,
        estimated=took.estimated,
        basis=took.basis,
        quoted_usd=(row.estimate or {}).get("cost_usd"),
    )


def _host(one: Deployment) -> Bill:
    live = one.state != "gone"
    hourly = one.hourly_usd
    return Bill(
        kind="deployment",
        id=one.id,
        name=one.name,
        backend=one.row.profile or one.row.backend,
        month=f"{one.row.created_at:%Y-%m}",
        state=one.state,
        usd=one.cost_usd,
        estimated=bool(hourly),
        basis="" if hourly is None else f"${hourly:.2f} an hour, as the backend named it when it was deployed, since it was asked for",
        usd_per_day=None if hourly is None or not live else hourly * _HOURS_A_DAY,
    )
