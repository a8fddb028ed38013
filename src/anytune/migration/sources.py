"""Where a migration comes from: a job at its host, a job of the ledger, or files alone; and its files, brought to this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.data import describe, lines
from anytune.data.formats import read
from anytune.data.rows import kind_of, word_of
from anytune.errors import ConfigError, DataError, NotFound, Unsupported
from anytune.job import FineTuneJob
from anytune.migration.asked import split_word
from anytune.migration.values import Origin
from anytune.spec import TrainingSpec
from anytune.values import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anytune.ledger import JobRow
    from anytune.runtime import Runtime
    from anytune.values import LocalFile

__all__ = ["brought", "name_for", "opened"]

_FILES = "files"
_METHODS = {"preference": "dpo", "graded": "rft"}
_ROLES = ("train", "validation")


def opened(source: str, method: Mapping[str, Any] | None, context: Runtime) -> Origin:
    """Read what is to be moved; nothing is fetched yet.

    Args:
        source: `BACKEND:JOB`, `files:TRAIN[,VALIDATION]`, or the name or id of a job of the ledger.
        method: The method of files that come alone, as a spec has it (OpenAI's names are taken too).
        context: Ledger, retries and clock.

    Raises:
        NotFound: There is no such job.
        Unsupported: The backend cannot say what a job was made of.
        DataError: A file cannot be read.
    """
    if source.startswith(f"{_FILES}:"):
        return _from_files(source, dict(method or {}))
    named = split_word(source)
    if named is not None:
        return _from_host(source, *named, context)
    job = FineTuneJob.get(source, context=context)
    row = job.row
    if row.spec:
        return _from_ledger(source, row, local=job.backend.capabilities.local)
    origin = _from_host(source, row.profile or row.backend, row.remote_id or "", context)
    return origin.model_copy(update={"job_id": row.id, "name": row.name})


def brought(
    origin: Origin,
    folder: Path,
    given: Mapping[str, Path],
    context: Runtime,
    *,
    on_file: Callable[[str], object] | None = None,
) -> Origin:
    """Bring the files to this machine, each once: what is in the folder already, whole, is not fetched again.

    Args:
        origin: What is moved.
        folder: Where fetched files are put, for their owner alone.
        given: Files that the caller has, by role; they go before the host's.
        context: Retries.
        on_file: Called with a sentence before a file is fetched.

    Raises:
        NotFound: The host has deleted a file: give it.
        DataError: A file is not what it was, or cannot be read.
    """
    files = dict(origin.files)
    for role in _ROLES:
        if role in given:
            files[role] = _described(given[role], role)
        elif role in files:
            files[role] = _unchanged(files[role])
        elif role in origin.held:
            files[role] = _fetched(origin, role, folder / f"{role}.jsonl", context, on_file)
    if "train" not in files:
        fix = "Give its rows: `--train FILE` (`train=…`)."
        raise NotFound(f"{origin.source} names no training file.", fix=fix, backend=origin.backend or None)
    return origin.model_copy(update={"files": files})


def name_for(origin: Origin, to: str) -> str:
    """Make a name for a migration out of what is moved and where to."""
    word = origin.name or origin.remote_id or Path(origin.source.partition(":")[2].partition(",")[0]).stem or "job"
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{word}-to-{to.partition('@')[0]}").strip("-._")
    return plain[-48:].lstrip("-._")


def _from_host(source: str, word: str, remote_id: str, context: Runtime) -> Origin:
    backend = context.backend(word)
    if "recipe" not in backend.capabilities.abilities:
        fix = "Name its job in the ledger, or give its files: `files:train.jsonl,valid.jsonl`."
        raise Unsupported(f"Backend {backend.name!r} cannot say what a job was made of.", fix=fix, backend=backend.name)
    told = context.retry.read(lambda: backend.recipe(remote_id), backend=backend)
    if told.status in {Status.FAILED, Status.CANCELLED}:
        raise ConfigError(f"Job {remote_id} is {told.status.value}: there is no model to replace.", fix="Move a job that has succeeded.")
    return Origin(
        source=source, backend=backend.name, profile=word, local=backend.capabilities.local, remote_id=told.id, name=told.name,
        model=told.model, tuned=told.tuned,        method=told.method, others=told.others, held=told.files,
    )  # fmt: skip


def _from_ledger(source: str, row: JobRow, *, local: bool) -> Origin:
    spec = TrainingSpec(**row.spec)
    known = type(spec.method).model_fields
    chosen = {name: value for name, value in row.resolved.items() if name in known and value not in (None, "auto")}
    asked = {name: value for name, value in spec.settings().items() if "." not in name and value != "auto"}
    return Origin(
        source=source, backend=row.backend, profile=row.profile or row.backend, local=local, remote_id=row.remote_id or "", job_id=row.id,
        name=row.name, model=row.model, tuned=(row.model_ref or {}).get("id"), method={"type": spec.method.type} | chosen | asked,
        adapter=spec.adapter.model_dump(exclude_none=True) if spec.adapter is not None else None, options=dict(spec.options),
        files=row.data,
    )  # fmt: skip


def _from_files(source: str, method: dict[str, Any]) -> Origin:
    paths = [Path(text).expanduser() for text in source.partition(":")[2].split(",") if text]
    if not 1 <= len(paths) <= len(_ROLES):
        raise ConfigError(f"{source!r} names no files.", fix="Write `files:train.jsonl` or `files:train.jsonl,valid.jsonl`.")
    files = {role: _described(path, role) for role, path in zip(_ROLES, paths, strict=False)}
    if "type" not in method:
        first = next(iter(read(files["train"].path)), None)
        kind = kind_of(first.row) if first is not None else None
        method["type"] = _METHODS.get(word_of(kind), "sft") if kind is not None else "sft"
    given: dict[str, Any] = {"method": method}
    spec = TrainingSpec(backend=_FILES, model="unknown", train=files["train"].path, **given)  # checks names, and takes other ones
    return Origin(source=source, method={"type": spec.method.type} | spec.settings(), files=files, name=paths[0].name.partition(".")[0])


def _described(path: Path, role: str) -> LocalFile:
    return describe(path.expanduser(), "train" if role == "train" else "validation")


def _unchanged(file: LocalFile) -> LocalFile:
    seen = describe(file.path, file.role)
    if seen.sha256 != file.sha256:
        fix = "Put the file back, or say `--train`/`--validation` with the rows that are meant."
        raise DataError(f"{file.path} is not what the job was trained on: its hash is another one.", fix=fix)
    return file


def _fetched(origin: Origin, role: str, path: Path, context: Runtime, on_file: Callable[[str], object] | None) -> LocalFile:
    """Fetch a file beside its place, and put it there once it is whole."""
    if path.exists():
        return _described(path, role)
    backend, held = context.backend(origin.profile), origin.held[role]
    if on_file is not None:
        on_file(f"Fetching the {role} file {held} of {origin.remote_id}.")
    draft = path.with_name(f".{path.name}.part")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        got = context.retry.read(lambda: backend.download(held, draft), backend=backend)
    except NotFound as error:
        draft.unlink(missing_ok=True)
        fix = f"Give the rows from where you have them: `--{role} FILE`. Files alone do: `files:train.jsonl` as the source."
        raise NotFound(f"{backend.name} does not have the {role} file {held} any more.", fix=fix, backend=backend.name) from error
    seen = describe(draft, "train")
    if seen.sha256 != got.sha256:
        draft.unlink(missing_ok=True)
        raise DataError(
            f"The {role} file {held} came to the disk with another hash.", fix="Run the same again; check the disk if it persists."
        )
    if next(iter(lines(draft)), None) is None:
        raise DataError(f"The {role} file {held} holds no rows.", fix=f"Give them: `--{role} FILE`.")
    draft.replace(path)
    return _described(path, role)
