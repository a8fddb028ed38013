"""The submit protocol: a remote job is created effectively once, whatever dies when.

```text
intent ──uploads, CAS──▶ sending ──one create──▶ submitted
   ▲                        │  ├── definite refusal ──▶ rejected
   │                        ▼  ▼
   └─ shown to be absent ─ in_doubt ── found ──▶ submitted
```

Every arrow is a durable write, made before the network call that it announces. A reply that was lost is never answered by a second
create, only by looking (`reconcile`). "Effectively": the settle window that a backend declares is the whole safety argument. Where a
listing lags by more, `sweep` finds the second job and cancels it; every look at a job that was sent more than once does it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anytune.errors import (
    AnytuneError,
    AuthError,
    ConfigError,
    DataError,
    FineTuningUnavailable,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    SubmitInDoubt,
    Unsupported,
)
from anytune.ledger import queue, transitions
from anytune.ledger.allowance import within
from anytune.ledger.policy import policy_for
from anytune.ledger.reconcile import OnInDoubt, Reconciliation, abandoned, cancel_extra, order_of
from anytune.ledger.sender import Sender, sending
from anytune.ledger.uploads import Uploads
from anytune.paths import host
from anytune.retry import unsent

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from anytune.backend import Backend, Order, RemoteFile, RemoteJob
    from anytune.ledger.rows import JobRow
    from anytune.ledger.store import Ledger
    from anytune.retry import Retry

__all__ = ["DEFINITE", "submit"]

DEFINITE = (Rejected, AuthError, FineTuningUnavailable, QuotaExceeded, Unsupported, NotFound, ConfigError, DataError)
"""Errors of a create that say for certain that nothing was created."""

_SENDS = 3
"""Creates in one call, each after it was shown that the one before had no effect."""
_POLL_S = 0.2


def submit(
    ledger: Ledger,
    backend: Backend,
    row: JobRow,
    *,
    retry: Retry,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Any] = time.sleep,
    on_in_doubt: OnInDoubt | None = None,
    wait_s: float = 120.0,
) -> JobRow:
    """Bring a row to `submitted`, from wherever this or another process left it. Calling it again is safe at any time.

    Args:
        ledger: The ledger that holds the row.
        backend: Who trains.
        row: The row; it is read anew.
        retry: The retry layer.
        clock: Gives monotonic seconds.
        sleep: Waits for seconds.
        on_in_doubt: Whether to send again once it is shown that a lost create had no effect; None decides by what the job costs.
        wait_s: Seconds to wait for another process that is sending the same job, or a file of it.

    Returns:
        The row: submitted; or ended where somebody cancelled it before it was sent; or an intent that is `waiting` for its turn.

    Raises:
        BackendError: The backend refused; nothing was created, and the same script may run again after the fix.
        SubmitInDoubt: A create was sent and what became of it cannot be known yet.
    """
    return _Submission(ledger, backend, retry, clock, sleep, on_in_doubt, wait_s).run(row.id)


@dataclass
class _Submission:
    ledger: Ledger
    backend: Backend
    retry: Retry
    clock: Callable[[], float]
    sleep: Callable[[float], Any]
    on_in_doubt: OnInDoubt | None
    wait_s: float
    extra: RemoteJob | None = field(default=None, init=False)
    """A job that this process created and that lost its row to another one."""
    sends: int = field(default=0, init=False)
    """Creates that were made in this call."""

    def run(self, job_id: str) -> JobRow:
        lost: Exception | None = None
        while True:
            row = self._after_others(job_id)
            if row.submit_state in {"submitted", "rejected"} or row.status.terminal:
                return self._finished(row)
            if row.submit_state == "in_doubt":
                row = self._reconciliation.run(row, policy=self.on_in_doubt or policy_for(row, self.backend))
            elif (row := self._queued(row)).waiting:
                return row
            elif self.sends == _SENDS:
                raise self._unsent(row) from lost
            else:
                lost = self._send(row) or lost

    @property
    def _reconciliation(self) -> Reconciliation:
        return Reconciliation(self.ledger, self.backend, self.retry, self.clock, self.sleep)

    def _after_others(self, job_id: str) -> JobRow:
        """Wait while a live process sends; what a dead one left is in doubt."""
        deadline = self.clock() + self.wait_s
        while True:
            row = self.ledger.job(job_id)
            self._refuse_elsewhere(row)
            if row.submit_state != "sending":
                return row
            if abandoned(row, self.ledger.clock()):
                self._doubt(row, "The process that sent it died before the reply.")
            elif self.clock() >= deadline:
                raise SubmitInDoubt(
                    f"Job {row.name!r} ({row.id}) is being sent by {_who(row.sender)} for more than {self.wait_s:g} s.",
                    fix="Wait for that process, or end it and run the same script again.",
                    backend=row.backend,
                    job_id=row.id,
                )
            else:
                self.sleep(_POLL_S)

    def _queued(self, row: JobRow) -> JobRow:
        if self.backend.max_concurrent is None and not row.waiting:
            return row
        with self.ledger.database.write() as connection:
            return self._entered(connection, row)

    def _entered(self, connection: Connection, row: JobRow) -> JobRow:
        local = self.backend.capabilities.local
        return queue.enter(connection, row, self.backend.max_concurrent, now=self.ledger.clock(), local=local)

    def _send(self, row: JobRow) -> Exception | None:
        """Upload, wait until the files are ready, then make one create. Gives the error of a reply that was lost."""
        uploads = Uploads(self.ledger, self.backend, self.retry, self.clock, self.sleep, self.wait_s)
        try:
            files = uploads.run(row)
            order = within(order_of(row, files), row, self.ledger)
        except DEFINITE as error:
            self._reject(row, error)
            raise error.at(job_id=row.id) from None
        with sending(self.clock) as act:
            sender = act.model_copy(update={"files": {role: file.id for role, file in files.items()}})
            with self.ledger.database.write() as connection:
                row = self._entered(connection, row)  # again: others counted too while the files were sent
                sent = None if row.waiting else transitions.start(connection, row, sender, now=self.ledger.clock())
            return None if sent is None else self._create(sent, order, uploads.reused)

    def _create(self, row: JobRow, order: Order, reused: dict[str, RemoteFile]) -> Exception | None:
        with self.ledger.database.read() as connection:
            if not transitions.still_mine(connection, row):  # it was stopped since, and another one took over
                return None
        self.sends += 1
        try:
            remote = self.retry.create(lambda: self.backend.submit(order), backend=self.backend)
        except DEFINITE as error:
            self._reject(row, error)
            for file in reused.values():  # the refusal may mean that a file kept from an earlier job is gone
                self.ledger.forget_remote_file(row.backend, row.account, file.sha256, remote_id=file.id)
            raise error.at(job_id=row.id) from None
        except RateLimited as error:
            row = self._doubt(row, str(error))
            row = self._reconciliation.once(row)
            if row.submit_state == "intent" and not row.status.terminal:
                with self.ledger.database.write() as connection:
                    queue.put_off(connection, row, error, now=self.ledger.clock())
            return error
        except Exception as error:  # whatever else it is, a job may exist now: the row says so, and the caller looks for it
            if unsent(error) and not self.backend.capabilities.local:
                if self._released(row):
                    return None
                raise
            self._doubt(row, f"{type(error).__name__}: {error}")
            return error
        except BaseException as error:
            self._doubt(row, f"{type(error).__name__} while it was sent.")
            raise
        self._take(row, remote)
        return None

    def _take(self, row: JobRow, remote: RemoteJob) -> None:
        def write() -> JobRow | None:
            with self.ledger.database.write() as connection:
                return transitions.take(connection, row, remote, now=self.ledger.clock())

        if self.retry.write(write) is None:  # nobody else knows what was made: a ledger that is away gets several chances to hear it
            self.extra = remote

    def _finished(self, row: JobRow) -> JobRow:
        """End what must not go on: our own job where another took the row, and a job whose end was asked for meanwhile."""
        if self.extra is not None and row.remote_id != self.extra.id:
            cancel_extra(self.backend, self.retry, row, self.extra.id)
        if row.submit_state == "rejected":
            raise Rejected(
                f"Job {row.name!r} ({row.id}) was rejected by {row.backend}: {row.error}",
                fix="Correct the reason and run the same script again.",
                backend=row.backend,
                job_id=row.id,
            )
        remote_id = row.remote_id
        if row.cancel_requested and remote_id is not None and not row.status.terminal:
            self.retry.write(lambda: self.backend.cancel(remote_id), backend=self.backend)
        return row

    def _reject(self, row: JobRow, error: AnytuneError) -> None:
        with self.ledger.database.write() as connection:
            transitions.reject(connection, row, str(error), now=self.ledger.clock())

    def _released(self, row: JobRow) -> bool:
        """Go back to `intent` after a create that nobody took the connection for; tells whether the job has ended or moved on by that."""
        with self.ledger.database.write() as connection:
            released = transitions.release(connection, row, now=self.ledger.clock())
        return released is None or released.status.terminal

    def _doubt(self, row: JobRow, why: str) -> JobRow:
        with self.ledger.database.write() as connection:
            return transitions.doubt(connection, row, why, now=self.ledger.clock()) or row

    def _refuse_elsewhere(self, row: JobRow) -> None:
        """Refuse to look where the job cannot be: another machine or account has no such job, and that would be taken for its absence."""
        local = self.backend.capabilities.local
        if row.submit_state == "submitted" or row.status.terminal:
            return
        if local and row.host not in {None, host()}:
            raise SubmitInDoubt(
                f"Job {row.name!r} ({row.id}) belongs to {row.host}, and only that machine can see whether it runs there.",
                fix=f"Run the script on {row.host}.",
                backend=row.backend,
                job_id=row.id,
            )
        if not local and row.account != self.backend.account:
            raise ConfigError(
                f"Job {row.name!r} ({row.id}) belongs to account {row.account}, and {row.profile or row.backend} is set up for "
                f"{self.backend.account} here.",
                fix="Give the key, endpoint or profile of that account.",
                backend=row.backend,
                job_id=row.id,
            )

    def _unsent(self, row: JobRow) -> SubmitInDoubt:
        return SubmitInDoubt(
            f"Job {row.name!r} ({row.id}) was sent to {row.backend} {_SENDS} times; each reply was lost, and no job came of it.",
            fix="Check the provider's status page, then run the same script again.",
            backend=row.backend,
            job_id=row.id,
        )


def _who(sender: Sender | None) -> str:
    return "another process" if sender is None else f"process {sender.pid} on {sender.host}"
