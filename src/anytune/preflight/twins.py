"""The same run, made by another ledger: two people, or two machines, that share an account and would pay twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anytune.codes import finding
from anytune.errors import AnytuneError
from anytune.spec import spec_hash
from anytune.values import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anytune.backend import Backend, RemoteJob
    from anytune.retry import Retry
    from anytune.spec import TrainingSpec
    from anytune.values import Finding, LocalFile

__all__ = ["twins"]

_LISTED = 100
"""Jobs that are looked through, the newest first: one request at most hosts."""
_PREFIX = 16
"""Fewest characters of a hash that a tag may be cut to."""


def twins(spec: TrainingSpec, backend: Backend, data: Mapping[str, LocalFile], *, ledger: Callable[[], str], retry: Retry) -> list[Finding]:
    """Look for a job with the same hash and name that lives or succeeded, and carries another ledger's tag. Reads only.

    Args:
        spec: What is wanted.
        backend: Who would train; one that cannot list jobs, or is this machine, is not asked.
        data: The files as they were given, by role.
        ledger: Gives the id of the ledger that asks; it is opened only where a job of the same hash is found.
        retry: The retry layer.
    """
    able = backend.capabilities
    if able.local or "list_jobs" not in able.abilities:
        return []
    word = spec.backend or backend.name
    digest = spec_hash(spec, model=spec.model_for(spec.backend, backend.name), data={role: file.sha256 for role, file in data.items()})
    try:
        listed = retry.read(lambda: backend.list_jobs(_LISTED), backend=backend)
    except AnytuneError as error:
        message = f"Whether another ledger runs the same job was not checked: {error.message}"
        return [finding("not-checked", message, "`anytune orphans` shows other ledgers' jobs, once it can be asked.")]
    same = [job for job in listed if job.ledger and _same(job, digest, spec.job_name)]
    others = [job for job in same if job.ledger and job.ledger.lower() != ledger().lower()]
    return [_found(job, word, spec.job_name) for job in others]


def _same(job: RemoteJob, digest: str, name: str) -> bool:
    """Tell whether a job is the same run; hosts cut hashes, and write names in the letters that their labels may have."""
    cut = job.spec_hash or ""
    if len(cut) < _PREFIX or not digest.startswith(cut) or job.status in {Status.FAILED, Status.CANCELLED}:
        return False
    return job.name is None or _plain(name).startswith(_plain(job.name))


def _found(job: RemoteJob, word: str, name: str) -> Finding:
    done = job.status is Status.SUCCEEDED
    what = "has succeeded" if done else f"is {job.status.value}"
    return finding(
        "same-run",
        f"Job {job.id} at {word} is the same run (name, settings and data), was made by another ledger, and {what}: this one would be "
        "paid beside it.",
        f"Attach it: `anytune jobs attach {word} {job.id} --name {name}`. To pay for a second one, allow `same-run`.",
        severity="warning" if done else "error",
    )


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)
