"""What jobs took so far: as their backend says it, else by the dated prices, and then it is called an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune import catalog
from anytune.values import Snapshot, Value, now

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from anytune.backend import Backend
    from anytune.ledger import JobRow
    from anytune.runtime import Runtime
    from anytune.values import Event

__all__ = ["Spent", "so_far", "total"]

_REPORTED = "as the backend reported"


class Spent(Value):
    """What was spent, as far as it is known.

    Attributes:
        usd: US dollars; None where nobody says and no price is known.
        minutes: Minutes of training, as the backend counts them, else between the look that first saw it running and now, or its end.
        estimated: The dollars were made of a price that was read some day, not of a bill.
        basis: How the dollars were found; of an estimate with the day of the price.
    """

    usd: float | None = None
    minutes: float | None = None
    estimated: bool = False
    basis: str = ""


def so_far(row: JobRow, backend: Backend, context: Runtime, *, at: datetime | None = None) -> Spent:
    """Say what one attempt took so far.

    Where the backend names no sum, the catalogue's dated price is taken times the tokens trained so far (those that the job counts, else
    the share of the steps that its events tell, of the tokens that were quoted), or times the minutes so far where a host bills those.

    Args:
        row: The attempt.
        backend: Who trains.
        context: Whose ledger holds its events.
        at: The time; now by default.
    """
    seen = Snapshot.model_validate(row.snapshot) if row.snapshot else Snapshot(id=row.id, status=row.status)
    minutes = seen.minutes if seen.minutes is not None else _minutes(row, context, at or now())
    price = _rate(row, backend)
    if row.cost_usd is not None:
        priced = price is not None and seen.trained_tokens is not None
        basis = f"{seen.trained_tokens:,} tokens as the job counted, at {price.basis}" if priced and price else _REPORTED
        return Spent(usd=row.cost_usd, minutes=minutes, estimated=priced, basis=basis)
    if price is None or row.submit_state in {"intent", "rejected"}:
        return Spent(minutes=minutes)
    if price.usd_per_hour is not None and minutes is not None:
        usd = round(minutes / 60 * price.usd_per_hour, 6)
        return Spent(usd=usd, minutes=minutes, estimated=True, basis=f"estimated: {minutes:.1f} minutes at {price.basis}")
    tokens = seen.trained_tokens if seen.trained_tokens is not None else _share(row, seen, context)
    if price.usd_per_million is None or tokens is None:
        return Spent(minutes=minutes, basis="" if price.usd_per_million is not None else price.basis)
    usd = round(tokens * price.usd_per_million / 1e6, 6)
    return Spent(usd=usd, minutes=minutes, estimated=True, basis=f"estimated: about {tokens:,} tokens at {price.basis}")


def total(parts: Iterable[Spent]) -> Spent:
    """Add attempts up. What is not known counts as nothing, which is why a sum may be too low and is never too high by that.

    Example:
        >>> total([Spent(usd=1.5, basis="b"), Spent(minutes=3.0)]).usd
        1.5
    """
    found = list(parts)
    dollars = [part.usd for part in found if part.usd is not None]
    minutes = [part.minutes for part in found if part.minutes is not None]
    bases = dict.fromkeys(part.basis for part in found if part.basis)
    return Spent(
        usd=sum(dollars) if dollars else None,
        minutes=sum(minutes) if minutes else None,
        estimated=any(part.estimated for part in found),
        basis="; ".join(bases),
    )


def _minutes(row: JobRow, context: Runtime, at: datetime) -> float | None:
    """Count the minutes since a job was first seen to run. A clock that was set forward must not use up a budget of hours."""
    if row.started_at is None:
        return None
    wall_s = max(((row.ended_at or at) - row.started_at).total_seconds(), 0.0)
    most_s = row.sender.age_s(context.clock()) if row.sender is not None else None
    return (wall_s if most_s is None else min(wall_s, most_s)) / 60


def _rate(row: JobRow, backend: Backend) -> catalog.Rate | None:
    if backend.catalog is None or backend.capabilities.local:
        return None
    method = (row.spec.get("method") or {}).get("type", "sft")
    return catalog.rate(backend.catalog, row.model, str(method))


def _share(row: JobRow, seen: Snapshot, context: Runtime) -> int | None:
    """Count the quoted tokens that lie behind, by the steps."""
    quoted = (row.estimate or {}).get("tokens")
    if not isinstance(quoted, int):
        return None
    step, steps = seen.step, seen.total_steps
    if step is None or not steps:
        step, steps = _steps(context.ledger.events(row.id))
    return None if step is None or not steps else round(quoted * min(step / steps, 1.0))


def _steps(events: Iterable[Event]) -> tuple[int | None, int | None]:
    """Give the last step that events tell of, and how many there are: hosts tell them there and not in the job."""
    step = steps = None
    for event in events:
        said, of = event.data.get("step"), event.data.get("total_steps")
        if isinstance(said, int) and isinstance(of, int):
            step, steps = said, of
    return step, steps
