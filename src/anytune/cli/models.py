"""Which model a word on the command line means: a job's, a folder's, a host's by its id, or `starter`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.model import TunedModel

__all__ = ["chosen"]


def chosen(target: str, backend: str | None) -> tuple[TunedModel, str]:
    """Give the model that a word means, and a word for it.

    Args:
        target: A job that succeeded, a model's folder, a hosted model's id, or `starter`.
        backend: Whose model or job is meant; None: `trl` for folders, and a job's own.

    Raises:
        NotFound: There is no such job.
        ConfigError: Several backends have a job of this name.
        JobFailed: The job has no model.
    """
    from anytune.errors import ConfigError, NotFound  # noqa: PLC0415 - keeps `--help` light
    from anytune.job import FineTuneJob  # noqa: PLC0415 - as above
    from anytune.model import TunedModel  # noqa: PLC0415 - as above

    if target == "starter" or _is_path(target, backend):
        return TunedModel.from_path(target, backend=backend or "trl"), Path(target).name
    try:
        job = FineTuneJob.get(target)
    except ConfigError:  # several backends have a job of this name
        if backend is None:
            raise
        job = FineTuneJob.get(f"{target}@{backend}")
    except NotFound as error:
        if Path(target).is_dir():
            return TunedModel.from_path(target, backend=backend or "trl"), target
        if backend is not None:
            return TunedModel.from_id(backend, target), target
        fix = "Is it a model's id? Then say whose: `-b openai`, for instance." if ":" in target else error.fix
        raise NotFound(error.message, fix=fix) from None
    return job.result(), job.name


def _is_path(target: str, backend: str | None) -> bool:
    """Tell a folder from a hosted model's id: both may have slashes."""
    from anytune.runtime import runtime  # noqa: PLC0415 - keeps `--help` light

    if target in {".", ".."} or target.startswith(("/", "./", "../", "~")):
        return True
    if "/" not in target:
        return False
    return Path(target).is_dir() or backend is None or runtime().backend(backend).capabilities.local
