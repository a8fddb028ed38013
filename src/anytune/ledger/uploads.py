"""Files go up once for the same bytes and account, also when several jobs need them at the same time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from anytune.backend import RemoteFile
from anytune.errors import DataError, WaitTimeout
from anytune.ledger import files
from anytune.ledger.sender import Sender, liveness, sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Backend, LocalFile
    from anytune.ledger.rows import JobRow
    from anytune.ledger.store import Ledger
    from anytune.retry import Retry

__all__ = ["Uploads"]

_POLL_S = 0.2


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

    def run(self, row: JobRow) -> dict[str, RemoteFile]:
        """Give the remote files by role; empty where the backend has no `upload`.

        Raises:
            DataError: A file is gone, or its bytes changed since it was checked.
            WaitTimeout: Another process has been sending the same file for too long.
        """
        if "upload" not in self.backend.capabilities.abilities:
            return {}
        return {role: self._one(row, role, file) for role, file in row.data.items()}

    def _one(self, row: JobRow, role: str, file: LocalFile) -> RemoteFile:
        key = (row.backend, row.account, file.sha256)
        deadline = self.clock() + self.wait_s
        over: Sender | None = None
        while True:
            known = self.ledger.remote_file(*key)
            if known is not None:
                self.reused[role] = known
                return known
            with sending(self.clock) as sender:
                holder = self._start(key, file, sender, over)
                if holder is None:
                    return self._send(key, file)
            if isinstance(holder, RemoteFile):
                continue
            if holder != sender and liveness(holder) == "dead":
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
