"""The files of the memory backend: known by their content, ready once they have been looked at, and given back with what they made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anytune.backend import Backend, LocalFile, RemoteFile
from anytune.data.files import describe
from anytune.errors import DataError, NotFound, Rejected
from anytune.testing.course import model_of, word_of
from anytune.testing.life import status_of
from anytune.testing.store import FileRecord
from anytune.values import Recipe, Status

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from anytune.backend import Ability, Order
    from anytune.testing.faults import Fault, Faults
    from anytune.testing.store import JobRecord, State

__all__ = ["Filing"]


class Filing(Backend):
    """The file-keeping half of `MemoryBackend`."""

    faults: Faults

    if TYPE_CHECKING:

        def _ability(self, ability: Ability, verb: str) -> AbstractContextManager[tuple[State, Fault | None]]: ...
        def _call(self, verb: str) -> AbstractContextManager[tuple[State, Fault | None]]: ...
        def _job(self, state: State, job_id: str) -> JobRecord: ...

    def upload(self, file: LocalFile) -> RemoteFile:
        """Remember a file by its content; the same bytes give the same file, unless it was refused."""
        with self._ability("upload", "upload") as (state, _):
            if not file.path.exists():
                raise Rejected(f"{file.path} does not exist.", fix="Check the path.", backend=self.name)
            held = state.files.get(file.sha256)
            if held is None or held.refused:
                held = state.files[file.sha256] = FileRecord(
                    id=f"file-{file.sha256[:24]}",
                    sha256=file.sha256,
                    size_bytes=file.size_bytes,
                    polls_left=self.faults.file_polls,
                    refused=self.faults.file_refused,
                )
            held.path = str(file.path.absolute())
            return _remote(held)

    def find_file(self, sha256: str) -> RemoteFile | None:
        """Look for a file by its hash; one that was refused is of no use."""
        with self._call("find_file") as (state, _):
            held = state.files.get(sha256)
            return _remote(held) if held and not held.refused else None

    def file_ready(self, file: RemoteFile) -> bool:
        """Look at a file once more; it is ready, or refused, after as many looks as the script says."""
        with self._call("file_ready") as (state, _):
            held = next((record for record in state.files.values() if record.id == file.id), None)
            if held is None:
                raise NotFound(f"No file {file.id!r}.", fix="Upload it again.", backend=self.name)
            if held.polls_left > 0:
                held.polls_left -= 1
                return False
            if held.refused:
                raise Rejected(f"The file {file.id} was refused: {held.refused}", fix="Correct the file.", backend=self.name)
            return True

    def recipe(self, job_id: str) -> Recipe:
        """Say what a job was made of."""
        with self._ability("recipe", "recipe") as (state, _):
            job = self._job(state, job_id)
            status = status_of(word_of(job)) if job.seen else Status.QUEUED
            tuned = model_of(job).id if status is Status.SUCCEEDED else None
            return Recipe(id=job.id, status=status, model=job.model, method=job.method, files=job.files, name=job.name, tuned=tuned)

    def download(self, file_id: str, path: Path) -> RemoteFile:
        """Copy a file from where it lay when it was sent; one that changed or went since was deleted, as far as this provider goes."""
        with self._ability("recipe", "download") as (state, _):
            held = next((record for record in state.files.values() if record.id == file_id), None)
            if held is None or not _unchanged(held):
                raise NotFound(f"No file {file_id!r}.", fix="Take the rows from where they came from.", backend=self.name)
            path.write_bytes(Path(held.path).read_bytes())
            return _remote(held)

    def _refuse_files(self, state: State, order: Order) -> None:
        """Refuse an order whose files are missing, refused or not looked at yet."""
        ready = {record.id for record in state.files.values() if not record.polls_left and not record.refused}
        missing = [file.id for file in order.files.values() if file.id not in ready]
        if missing or "train" not in order.files:
            raise Rejected(f"No such file: {', '.join(missing) or 'train'}.", fix="Upload it first, and wait for it.", backend=self.name)


def _unchanged(record: FileRecord) -> bool:
    try:
        return describe(Path(record.path), "train").sha256 == record.sha256
    except DataError:
        return False


def _remote(record: FileRecord) -> RemoteFile:
    return RemoteFile(id=record.id, sha256=record.sha256, size_bytes=record.size_bytes)
