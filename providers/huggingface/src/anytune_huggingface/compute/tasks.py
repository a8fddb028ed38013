"""From an order to a task of the agent, and from its folder back to a model."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anytune import local
from anytune.errors import NotFound
from anytune.paths import home, host
from anytune.values import ModelRef
from anytune_huggingface import files
from anytune_huggingface.device import threads
from anytune_huggingface.models import folders, starter
from anytune_huggingface.order import DataFile, TrainOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.backend import Order
    from anytune_huggingface.compute.place import Program

__all__ = ["absolute", "child_environment", "delete", "environment", "from_hub", "model", "other_host", "run_dir", "training"]

_ENV = {
    "GOMP_SPINCOUNT": "0",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "34359738368",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "DO_NOT_TRACK": "1",
    "PYTHONUNBUFFERED": "1",
}
"""Libraries send telemetry unless told not to. GOMP_SPINCOUNT: waiting threads leave the cores to others. MALLOC_…: glibc keeps the
memory of a step for the next one instead of having the kernel clear it again, a tenth of the CPU time (both measured on 2026-11-22)."""

_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

_TRACKERS = {
    "wandb": ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_DIR"),
    "mlflow": ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN", "MLFLOW_EXPERIMENT_NAME"),
    "trackio": ("TRACKIO_PROJECT", "TRACKIO_SPACE_ID", "TRACKIO_DIR"),
}
"""What a tracker needs of the caller's environment; passed only where `report_to` names it."""


def run_dir(ref: str) -> Path:
    """Name the folder of a run's output."""
    return home() / "runs" / ref


def absolute(model: str) -> str:
    """Give a local folder's absolute path; other words stay as they are."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if model != starter.NAME and folder.is_dir() else model


def environment(additions: Mapping[str, str]) -> dict[str, str]:
    """Give a child's additions to its environment: one thread a physical core, unless the caller said otherwise."""
    given = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(threads())}
    return {**given, **additions}


def from_hub(model: str) -> bool:
    """Tell whether a model's word names a repository of the Hub."""
    return model != starter.NAME and not Path(model).is_absolute()


def child_environment(*, offline: bool) -> dict[str, str]:
    """Give what a process that trains has in its environment."""
    return environment(_ENV | _OFFLINE if offline else _ENV)


def training(order: Order, program: Program) -> local.Task:
    """Write the order into its run folder, and make the task that carries it out."""
    data = {
        role: DataFile(path=files.path(order.files[role].id) if role in order.files else file.path, sha256=file.sha256)
        for role, file in order.data.items()
    }
    chosen = folders.pinned(absolute(order.model))
    told = TrainOrder(
        ref=order.ref,
        name=order.name,
        attempt=order.attempt,
        model=chosen,
        spec=order.spec.model_dump(mode="json", exclude_none=True),
        spec_hash=order.spec_hash,
        data=data,
        host=host(),
        ledger=order.ledger,
    )
    folder = run_dir(order.ref)
    told.write(folder)
    hub = from_hub(chosen)
    passed = [*local.DEFAULT_ENV, *program.passed_env, *(("HF_TOKEN",) if hub else ())]
    for tracker in order.spec.method.report_to or ():
        passed += _TRACKERS.get(tracker, ())
    budget = order.spec.budget
    return local.Task(
        id=order.ref,
        sequence=order.sequence,
        name=order.name,
        argv=(sys.executable, "-P", "-m", program.module, str(folder)),
        env=child_environment(offline=not (hub or order.spec.method.report_to)) | program.environment,
        passed_env=tuple(passed),
        run_dir=folder,
        budget_minutes=budget.max_hours * 60 if budget and budget.max_hours else None,
    )


def other_host(job_id: str) -> str | None:
    """Name the machine that a job runs on, if it is another one: several may share a home folder."""
    try:
        there = TrainOrder.read(run_dir(job_id)).host
    except (OSError, ValueError):
        return None
    return there if there != host() else None


def model(job_id: str) -> ModelRef | None:
    """Give what a run produced, with the artifacts that are not there any more named."""
    result = local.result(job_id)
    if result is None:
        return None
    found = ModelRef.model_validate(result["model"])
    missing = tuple(sorted(kind for kind, path in found.artifacts.items() if not _there(Path(path))))
    return found.model_copy(update={"missing": missing})


def _there(path: Path) -> bool:
    return any(path.glob("*.safetensors")) if path.is_dir() else path.is_file()


def delete(run: Path) -> None:
    """Delete a run's folder.

    Raises:
        NotFound: It is not there.
    """
    if not run.is_dir():
        raise NotFound(f"There is no folder {run}.", fix="It may have been deleted already.")
    shutil.rmtree(run)
