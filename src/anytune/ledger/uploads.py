"""Files go up once for the same bytes and account, also when several jobs need them at the same time, and are waited for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from anytune.backend import RemoteFile
from anytune.errors import DataError, NotFound, Rejected, WaitTimeout
from anytune.ledger import files
from anytune.ledger.sender import Sender, liveness, sending
from anytune.pauses import growing

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Backend, LocalFile
    from anytune.ledger.rows import JobRow
    from anytune.ledger.store import Ledger
    from anytune.retry import Retry

__all__ = ["Uploads"]

_POLL_S = 0.2
_FIRST_S, _LONGEST_S = 1.0, 15.0
_READY_TIMEOUT_S = 1800.0
"""How long a provider may look at a file before a run gives up: what OpenAI's own client waits for one (`files.wait_for_processing`, read
2026-11-22). The file stays known, so that the next run goes on waiting."""
_ELSEWHERE = timedelta(hours=1)
"""A sender on another machine is taken for dead after an hour; where it goes on all the same, the same bytes were sent twice."""
_LAG = timedelta(seconds=60)
"""A file that was sent less than a minute ago and is not found may not be seen *yet*; an older one is gone."""


@dataclass
class Uploads:
    """The uploads of one job.

    Attributes:
        reused: What was sent for an earlier job, by role.
    """

    ledger: Ledger
    backend: Backend
    retry: Retry
    clock: Callable[[], float]
    sleep: Callable[[float], Any]
    wait_s: float
    reused: dict[str, RemoteFile] = field(default_factory=dict)
    _mine: set[str] = field(default_factory=set, init=False)
    """Ids of what was sent here."""

    def run(self, row: JobRow) -> dict[str, RemoteFile]:
        """Give the remote files by role, ready to be trained on; empty where the backend has no `upload`.

        All are sent before the first is waited for, so that the provider looks at them at the same time.

        Raises:
            DataError: A file is gone, or its bytes changed since it was checked.
            Rejected: The provider looked at a file and refused it.
            WaitTimeout: Another process has been sending the same file for too long, or the provider has been looking at one for too long.
        """
        if "upload" not in self.backend.capabilities.abilities:
            return {}
        sent = {role: self._one(row, role, file) for role, file in row.data.items()}
        return {role: self._ready(row, role, file, sent[role]) for role, file in row.data.items()}

    def _ready(self, row: JobRow, role: str, file: LocalFile, sent: RemoteFile) -> RemoteFile:
        """Wait until a file can be trained on. One that the provider lost is sent again, once; a new one may not be seen yet."""
        deadline = self.clock() + _READY_TIMEOUT_S
        pause = growing(_FIRST_S, _LONGEST_S)
        again = False
        while True:
            try:
                ready = self.retry.read(lambda sent=sent: self.backend.file_ready(sent), backend=self.backend)  # type: ignore[misc]
            except NotFound:
                ready = False
                if not again and self._lost(row, sent):
                    again = True
                    self._forget(row, role, sent)
                sent = self._one(row, role, file)  # what the ledger holds now: another process may have sent it again
            except Rejected:
                self._forget(row, role, sent)
                raise
            if ready or self.ledger.job(row.id).status.terminal:  # somebody asked for the end: nothing is left to wait for
                return sent
            if self.clock() >= deadline:
                raise WaitTimeout(
                    f"{file.path.name} was sent for job {row.name!r}, and {row.backend} has not been done with it for "
                    f"{_READY_TIMEOUT_S / 60:.0f} minutes.",
                    fix="Nothing was submitted. Run the same script again: it goes on waiting and does not send the file again.",
                    backend=row.backend,
                    job_id=row.id,
                )
            self.sleep(pause())

    def _lost(self, row: JobRow, sent: RemoteFile) -> bool:
        if sent.id in self._mine:
            return False
        since = self.ledger.remote_file_since(row.backend, row.account, sent.sha256)
        return since is not None and abs(self.ledger.clock() - since) >= _LAG  # a clock that was set back makes it no newer

    def _forget(self, row: JobRow, role: str, sent: RemoteFile) -> None:
        self.ledger.forget_remote_file(row.backend, row.account, sent.sha256, remote_id=sent.id)
        self.reused.pop(role, None)

    def _one(self, row: JobRow, role: str, file: LocalFile) -> RemoteFile:
        key = (row.backend, row.account, file.sha256)
        deadline = self.clock() + self.wait_s
        over: Sender | None = None
        while True:
            known = self.ledger.remote_file(*key)
            if known is not None:
                if known.id not in self._mine:
                    self.reused[role] = known
                return known
            with sending(self.clock) as sender:
                holder = self._start(key, file, sender, over)
                if holder is None:
                    return self._send(key, file)
            if isinstance(holder, RemoteFile):
                continue
            if holder != sender and self._gone(key, holder):
                over = holder
            elif self.clock() >= deadline:
                raise WaitTimeout(
                    f"{file.path.name} is still being sent to {row.backend} by process {holder.pid} on {holder.host}.",
                    fix="Wait for that process, or end it and run the same script again.",
                    backend=row.backend,
                    job_id=row.id,
                )
            else:
                self.sleep(_POLL_S)

    def _gone(self, key: files.FileKey, holder: Sender) -> bool:
        """Tell whether nobody sends a file any more: of another machine, by when it began."""
        state = liveness(holder)
        if state != "unknown":
            return state == "dead"
        with self.ledger.database.read() as connection:
            since = files.sent_since(connection, key)
        return since is not None and abs(self.ledger.clock() - since) > _ELSEWHERE

    def _start(self, key: files.FileKey, file: LocalFile, sender: Sender, over: Sender | None) -> RemoteFile | Sender | None:
        try:
            with self.ledger.database.write() as connection:
                return files.start(connection, key, size_bytes=file.size_bytes, sender=sender, over=over, now=self.ledger.clock())
        except IntegrityError:  # PostgreSQL: another process inserted the same key first, and the next look shows it
            return sender

    def _send(self, key: files.FileKey, file: LocalFile) -> RemoteFile:
        try:
            _check_bytes(file)
            found = self.retry.read(lambda: self.backend.find_file(file.sha256), backend=self.backend)
            sent = found or self.retry.write(lambda: self.backend.upload(file), backend=self.backend)
        except BaseException:
            self.ledger.forget_remote_file(*key)
            raise
        self.ledger.add_remote_file(key[0], key[1], sent)
        self._mine.add(sent.id)
        return sent


def _check_bytes(file: LocalFile) -> None:
    try:
        with file.path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"The {file.role} file {file.path} cannot be read: {error.strerror}.", fix="Put it back, and run the same script again."
        ) from error
    if found != file.sha256:
        raise DataError(
            f"The {file.role} file {file.path} changed after it was checked.", fix="Run the same script again, so that it is checked anew."
        )
