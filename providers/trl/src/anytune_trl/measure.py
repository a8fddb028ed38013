"""The measuring child: `python -m anytune_trl.measure FOLDER`. It trains as a run would, for a few steps, and keeps nothing but figures.

The longest batch comes first: what does not fit fails there. The steps after it are on batches of ordinary rows, and give the speed.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from anytune.data.formats import read
from anytune.errors import AnytuneError, DataError
from anytune_huggingface.device import peak_memory_bytes
from anytune_huggingface.models import folders
from anytune_huggingface.order import TrainOrder
from anytune_trl import defaults
from anytune_trl.dataset import Dataset, build
from anytune_trl.sample import choose

if TYPE_CHECKING:
    from anytune_trl.defaults import Resolved
    from anytune_trl.trainers import LengthSampler

__all__ = ["STEPS", "main", "measured"]

STEPS = 3


def measured(folder: Path) -> dict[str, Any]:
    """Train for a few steps.

    Args:
        folder: Holds the order; checkpoints are not written.

    Returns:
        Seconds of each step, and from the process's start to the first of them; tokens of each step, the peak of memory in bytes, and rows
        of a step.

    Raises:
        DataError: No row can be learned from.
    """
    begun = time.monotonic() - (time.time() - psutil.Process().create_time())
    import torch  # noqa: PLC0415 - after the environment was set

    from anytune_trl.trainers import LengthSampler, load_model, trainer_for  # noqa: PLC0415 - heavy

    order = TrainOrder.read(folder)
    spec = order.training_spec()
    gpu = torch.cuda.is_available()
    resolved = defaults.resolve(spec, "cuda" if gpu else "cpu")
    resolved = resolved.model_copy(update={"max_steps": STEPS, "logging_steps": 1, "gradient_accumulation_steps": 1, "report_to": ()})
    begun += _fetched_s(order.model)
    base = folders.resolve(order.model)
    parts, tokenizer = _rows(order, resolved, base, defaults.max_length(spec, folders.context_length(base)))
    if not gpu:
        torch.set_flush_denormal(True)
    clock = _clock()
    trainer = trainer_for(
        load_model(base, resolved), tokenizer, resolved, train=parts, validation=None, output=folder, steps=STEPS, callbacks=[clock]
    )
    loaded = time.monotonic()
    trainer.train()
    rows = resolved.per_device_train_batch_size
    steps = _batches(LengthSampler(parts.lengths, rows, resolved.seed), rows)
    return {
        "loading_s": loaded - begun,
        "seconds": clock.seconds,
        "tokens": [sum(parts.lengths[i] for i in places) for places in steps[: len(clock.seconds)]],
        "peak_bytes": peak_memory_bytes(),
        "rows": rows,
        "longest": max(parts.lengths),
        "device": torch.cuda.get_device_name() if gpu else f"{torch.get_num_threads()} threads",
    }


def _fetched_s(model: str) -> float:
    """Have the model on disk, and give the seconds that this took: a download or a conversion is paid once, and not by the run."""
    begun = time.monotonic()
    folders.resolve(model)
    return time.monotonic() - begun


def _batches(sampler: LengthSampler, rows: int) -> list[list[int]]:
    """Give the places of the samples that each step will see, as the trainer takes them."""
    found = []
    for epoch in range(STEPS):
        sampler.set_epoch(epoch)
        order = list(sampler)
        found += [order[start : start + rows] for start in range(0, len(order), rows)]
    return found


def _rows(order: TrainOrder, resolved: Resolved, base: Path, limit: int) -> tuple[Dataset, Any]:
    """Render the longest batch, and ordinary rows for the other steps."""
    from anytune_huggingface.text.tokenizer import load  # noqa: PLC0415 - loads transformers

    tokenizer, renderer = load(base)
    chosen = choose(read(order.data["train"].path))
    rows = sorted([*chosen.rows, *chosen.longest], key=lambda line: line.number)
    whole = build(rows, resolved.method, renderer, max_length=limit, overlong=resolved.overlong)
    if not whole.lengths:
        raise DataError("No training row can be learned from.", fix="See `anytune preflight`.")
    batch = resolved.per_device_train_batch_size
    by_length = sorted(range(len(whole.lengths)), key=whole.lengths.__getitem__)
    longest, others = by_length[-batch:], by_length[:-batch]
    random.Random(resolved.seed).shuffle(others)  # noqa: S311 - a sample, not a secret
    return whole.only([*longest, *others[: batch * (STEPS - 1)]]), tokenizer


def _clock() -> Any:
    from transformers import TrainerCallback  # noqa: PLC0415 - heavy

    class Clock(TrainerCallback):
        """Takes the time of each step, and lets nothing be saved."""

        def __init__(self) -> None:
            self.seconds: list[float] = []
            self._begun = 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self._begun = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - transformers' signature
            self.seconds.append(time.monotonic() - self._begun)
            control.should_save = False

    return Clock()


def main(folder: Path) -> None:
    """Measure, and write `measured.json`, or `failed.json` with the reason.

    It ends with the process that asked: that one holds the other end of stdin.
    """
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # as the training child does
    try:
        name, said = "measured.json", measured(folder)
    except AnytuneError as error:
        name, said = "failed.json", {"message": error.message, "fix": error.fix}
    except Exception as error:  # noqa: BLE001 - whatever a library raises is what the run would have met
        name, said = "failed.json", {"message": f"{type(error).__name__}: {str(error)[:500]}", "fix": ""}
    (folder / name).write_text(json.dumps(said), encoding="utf-8")


def _end_with_the_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
