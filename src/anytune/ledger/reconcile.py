"""After a lost reply: look for the remote job, adopt it, or show that there is none."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from anytune.backend import Order, RemoteFile
from anytune.errors import AnytuneError, SubmitInDoubt, Transient
from anytune.ledger import transitions
from anytune.ledger.sender import liveness
from anytune.spec import TrainingSpec
from anytune.values import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Backend, Found, RemoteJob
    from anytune.ledger.rows import JobRow
    from anytune.ledger.store import Ledger
    from anytune.retry import Retry

__all__ = ["OnInDoubt", "Reconciliation", "abandoned", "answer", "cancel_extra", "files_of", "order_of", "sweep", "sweepable"]

OnInDoubt = Literal["reconcile_then_resend", "reconcile_then_ask"]
"""What to do once it is shown that a lost create had no effect: send again, or leave that to a person."""

_EMPTY_LISTINGS = 3
"""Complete, empty listings in a row, all after the settle window, that show that nothing was created."""
_LONGEST_PAUSE_S = 10.0
_PAUSE_AFTER_A_CUT_S = 1.0
_HASH_PREFIX = 16
"""Fewest characters of a hash that a tag may be cut to."""
_SKEW_S = 600.0
"""How far the clocks of two machines may differ."""
_ELSEWHERE_S = 900.0
"""A sender on another machine is taken for dead after 15 minutes: far beyond any request, and beyond clocks that differ. So is one whose
send lies as far in the future, since a clock was set: nobody should wait until then. Where that is wrong, the settle window and the
fence hold."""
_SEVERAL = 2
"""Sends of one row that can have left two jobs."""

_log = logging.getLogger(__name__)


def order_of(row: JobRow, files: dict[str, RemoteFile] | None = None) -> Order:
    """Make the order of a row."""
    return Order(
        ref=row.id,
        ledger=row.ledger,
        sequence=row.sequence,
        attempt=row.attempt,
        name=row.name,
        spec=TrainingSpec(**row.spec),
        spec_hash=row.spec_hash,
        model=row.model,
        files=files or {},
        data=row.data,
    )


def files_of(ledger: Ledger, row: JobRow) -> dict[str, RemoteFile]:
    """Give the files of a row, by role: `find` may tell a job by what it was trained on.

    Those that the row was sent with, where that is written down: the same bytes may have been sent anew since, with a key of another
    project, and that this key sees the new file says nothing of the project that the job is in.
    """
    known = row.sender.files if row.sender is not None else {}
    sent = {
        role: RemoteFile(id=known[role], sha256=file.sha256, size_bytes=file.size_bytes) for role, file in row.data.items() if role in known
    }
    held = {role: ledger.remote_file(row.backend, row.account, file.sha256) for role, file in row.data.items() if role not in sent}
    return sent | {role: file for role, file in held.items() if file is not None}


@dataclass
class Reconciliation:
    """One search for the remote job of a row that is in doubt.

    Attributes:
        clock: Gives monotonic seconds: a changed wall clock never shortens the wait.
        patience_s: Seconds beyond the settle window after which listings that stay incomplete are given up.
        waits: Wait until the settle window is over; False looks once before it is, and leaves the rest to a later call.
    """

    ledger: Ledger
    backend: Backend
    retry: Retry
    clock: Callable[[], float]
    sleep: Callable[[float], Any]
    patience_s: float = 60.0
    waits: bool = True

    def run(self, row: JobRow, *, policy: OnInDoubt) -> JobRow:
        """Adopt the remote job (`submitted`), or go back to `intent` once it is shown that there is none.

        Raises:
            SubmitInDoubt: The provider cannot be asked, its listing stays incomplete, or the policy is to ask.
            BackendError: The provider refuses to be asked; the row stays in doubt.
        """
        settle_s = self.backend.capabilities.settle_s
        began = self.clock()
        sent = began if self.waits else began - self._age_s(row)
        if row.sender is not None and row.sender.same_boot():
            sent = min(row.sender.monotonic_s, began)
        empty = 0
        while empty < _EMPTY_LISTINGS:
            settled = self.clock() - sent >= settle_s  # before the listing: one that began too early proves nothing
            found = self._listing(row)
            ours = _matches(found, row)
            if ours:
                return self.adopt(row, ours)
            empty = empty + 1 if settled and found.complete else 0
            if empty < _EMPTY_LISTINGS:
                if not self.waits and not settled:
                    raise self._unsettled(row)
                if self.clock() - began > settle_s + self.patience_s or not (self.waits or found.complete):
                    raise self._in_doubt(row, "the provider's listing stayed incomplete", fix=_later(row))
                self.sleep(self._pause(settle_s, sent, found))
        if policy == "reconcile_then_ask" and not self.ledger.job(row.id).cancel_requested:  # what shall end is not sent again
            raise _asking(self._in_doubt(row, "no such job is listed, though it would be by now", fix=_asked(row)))
        return self._released(row)

    def once(self, row: JobRow) -> JobRow:
        """Look once, for a refusal (429) that all but says that nothing was created.

        Raises:
            SubmitInDoubt: The listing was incomplete.
        """
        found = self._listing(row)
        ours = _matches(found, row)
        if ours:
            return self.adopt(row, ours)
        if not found.complete:
            raise self._in_doubt(row, "the provider's listing was incomplete", fix=_later(row))
        return self._released(row)

    def word(self, row: JobRow, *, sure: bool = False) -> JobRow:
        """Take a person's word that there is no such job: back to `intent`. A listing that shows it knows better, and it is adopted.

        Args:
            row: A job in doubt.
            sure: Take the word also where the listing is cut short, lags, or cannot be had.

        Raises:
            SubmitInDoubt: The listing proves nothing yet, and the person is not sure.
        """
        left_s = self.unsettled_s(row)
        try:
            found = self._listing(row)
        except AnytuneError:
            if not sure:
                raise
            return self._released(row)
        ours = _matches(found, row)
        if ours:
            return self.adopt(row, ours)
        if not sure and (left_s > 0 or not found.complete):
            why = "the provider's listing was incomplete" if left_s <= 0 else f"a listing may lag by {left_s:.0f} s more"
            fix = (
                f"Look there yourself. If you are sure that it is not there: `anytune reconcile {row.id} --resend --sure`; "
                "a job that appears after all is cancelled then, and what it cost until then is paid."
            )
            raise self._in_doubt(row, why, fix=fix)
        return self._released(row)

    def unsettled_s(self, row: JobRow) -> float:
        """Give the seconds until a listing that does not show the job proves that there is none; 0 from then on."""
        return max(0.0, self.backend.capabilities.settle_s - self._age_s(row))

    def _age_s(self, row: JobRow) -> float:
        """Give the seconds since a row was sent, at least.

        Where the sender's clock cannot be read (another machine, or a restart of this one), wall clocks tell, less what they may differ;
        and this machine has been up for so long, which no clock that was set can pretend.
        """
        if row.sender is None or row.sent_at is None:
            return 0.0
        if row.sender.same_boot():
            return max(0.0, self.clock() - row.sender.monotonic_s)
        wall_s = (self.ledger.clock() - row.sent_at).total_seconds() - _SKEW_S
        return max(0.0, min(wall_s, self.clock()))

    def adopt(self, row: JobRow, found: list[RemoteJob]) -> JobRow:
        """Take the earliest job that has not ended (or the earliest success, or the earliest), and cancel the others."""
        first = min(found, key=_preference)
        with self.ledger.database.write() as connection:
            taken = transitions.take(connection, row, first, now=self.ledger.clock())
        row = taken or self.ledger.job(row.id)
        if row.remote_id is not None:
            for other in found:
                if other.id != row.remote_id and not other.status.terminal:
                    cancel_extra(self.backend, self.retry, row, other.id)
        return row

    def _listing(self, row: JobRow) -> Found:
        try:
            order = order_of(row, files_of(self.ledger, row))
            return self.retry.read(lambda: self.backend.find(order), backend=self.backend)
        except AnytuneError as error:
            if isinstance(error, Transient):
                fix = f"When it answers again: `anytune reconcile {row.id}`, or run the same script."
                raise self._in_doubt(row, f"the provider could not be asked ({error.message})", fix=fix) from error
            raise error.at(job_id=row.id) from None

    def _released(self, row: JobRow) -> JobRow:
        with self.ledger.database.write() as connection:
            released = transitions.release(connection, row, now=self.ledger.clock())
        return released or self.ledger.job(row.id)

    def _pause(self, settle_s: float, sent: float, found: Found) -> float:
        left = settle_s - (self.clock() - sent)
        pause = min(settle_s / _EMPTY_LISTINGS, _LONGEST_PAUSE_S)
        if left > 0:
            pause = min(pause, left)
        return pause if found.complete else max(pause, _PAUSE_AFTER_A_CUT_S)

    def _unsettled(self, row: JobRow) -> SubmitInDoubt:
        left_s = self.unsettled_s(row)
        known = self.ledger.clock() + timedelta(seconds=left_s)
        why = f"no such job is listed, and until {known:%H:%M:%S} UTC a listing may lag behind"
        return self._in_doubt(row, why, fix=f"In {left_s:.0f} s: `anytune reconcile {row.id}`, or run the same script, which waits.")

    def _in_doubt(self, row: JobRow, why: str, *, fix: str) -> SubmitInDoubt:
        cost_usd = (row.estimate or {}).get("cost_usd")
        bill = f" If it runs there, it costs about {cost_usd:,.2f} US dollars." if cost_usd else ""
        return SubmitInDoubt(
            f"Job {row.name!r} ({row.id}) was sent to {row.backend} and its reply was lost; {why}. "
            f"It was not sent again, so nothing is paid twice.{bill}",
            fix=fix,
            backend=row.backend,
            job_id=row.id,
        )


def sweep(
    ledger: Ledger, backend: Backend, *, retry: Retry, within_s: float = 86_400.0, only: str | None = None, left: list[str] | None = None
) -> list[str]:
    """Cancel remote jobs that a late create left beside the adopted one: a listing may lag by more than it promised.

    Args:
        ledger: The ledger.
        backend: Whose jobs are looked at; only those that carry the tag of a row are ever touched.
        retry: The retry layer.
        within_s: How far back to look, in seconds since a row was sent.
        only: Look at the job of this id alone.
        left: Gets the remote ids that should end, and whose end could not be asked for.

    Returns:
        The remote ids that were cancelled.
    """
    oldest = ledger.clock() - timedelta(seconds=within_s)
    cancelled: list[str] = []
    for known in ledger.jobs(backend=backend.name) if only is None else [ledger.job(only)]:
        if known.account != backend.account or not sweepable(known, oldest):
            continue
        order = order_of(known, files_of(ledger, known))
        found = retry.read(lambda order=order: backend.find(order), backend=backend)  # type: ignore[misc]
        row = ledger.job(known.id)  # again: a rejected one that was sent anew meanwhile may be the one that was found
        if not sweepable(row, oldest):
            continue
        tagged = [job for job in found.jobs if _ours(job, row)]  # one with our tag and another hash is not touched
        extras = [job.id for job in tagged if job.id != row.remote_id and not job.status.terminal]
        for extra in extras:
            done = cancel_extra(backend, retry, row, extra)
            (cancelled if done else [] if left is None else left).append(extra)
    return cancelled


def sweepable(row: JobRow, oldest: datetime, *, twice: bool = False) -> bool:
    """Tell whether a late create of this row would be one too many: it has its job, or was cancelled before one was seen.

    Args:
        row: The job.
        oldest: Rows that were sent (or, after an absence was shown, ended) before are left alone; not one that was sent more than once and
            goes on, since a clock that was set makes all sends look old.
        twice: Leave out what was sent once and has its job: only a wire that repeats requests can have made two of it.
    """
    when = row.sent_at or row.ended_at
    several = row.fence >= _SEVERAL
    if row.fence == 0 or when is None or (when < oldest and (row.status.terminal or not several)):
        return False
    if row.remote_id is None:
        return row.status is Status.CANCELLED or (row.submit_state == "rejected" and several)
    return several or not twice


def abandoned(row: JobRow, at: datetime) -> bool:
    """Tell whether nobody sends a row any more that says that it is being sent."""
    if row.sender is None:
        return True
    state = liveness(row.sender)
    if state == "unknown":
        return row.sent_at is None or abs((at - row.sent_at).total_seconds()) > _ELSEWHERE_S
    return state == "dead"


def answer(ledger: Ledger, backend: Backend, remote_id: str, *, retry: Retry) -> JobRow | None:
    """Give a remote job to the row that sent it and never heard of it; None where no row of this ledger did.

    Raises:
        BackendError: The provider could not be asked.
    """
    for row in ledger.jobs(backend=backend.name):
        if row.account != backend.account or row.remote_id is not None or row.fence == 0 or row.status.terminal:
            continue
        order = order_of(row, files_of(ledger, row))
        found = retry.read(lambda order=order: backend.find(order), backend=backend)  # type: ignore[misc]
        ours = [job for job in found.jobs if job.id == remote_id and _ours(job, row)]
        if ours:
            with ledger.database.write() as connection:
                return transitions.take(connection, row, ours[0], now=ledger.clock()) or ledger.job(row.id)
    return None


def cancel_extra(backend: Backend, retry: Retry, row: JobRow, remote_id: str) -> bool:
    """Cancel a second remote job of one row; if that fails, a later `sweep` does it."""
    try:
        retry.write(lambda: backend.cancel(remote_id), backend=backend)
    except AnytuneError as error:
        _log.warning("Job %s exists twice at %s; %s could not be cancelled: %s", row.id, row.backend, remote_id, error)
        return False
    if row.remote_id is None:
        _log.warning(
            "Job %s was cancelled before %s showed it; %s, which appeared late, was cancelled too.", row.id, row.backend, remote_id
        )
    else:
        _log.warning("Job %s existed twice at %s; %s was cancelled, %s goes on.", row.id, row.backend, remote_id, row.remote_id)
    return True


def _later(row: JobRow) -> str:
    return (
        f"`anytune reconcile {row.id}` looks again; do it with the key that it was sent with: a key of another project does not see "
        f"its jobs. If you see the job there yourself: `anytune jobs attach {row.profile or row.backend} REMOTE_ID --name {row.name}`."
    )


def _asked(row: JobRow) -> str:
    return (
        f"If you do not see it there either: `anytune reconcile {row.id} --resend` sends it again. If you do: "
        f"`anytune jobs attach {row.profile or row.backend} REMOTE_ID --name {row.name}`."
    )


def _matches(found: Found, row: JobRow) -> list[RemoteJob]:
    """Match here, by tag and hash: a server that ignores the filter gives strangers' jobs, and those are never ours.

    Raises:
        SubmitInDoubt: A job carries our tag and another hash: it is neither ours nor proof that there is none.
    """
    tagged = [job for job in found.jobs if (job.ref or job.id) == row.id]
    for job in tagged:
        if not _same_hash(job.spec_hash, row.spec_hash):
            found_another = SubmitInDoubt(
                f"{job.id} at {row.backend} carries the tag of job {row.name!r} ({row.id}) and another spec hash.",
                fix="Somebody changed its metadata: cancel it there, or take it: "
                f"`anytune jobs attach {row.profile or row.backend} {job.id} --name {row.name}`.",
                backend=row.backend,
                job_id=row.id,
            )
            raise _asking(found_another)
    return tagged


def _asking(error: SubmitInDoubt) -> SubmitInDoubt:
    """Say of a doubt that only a person ends it."""
    error.asks = True
    return error


def _ours(job: RemoteJob, row: JobRow) -> bool:
    return (job.ref or job.id) == row.id and _same_hash(job.spec_hash, row.spec_hash)


def _same_hash(theirs: str | None, ours: str) -> bool:
    return theirs is None or theirs == ours or (len(theirs) >= _HASH_PREFIX and ours.startswith(theirs))


def _preference(job: RemoteJob) -> tuple[int, datetime, str]:
    rank = 0 if not job.status.terminal else 1 if job.status is Status.SUCCEEDED else 2
    created = job.created_at or datetime.max.replace(tzinfo=UTC)
    return rank, created if created.tzinfo else created.replace(tzinfo=UTC), job.id
