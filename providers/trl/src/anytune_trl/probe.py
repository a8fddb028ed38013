"""A quote that was measured: a few real steps in a child, and what they say about the whole run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune import local
from anytune.errors import ConfigError
from anytune.paths import home, host
from anytune.values import Quote, now
from anytune_huggingface.compute import tasks
from anytune_huggingface.order import DataFile, TrainOrder
from anytune_trl.quote import memory_bytes, minutes, saving_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.backend import LocalFile
    from anytune.spec import TrainingSpec
    from anytune_trl.plan import Plan

__all__ = ["LIMIT_S", "probe", "refined"]

LIMIT_S = 1800.0
"""Seconds that the steps may take; three steps of a batch that fits take a minute on a slow machine."""

_SMALLER = "Lower `per_device_train_batch_size` or `max_length`, or use LoRA."


def probe(spec: TrainingSpec, model: str, data: Sequence[LocalFile], plan: Plan) -> Quote:
    """Train for three steps, and refine the plan's quote by what they took.

    Args:
        spec: What is wanted.
        model: The model, as the training child is told it.
        data: Files by role; only the training file is read.
        plan: What is known already.

    Raises:
        ConfigError: The steps failed, as the run would: too little memory, a model that does not load; or there is nothing to train on.
    """
    estimate = plan.quote()
    if estimate is None:
        first = next((found for found in plan.findings if found.severity == "error"), None)
        raise ConfigError(first.message if first else "There is nothing to train on.", fix=first.fix if first else "See the findings.")
    train = next(file for file in data if file.role == "train")
    with tempfile.TemporaryDirectory(prefix="anytune-probe-") as folder:
        TrainOrder(
            ref="probe",
            name="probe",
            model=model,
            spec=spec.model_dump(mode="json", exclude_none=True),
            spec_hash="",
            data={"train": DataFile(path=train.path, sha256=train.sha256)},
            host=host(),
        ).write(Path(folder))
        seen = _measured(Path(folder), model)
    return refined(estimate, plan, seen)


def refined(estimate: Quote, plan: Plan, seen: dict[str, Any]) -> Quote:
    """Put what was measured into a quote.

    Args:
        estimate: The quote before.
        plan: What the run will read.
        seen: What the measuring child wrote.
    """
    load = plan.load
    if load is None or plan.shape is None or estimate.tokens is None:
        return estimate
    # The first step pays for warming up, and is on the longest rows: it tells about memory, the others about speed.
    later = slice(1, None) if len(seen["seconds"]) > 1 else slice(None)
    speed = sum(seen["tokens"][later]) / sum(seen["seconds"][later])
    warming = max(0.0, seen["seconds"][0] - seen["tokens"][0] / speed)
    peak = max(seen["peak_bytes"] + saving_bytes(plan.parameters, plan.resolved), 0)
    whole = minutes(estimate.tokens / speed + warming, plan.parameters, loading_s=seen["loading_s"])
    before = f"{estimate.minutes:g} minutes and {memory_bytes(load, plan.shape, plan.parameters, plan.resolved) / 1e9:.1f} GB"
    basis = (
        f"measured on {host()} ({seen['device']}) on {now():%Y-%m-%d}: {len(seen['seconds'])} steps of {seen['rows']} rows at "
        f"{speed:,.0f} tokens/s, a longest row of {seen['longest']} tokens, {seen['peak_bytes'] / 1e9:.1f} GB at their peak, "
        f"{seen['loading_s']:.0f} s to load; saving is estimated; the estimate before was {before}"
    )
    return estimate.model_copy(update={"minutes": round(whole, 1), "memory_bytes": int(peak), "basis": basis})


def _measured(folder: Path, model: str) -> dict[str, Any]:
    """Run the measuring child to its end."""
    from_hub = tasks.from_hub(model)
    environment = {name: os.environ[name] for name in (*local.DEFAULT_ENV, *(("HF_TOKEN",) if from_hub else ())) if name in os.environ}
    command = [sys.executable, "-P", "-m", "anytune_trl.measure", str(folder)]
    environment |= tasks.child_environment(offline=not from_hub) | {"ANYTUNE_HOME": str(home())}
    with (
        (folder / "log.txt").open("wb") as log,
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log) as child,
    ):
        try:
            code = child.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise ConfigError(f"{LIMIT_S / 60:.0f} minutes were not enough for three steps.", fix=_SMALLER) from None
        finally:
            child.kill()
    if (folder / "measured.json").is_file():
        seen: dict[str, Any] = json.loads((folder / "measured.json").read_text(encoding="utf-8"))
        return seen
    if (folder / "failed.json").is_file():
        failed = json.loads((folder / "failed.json").read_text(encoding="utf-8"))
        raise ConfigError(f"The probe's steps failed: {failed['message']}", fix=failed["fix"] or _SMALLER)
    last = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    killed = code < 0
    said = (
        f"was killed (signal {-code}), most likely because memory ran out"
        if killed
        else f"ended without a word: {last[-1] if last else code}"
    )
    raise ConfigError(f"The probe {said}.", fix=_SMALLER if killed else "`anytune doctor` looks at the installation.")
