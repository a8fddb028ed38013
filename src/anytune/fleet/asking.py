"""What is asked of a backend, in a thread of its own: nothing is decided here. The one retry layer stands around each call."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from anytune.errors import AnytuneError, NotFound, Transient
from anytune.looking import held, not_found
from anytune.observe import end_extras, pull_events, pull_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.backend import Backend
    from anytune.ledger import JobRow
    from anytune.runtime import Runtime
    from anytune.values import Snapshot

__all__ = ["Seen", "Tended", "seen_alone", "seen_together", "tended"]

_ALONE = 20
"""Jobs that one listing did not show and that are asked for singly after it; the others' turn comes after the next one."""


class Seen(NamedTuple):
    """What one look at an account gave, by ids of the ledger; `alone` are those that were asked for singly."""

    snapshots: dict[str, Snapshot]
    errors: dict[str, AnytuneError]
    alone: frozenset[str] = frozenset()


class Tended(NamedTuple):
    """What was done for a job beside looking at it.

    Attributes:
        row: As it is now.
        swept: When second remote jobs of it were looked for last.
        error: What kept something from being done; it is done at the next occasion.
    """

    row: JobRow
    swept: float | None
    error: AnytuneError | None


def seen_together(rows: Sequence[JobRow], backend: Backend, context: Runtime) -> Seen:
    """Look at many jobs at once, and singly at some that this did not show: absence from a listing says nothing.

    Args:
        rows: Jobs that were submitted, those first that were asked for singly longest ago.
        backend: Who trains them.
        context: Retries.

    Raises:
        BackendError: The backend could not be asked for many.
    """
    wanted = {str(row.remote_id): row for row in rows}
    found = context.retry.read(lambda: backend.poll_many(list(wanted)), backend=backend)
    unseen = [row for remote_id, row in wanted.items() if remote_id not in found]
    alone = seen_alone(unseen[:_ALONE], backend, context)
    return alone._replace(snapshots=alone.snapshots | {wanted[each].id: seen for each, seen in found.items() if each in wanted})


def seen_alone(rows: Sequence[JobRow], backend: Backend, context: Runtime) -> Seen:
    """Look at jobs one by one; a backend that cannot be asked for one is not asked for the rest."""
    seen = Seen({}, {}, frozenset(row.id for row in rows))
    for row in rows:
        try:
            seen.snapshots[row.id] = context.retry.read(lambda row=row: backend.poll(str(row.remote_id)), backend=backend)  # type: ignore[misc]
        except AnytuneError as error:
            seen.errors[row.id] = error.at(job_id=row.id)
            if isinstance(error, NotFound):
                with suppress(AnytuneError):  # it is told in any case
                    not_found(row, error, context)
            if isinstance(error, Transient):
                break
    return seen


def tended(row: JobRow, backend: Backend, context: Runtime, swept: float | None) -> Tended:
    """Repeat a wish, hold the budget, end second remote jobs, and take the events and metrics of a job that has ended."""
    try:
        if row.cancel_requested and not row.status.terminal:
            context.retry.write(lambda: backend.cancel(str(row.remote_id)), backend=backend)
        row = held(row, backend, context)
        swept = end_extras(row, backend, context, swept)
        if row.status.terminal:
            pull_events(row, backend, context)
            pull_metrics(row, backend, context)
    except AnytuneError as error:
        return Tended(row, swept, error.at(job_id=row.id))
    return Tended(row, swept, None)
