"""After a lost reply: look for the remote job, adopt it, or show that there is none."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from anytune.backend import Order, RemoteFile
from anytune.errors import AnytuneError, SubmitInDoubt, Transient
from anytune.ledger import transitions
from anytune.spec import TrainingSpec
from anytune.values import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Backend, Found, RemoteJob
    from anytune.ledger.rows import JobRow
    from anytune.ledger.store import Ledger
    from anytune.retry import Retry

__all__ = ["OnInDoubt", "Reconciliation", "answer", "files_of", "order_of", "sweep"]

OnInDoubt = Literal["reconcile_then_resend", "reconcile_then_ask"]
"""What to do once it is shown that a lost create had no effect: send again, or leave that to a person."""

_EMPTY_LISTINGS = 3
"""Complete, empty listings in a row, all after the settle window, that show that nothing was created."""
_LONGEST_PAUSE_S = 10.0
_PAUSE_AFTER_A_CUT_S = 1.0
_HASH_PREFIX = 16
"""Fewest characters of a hash that a tag may be cut to."""
_LATER = (
    "Run the same script later, with the key that it was sent with: a key of another project does not see its jobs. "
    "If you see the job there yourself, say so: `anytune jobs attach BACKEND ID --name NAME`."
)

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
    """

    ledger: Ledger
    backend: Backend
    retry: Retry
    clock: Callable[[], float]
    sleep: Callable[[float], Any]
    patience_s: float = 60.0

    def run(self, row: JobRow, *, policy: OnInDoubt) -> JobRow:
        """Adopt the remote job (`submitted`), or go back to `intent` once it is shown that there is none.

        Raises:
            SubmitInDoubt: The provider cannot be asked, its listing stays incomplete, or the policy is to ask.
            BackendError: The provider refuses to be asked; the row stays in doubt.
        """
        settle_s = self.backend.capabilities.settle_s
        began = self.clock()
        sent = began
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
                if self.clock() - began > settle_s + self.patience_s:
                    raise self._in_doubt(row, "the provider's listing stayed incomplete", fix=_LATER)
                self.sleep(self._pause(settle_s, sent, found))
        if policy == "reconcile_then_ask":
            raise self._in_doubt(row, "no such job is listed", fix='Run it with on_in_doubt="reconcile_then_resend" to send it again.')
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
            raise self._in_doubt(row, "the provider's listing was incomplete", fix=_LATER)
        return self._released(row)

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
                raise self._in_doubt(row, f"the provider could not be asked ({error.message})", fix="Run the same script later.") from error
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

    def _in_doubt(self, row: JobRow, why: str, *, fix: str) -> SubmitInDoubt:
        return SubmitInDoubt(
            f"Job {row.name!r} ({row.id}) was sent to {row.backend} and its reply was lost; {why}. "
            "It was not sent again, so nothing is paid twice.",
            fix=fix,
            backend=row.backend,
            job_id=row.id,
        )


def sweep(ledger: Ledger, backend: Backend, *, retry: Retry, within_s: float = 86_400.0, only: str | None = None) -> list[str]:
    """Cancel remote jobs that a late create left beside the adopted one: a listing may lag by more than it promised.

    Args:
        ledger: The ledger.
        backend: Whose jobs are looked at; only those that carry the tag of a row are ever touched.
        retry: The retry layer.
        within_s: How far back to look, in seconds since a row was sent.
        only: Look at the job of this id alone.

    Returns:
        The remote ids that were cancelled.
    """
    oldest = ledger.clock() - timedelta(seconds=within_s)
    cancelled: list[str] = []
    for row in ledger.jobs(backend=backend.name) if only is None else [ledger.job(only)]:
        if row.account != backend.account or row.remote_id is None or row.sent_at is None or row.sent_at < oldest:
            continue
        order = order_of(row, files_of(ledger, row))
        found = retry.read(lambda order=order: backend.find(order), backend=backend)  # type: ignore[misc]
        extras = [job.id for job in _matches(found, row) if job.id != row.remote_id and not job.status.terminal]
        cancelled.extend(extra for extra in extras if cancel_extra(backend, retry, row, extra))
    return cancelled


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
        ours = [job for job in found.jobs if job.id == remote_id and (job.ref or job.id) == row.id]
        if ours and _same_hash(ours[0].spec_hash, row.spec_hash):
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
    _log.warning("Job %s existed twice at %s; %s was cancelled, %s goes on.", row.id, row.backend, remote_id, row.remote_id)
    return True


def _matches(found: Found, row: JobRow) -> list[RemoteJob]:
    """Match here, by tag and hash: a server that ignores the filter gives strangers' jobs, and those are never ours.

    Raises:
        SubmitInDoubt: A job carries our tag and another hash: it is neither ours nor proof that there is none.
    """
    tagged = [job for job in found.jobs if (job.ref or job.id) == row.id]
    for job in tagged:
        if not _same_hash(job.spec_hash, row.spec_hash):
            raise SubmitInDoubt(
                f"{job.id} at {row.backend} carries the tag of job {row.name!r} ({row.id}) and another spec hash.",
                fix="Somebody changed its metadata: cancel it there, or attach it by its id.",
                backend=row.backend,
                job_id=row.id,
            )
    return tagged


def _same_hash(theirs: str | None, ours: str) -> bool:
    return theirs is None or theirs == ours or (len(theirs) >= _HASH_PREFIX and ours.startswith(theirs))


def _preference(job: RemoteJob) -> tuple[int, datetime, str]:
    rank = 0 if not job.status.terminal else 1 if job.status is Status.SUCCEEDED else 2
    created = job.created_at or datetime.max.replace(tzinfo=UTC)
    return rank, created if created.tzinfo else created.replace(tzinfo=UTC), job.id
