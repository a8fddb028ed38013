"""What is known of a run before it is ordered: the model, every setting, the rendered rows, what stands in the way. Nothing is started."""

from __future__ import annotations

import importlib.util
import shutil
from typing import TYPE_CHECKING

from anytune.errors import AnytuneError, DataError
from anytune.paths import home
from anytune.values import Finding, Value
from anytune_trl import defaults, models, starter
from anytune_trl.dataset import Counts, build, findings
from anytune_trl.device import device, free_memory_bytes
from anytune_trl.quote import disk_bytes, quote

if TYPE_CHECKING:
    from pathlib import Path

    from anytune.spec import TrainingSpec
    from anytune.values import Quote

__all__ = ["MOST_ROWS", "Plan", "plan"]

MOST_ROWS = 20_000
"""Rows of a file that a check renders; training renders all of them, and refuses in the same words."""


class Plan(Value):
    """A run as it would be.

    Attributes:
        findings: What is wrong or worth knowing.
        resolved: All settings.
        counts: What becomes of the training rows; None where the model or the rows cannot be used.
        max_length: Tokens of the longest row that is taken.
        parameters: Weights of the model, where known.
    """

    findings: tuple[Finding, ...]
    resolved: defaults.Resolved
    counts: Counts | None = None
    max_length: int = defaults.MAX_LENGTH
    parameters: int | None = None

    def quote(self, rows: int) -> Quote | None:
        """Give what `rows` rows will take; None where that cannot be known."""
        if self.counts is None or not self.counts.samples:
            return None
        scale = max(1.0, rows / self.counts.rows)
        steps = defaults.steps(self.resolved, round(self.counts.samples * scale))
        tokens = round(self.counts.tokens / self.counts.samples * self.resolved.global_batch * steps)
        whole = self.resolved.max_steps is None and float(self.resolved.num_train_epochs).is_integer()
        if whole:
            tokens = round(self.counts.tokens * scale * self.resolved.num_train_epochs)
        found = quote(tokens, self.parameters or starter.PARAMETERS, self.resolved, min(self.counts.longest, self.max_length))
        about = ("" if whole else "; steps end within an epoch, so tokens are the mean row's") + (
            "" if scale == 1 else f"; scaled from {MOST_ROWS} rows"
        )
        return found.model_copy(update={"basis": found.basis + about})


def plan(spec: TrainingSpec, model: str, data: dict[str, Path]) -> Plan:
    """Check a run as far as that goes without starting it."""
    resolved = defaults.resolve(spec, device())
    found = [*_machine(resolved), *_trackers(resolved)]
    try:
        folder = models.resolve(model, weights=False)
        parameters = starter.PARAMETERS if model == starter.NAME else models.parameters(folder)
        context = models.context_length(folder)
        limit = defaults.max_length(spec, context)
        if context is not None and limit > context:
            found.append(_error("max-length", f"max_length={limit} is beyond the model's {context} positions.", f"At most {context}."))
        counts = _rows(folder, resolved, data, limit, found)
    except AnytuneError as error:
        code = "rows" if isinstance(error, DataError) else "model"
        return Plan(findings=(*found, _error(code, error.message, error.fix)), resolved=resolved)
    found += _room(parameters or 0, resolved, counts, limit)
    return Plan(findings=tuple(found), resolved=resolved, counts=counts, max_length=limit, parameters=parameters)


def _rows(folder: Path, resolved: defaults.Resolved, data: dict[str, Path], limit: int, found: list[Finding]) -> Counts | None:
    from anytune_trl.tokenizer import load  # noqa: PLC0415 - loads transformers

    _, renderer = load(folder)
    train = None
    for role, path in data.items():
        counts = build(path, resolved.method, renderer, max_length=limit, overlong=resolved.overlong, limit=MOST_ROWS).counts
        found += findings(counts, role=role, max_length=limit, overlong=resolved.overlong)
        if counts.rows == MOST_ROWS:
            found.append(Finding(severity="info", code="first-rows", message=f"Only the first {MOST_ROWS} {role} rows were rendered."))
        train = counts if role == "train" else train
    return train


def _machine(resolved: defaults.Resolved) -> list[Finding]:
    found = []
    if resolved.adapter == "qlora" and resolved.device != "cuda":
        found.append(
            _error(
                "qlora",
                "QLoRA needs an NVIDIA GPU: its 4-bit weights have kernels only there, and this machine has none.",
                "Use `adapter: lora`.",
            )
        )
    elif resolved.adapter == "qlora" and importlib.util.find_spec("bitsandbytes") is None:
        found.append(_error("qlora", "QLoRA needs bitsandbytes, which is not installed.", "pip install bitsandbytes"))
    if resolved.packing and not (resolved.device == "cuda" and importlib.util.find_spec("flash_attn") and resolved.method == "sft"):
        found.append(
            _error(
                "packing",
                "Packing is sound only for SFT with FlashAttention on a GPU; elsewhere packed rows see each other.",
                "Leave `packing` out.",
            )
        )
    return found


def _trackers(resolved: defaults.Resolved) -> list[Finding]:
    missing = [name for name in resolved.report_to if importlib.util.find_spec(name) is None]
    return [
        _error("report-to", f"The tracker {name!r} is not installed.", f"pip install {name}, or leave it out of `report_to`.")
        for name in missing
    ]


def _room(parameters: int, resolved: defaults.Resolved, counts: Counts | None, limit: int) -> list[Finding]:
    found = []
    needed, free = disk_bytes(parameters, resolved), shutil.disk_usage(home()).free
    if needed > free:
        found.append(
            _error("disk", f"The run needs about {needed / 1e9:.1f} GB of disk, {free / 1e9:.1f} GB are free.", "Free some: `anytune gc`.")
        )
    memory = quote(1, parameters, resolved, min(counts.longest, limit) if counts else limit).memory_bytes or 0
    if resolved.device == "cpu" and memory > free_memory_bytes():
        message = f"The run may need {memory / 1e9:.1f} GB of memory (estimated), {free_memory_bytes() / 1e9:.1f} GB are free."
        fix = "Lower `per_device_train_batch_size` or `max_length`, or use LoRA."
        found.append(Finding(severity="warning", code="memory", message=message, fix=fix))
    return found


def _error(code: str, message: str, fix: str) -> Finding:
    return Finding(severity="error", code=code, message=message, fix=fix)
