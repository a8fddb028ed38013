"""Training data on the Hub: one private dataset repository of the account, in which files are named by their content.

The same bytes are uploaded once, and what a job reads is what was checked: nobody can change a file without changing its name.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

from anytune.backend import RemoteFile
from anytune.errors import DataError, NotFound
from anytune_huggingface import checkpoints
from anytune_huggingface.hub.errors import asking

if TYPE_CHECKING:
    from pathlib import Path

    from anytune.backend import LocalFile
    from anytune_huggingface.hub.client import Hub

__all__ = ["DataRepo"]

_NAME = "anytune-data"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_AT_ONCE_BYTES = 16 << 20
"""Smaller files are read once, so that what is hashed is what is sent; larger ones always go to the Hub's large file storage, which
compares the hash itself (from 10 MB on, 2026-11-23)."""


class DataRepo:
    """The data files of an account; making the object asks nothing.

    Args:
        hub: The account.
        repo: `owner/name`; None: `anytune-data` of the account's namespace.
    """

    def __init__(self, hub: Hub, repo: str | None = None) -> None:
        """Keep the names."""
        self.hub = hub
        self._repo = repo

    @property
    def repo(self) -> str:
        """`owner/name`."""
        return self._repo or f"{self.hub.namespace}/{_NAME}"

    def find(self, sha256: str) -> RemoteFile | None:
        """Look for a file by its content.

        Raises:
            DataError: That is no sha256.
        """
        name = _name(sha256)
        try:
            with asking(f"{self.repo}/{name}"):
                found = self.hub.api.get_paths_info(self.repo, [name], repo_type="dataset")
                return self._file(sha256, int(getattr(found[0], "size", 0))) if found else None
        except NotFound:
            return None

    def upload(self, file: LocalFile) -> RemoteFile:
        """Send a file, once for its bytes.

        Raises:
            DataError: It is not there, or its bytes are not the ones that were checked.
            Rejected: The repository is public.
        """
        name = _name(file.sha256)
        if not file.path.is_file():
            raise DataError(f"The {file.role} file {file.path} does not exist.", fix="Check the path.")
        self.hub.create(self.repo, kind="dataset")

        def put(sha: str) -> list[Any] | None:
            with asking(f"{self.repo}/{name}"):
                if self.hub.api.get_paths_info(self.repo, [name], repo_type="dataset", revision=sha):
                    return None
            return [_addition(file, name)]

        self.hub.commit(self.repo, put, f"Data {file.sha256[:12]}", kind="dataset")
        return self._file(file.sha256, file.size_bytes)

    def fetch(self, sha256: str, into: Path) -> Path:
        """Give a local copy of a file; one that is there and right is not fetched again.

        Args:
            sha256: Of its content.
            into: The folder for `<sha256>.jsonl`.

        Raises:
            DataError: What was fetched is not what was asked for.
            NotFound: The account has no such file.
        """
        name = _name(sha256)
        target = into / name
        if target.is_file() and checkpoints.sha256(target) == sha256:
            return target
        api = self.hub.api
        scratch = into / f".{sha256[:12]}.fetched"
        shutil.rmtree(scratch, ignore_errors=True)
        with asking(f"{self.repo}/{name}"):
            api.hf_hub_download(self.repo, name, repo_type="dataset", local_dir=scratch, token=self.hub.bearer)
        if checkpoints.sha256(scratch / name) != sha256:
            fix = "Somebody changed it: delete it there, and run the job again."
            raise DataError(f"{self.repo}/{name} is not what its name says.", fix=fix)
        (scratch / name).rename(target)
        shutil.rmtree(scratch)
        return target

    def delete(self, sha256: str) -> None:
        """Delete a file; one that is gone is no error."""
        if self.find(sha256) is not None:
            with asking(f"{self.repo}/{_name(sha256)}"):
                self.hub.api.delete_file(_name(sha256), self.repo, repo_type="dataset", token=self.hub.bearer)

    def _file(self, sha256: str, size_bytes: int) -> RemoteFile:
        return RemoteFile(id=f"{self.repo}/{_name(sha256)}", sha256=sha256, size_bytes=size_bytes)


def _name(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise DataError(f"{sha256[:80]!r} is not a sha256.", fix="Give 64 hexadecimal digits.")
    return f"{sha256}.jsonl"


def _addition(file: LocalFile, name: str) -> Any:
    from huggingface_hub import CommitOperationAdd  # noqa: PLC0415 - takes half a second to load

    content = file.path.read_bytes() if file.size_bytes <= _AT_ONCE_BYTES else file.path
    found = CommitOperationAdd(path_in_repo=name, path_or_fileobj=content)
    if found.upload_info.sha256.hex() != file.sha256:
        raise DataError(f"{file.path} changed since it was checked.", fix="Try again.")
    return found
