"""What a runner fetches before it can start: data by its content, the base model by its commit, the newest good checkpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from anytune.local import Progress
from anytune_huggingface.compute import base_model
from anytune_huggingface.hub.data import DataRepo
from anytune_huggingface.order import DataFile, TrainOrder

if TYPE_CHECKING:
    from pathlib import Path

    from anytune_huggingface.compute.told import CloudOrder
    from anytune_huggingface.hub.record import Record, State

__all__ = ["fetch", "resume_from"]


def fetch(record: Record, order: CloudOrder, run_dir: Path, host: str) -> None:
    """Fetch data and model, and write the order that the program reads: with paths of this machine, and nothing to be fetched any more.

    Raises:
        AnytuneError: Something is not to be had, or is not what was ordered.
    """
    data = run_dir / "data"
    data.mkdir(parents=True, exist_ok=True)
    source = DataRepo(record.hub, order.data_repo)
    files = {role: DataFile(path=source.fetch(sha256, data), sha256=sha256) for role, sha256 in order.data.items()}
    model = base_model.fetch(record.hub, order.model, run_dir / "base")
    spec = order.spec | {role: str(file.path) for role, file in files.items()}
    TrainOrder(
        ref=order.ref,
        name=order.name,
        attempt=order.attempt,
        model=str(model),
        spec=spec,
        spec_hash=order.spec_hash,
        data=files,
        host=host,
        ledger=order.ledger,
    ).write(run_dir)


def resume_from(record: Record, state: State | None, run_dir: Path, task: Path) -> tuple[str | None, list[str]]:
    """Put the newest good checkpoint where the program looks for it, and what was said last of how far it is.

    Returns:
        Its name or None, and what was wrong with each newer one.
    """
    output = run_dir / "checkpoints"
    output.mkdir(parents=True, exist_ok=True)
    found, problems = record.fetch_checkpoint(output)
    if state is not None and state.step is not None:
        said = state.model_dump(mode="json", include=set(Progress.model_fields))
        (task / "progress.json").write_text(json.dumps(said), encoding="utf-8")
    return (found.name if found else None), problems
