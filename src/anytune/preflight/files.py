"""The spec's files: as they were given, and as the backend will get them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from anytune import data
from anytune.codes import finding
from anytune.paths import home

if TYPE_CHECKING:
    from pathlib import Path

    from anytune.backend import Backend
    from anytune.spec import TrainingSpec
    from anytune.values import Finding, LocalFile

__all__ = ["describe", "pinned", "prepared", "with_files"]


def describe(spec: TrainingSpec) -> dict[str, LocalFile]:
    """Hash the spec's files, by role; those of the Hub are fetched first.

    Raises:
        DataError: One is missing, empty or cannot be read.
    """
    files = {"train": _described(spec.train, "train")}
    if spec.validation is not None:
        files["validation"] = _described(spec.validation, "validation")
    return files


def pinned(files: dict[str, LocalFile]) -> list[Finding]:
    """Say which commit of a dataset of the Hub was read: its name alone may mean other rows tomorrow."""
    return [finding("pinned", f"{role}: {file.source}") for role, file in files.items() if file.source]


def prepared(files: dict[str, LocalFile], method: str, backend: Backend, *, allow_loss: bool) -> tuple[dict[str, LocalFile], list[Finding]]:
    """Give the files as the backend reads them, and what was lost on the way. Converted files are kept once per content.

    Args:
        files: The files as they were given, by role.
        method: What they are for.
        backend: Who will read them.
        allow_loss: Write also what changes what is learned; otherwise the finding is an error and the file stays as it is.
    """
    from anytune.data.formats import prepare  # noqa: PLC0415 - a job that exists already needs none of it

    ready: dict[str, LocalFile] = {}
    findings: list[Finding] = []
    folder = home() / "data"
    folder.mkdir(mode=0o700, exist_ok=True)  # they are rows, and a home that was there before may be open to others
    for role, file in files.items():
        dialect = backend.capabilities.dialect
        made, found = prepare(file.path, method=method, dialect=dialect, folder=folder, role=file.role, allow_loss=allow_loss)
        ready[role] = made.model_copy(update={"source": file.source})
        findings += [each.model_copy(update={"file": file.role}) if len(files) > 1 else each for each in found]
    return ready, findings


def with_files(spec: TrainingSpec, files: dict[str, LocalFile]) -> TrainingSpec:
    """Give the spec with the paths of other files."""
    return spec.model_copy(update={role: file.path for role, file in files.items()})


def _described(source: Path, role: Literal["train", "validation"]) -> LocalFile:
    from anytune.data.files import locate  # noqa: PLC0415 - as above

    located = locate(source)
    repo = located.source.removeprefix("hf:").split("@")[0].split(":")[0]
    read_from = f"{repo}@{located.revision}" if located.revision else ""
    return data.describe(located.path.expanduser(), role).model_copy(update={"source": read_from})
