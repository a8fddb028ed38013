"""Which model a word on the command line means: a job's, a folder's, a host's by its id, or `starter`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.model import TunedModel

__all__ = ["chosen"]

_ON_THE_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(?:@[^/:\s]+)?(?::\S+)?")
"""`owner/name[@revision][:folder]`: what a model of the Hub is called."""


def chosen(target: str, backend: str | None) -> tuple[TunedModel, str]:
    """Give the model that a word means, and a word for it.

    Args:
        target: A job that succeeded, a model's folder, a hosted model's id, or `starter`.
        backend: Whose model or job is meant; None: `trl` for folders, and a job's own. With a place (`trl@local`) it takes the model of
            whoever's job.

    Raises:
        NotFound: There is no such job, or no such folder.
        ConfigError: Several backends have a job of this name.
        JobFailed: The job has no model.
    """
    from anytune.errors import ConfigError, NotFound  # noqa: PLC0415 - keeps `--help` light
    from anytune.job import FineTuneJob  # noqa: PLC0415 - as above
    from anytune.model import TunedModel  # noqa: PLC0415 - as above

    if target == "starter" or _is_path(target, backend):
        if backend is None and _ON_THE_HUB.fullmatch(target) and not Path(target).is_dir():
            fix = "Is it a model of the Hub? Then say who takes it: `-b trl`, for instance."
            raise NotFound(f"There is no folder {Path(target).resolve()}.", fix=fix)
        return TunedModel.from_path(target, backend=backend or "trl"), Path(target).name
    try:
        job = FineTuneJob.get(target)
    except ConfigError:  # several backends have a job of this name
        if backend is None:
            raise
        job = FineTuneJob.get(f"{target}@{backend.partition('@')[0]}")
    except NotFound as error:
        if Path(target).is_dir():
            return TunedModel.from_path(target, backend=backend or "trl"), target
        if backend is not None:
            return TunedModel.from_id(backend, target), target
        fix = "Is it a model's id? Then say whose: `-b openai`, for instance." if ":" in target else error.fix
        raise NotFound(error.message, fix=fix) from None
    model = job.result()
    if backend is not None and "@" in backend:
        model = TunedModel(model.ref, backend=backend, job_id=model.job_id)
    return model, job.name


def _is_path(target: str, backend: str | None) -> bool:
    """Tell a folder from a hosted model's id: both may have slashes."""
    from anytune.runtime import runtime  # noqa: PLC0415 - keeps `--help` light

    if target in {".", ".."} or target.startswith(("/", "./", "../", "~")):
        return True
    if "/" not in target:
        return False
    if Path(target).is_dir() or backend is None:
        return True
    return _ON_THE_HUB.fullmatch(target) is None and runtime().backend(backend).capabilities.local
