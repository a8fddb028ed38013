"""What is known of a run before it is ordered: the model, every setting, the rendered rows, what stands in the way. Nothing is started."""

from __future__ import annotations

import importlib.util
import shutil
from typing import TYPE_CHECKING

from anytune.codes import finding
from anytune.data.formats import read
from anytune.errors import AnytuneError, DataError
from anytune.paths import home
from anytune.values import Finding, Quote, Value
from anytune_huggingface.device import free_memory_bytes
from anytune_huggingface.models import folders, starter
from anytune_huggingface.models.shape import Shape
from anytune_trl import defaults
from anytune_trl.dataset import Counts, build, findings
from anytune_trl.quote import Load, disk_bytes, memory_bytes, quote
from anytune_trl.sample import choose

if TYPE_CHECKING:
    from pathlib import Path

    from anytune.spec import TrainingSpec
    from anytune_huggingface.device import Device
    from anytune_huggingface.text.render import Renderer

__all__ = ["Plan", "plan"]


class Plan(Value):
    """A run as it would be.

    Attributes:
        findings: What is wrong or worth knowing.
        resolved: All settings.
        counts: What becomes of the training rows that were looked at; None where the model or the rows cannot be used.
        rows: Training rows in all.
        max_length: Tokens of the longest row that is taken.
        parameters: Weights of the model.
        shape: Sizes of the model.
    """

    findings: tuple[Finding, ...]
    resolved: defaults.Resolved
    counts: Counts | None = None
    rows: int = 0
    max_length: int = defaults.MAX_LENGTH
    parameters: int = 0
    shape: Shape | None = None

    @property
    def load(self) -> Load | None:
        """What the whole run reads; None where that cannot be known."""
        if self.counts is None or not self.counts.samples:
            return None
        scale = self.rows / self.counts.rows
        mean = self.counts.tokens / self.counts.samples
        steps = defaults.steps(self.resolved, round(self.counts.samples * scale))
        tokens = mean * self.resolved.global_batch * steps
        if self._whole:
            tokens = self.counts.tokens * scale * self.resolved.num_train_epochs
        return Load(round(tokens), self.counts.learned_share, mean, min(self.counts.longest, self.max_length))

    @property
    def _whole(self) -> bool:
        return self.resolved.max_steps is None and float(self.resolved.num_train_epochs).is_integer()

    def quote(self) -> Quote | None:
        """Give what the run will take; None where that cannot be known."""
        load = self.load
        if load is None or self.shape is None or self.counts is None:
            return None
        found = quote(load, self.shape, self.parameters, self.resolved)
        about = ("" if self._whole else "; steps end within an epoch, so tokens are the mean row's") + (
            "" if self.counts.rows == self.rows else f"; tokens scaled from {self.counts.rows:,} of {self.rows:,} rows"
        )
        return found.model_copy(update={"basis": found.basis + about})


def plan(spec: TrainingSpec, model: str, data: dict[str, Path], *, device: Device, here: bool = True) -> Plan:
    """Check a run as far as that goes without starting it.

    Args:
        spec: The spec.
        model: `starter`, a folder or a Hub id.
        data: Data files by role.
        device: What the run will compute with.
        here: It will run on this machine, whose libraries, memory and disk are looked at.
    """
    resolved = defaults.resolve(spec, device)
    found = [*_machine(resolved), *_trackers(resolved)] if here else []
    try:
        folder = folders.resolve(model, weights=False)
        shape = Shape.read(folder)
        parameters = starter.PARAMETERS if model == starter.NAME else folders.parameters(folder) or shape.parameters
        context = folders.context_length(folder)
        limit = defaults.max_length(spec, context)
        if context is not None and limit > context:
            message = f"max_length={limit} is beyond the model's {context} positions."
            found.append(finding("max-length", message, f"At most {context}."))
        counts, rows = _rows(folder, resolved, data, limit, found)
    except AnytuneError as error:
        told = error.findings if isinstance(error, DataError) and error.findings else ()
        code = "rows" if isinstance(error, DataError) else "model"
        return Plan(findings=(*found, *(told or (_error(code, error.message, error.fix),))), resolved=resolved)
    known = Plan(findings=(), resolved=resolved, counts=counts, rows=rows, max_length=limit, parameters=parameters, shape=shape)
    return known.model_copy(update={"findings": (*found, *(_room(known) if here else ()))})


def _rows(folder: Path, resolved: defaults.Resolved, data: dict[str, Path], limit: int, found: list[Finding]) -> tuple[Counts | None, int]:
    """Render the rows of each file, add what they tell to `found`, and give the training file's counts and rows."""
    from anytune_huggingface.text.tokenizer import load  # noqa: PLC0415 - loads transformers

    _, renderer = load(folder)
    train, total = None, 0
    for role, path in data.items():
        counts, rows = _looked_at(path, renderer, resolved, limit)
        told = findings(counts, role=role, max_length=limit, overlong=resolved.overlong)
        if counts.rows < rows:
            message = (
                f"{counts.rows:,} of {rows:,} {role} rows were rendered (a seeded choice), and the longest ones; training renders all."
            )
            told.append(finding("sampled", message))
        found += (one.model_copy(update={"file": role}) for one in told) if len(data) > 1 else told
        if role == "train":
            train, total = counts, rows
    return train, total


def _looked_at(path: Path, renderer: Renderer, resolved: defaults.Resolved, limit: int) -> tuple[Counts, int]:
    chosen = choose(read(path))
    counts = build(chosen.rows, resolved.method, renderer, max_length=limit, overlong=resolved.overlong).counts
    if chosen.longest:
        counts = counts.beside(build(chosen.longest, resolved.method, renderer, max_length=limit, overlong=resolved.overlong).counts)
    return counts, chosen.total


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


def _room(known: Plan) -> list[Finding]:
    """Compare with the disk and, on a CPU, with the free memory."""
    found = []
    needed, free = disk_bytes(known.parameters, known.resolved), shutil.disk_usage(home()).free
    if needed > free:
        message = f"The run needs about {needed / 1e9:.1f} GB of disk, {free / 1e9:.1f} GB are free."
        found.append(finding("disk", message, "Free some: `anytune gc`."))
    load, available = known.load, free_memory_bytes()
    memory = memory_bytes(load, known.shape, known.parameters, known.resolved) if load and known.shape else 0
    if known.resolved.device == "cpu" and memory > available:
        message = f"The run may need {memory / 1e9:.1f} GB of memory (estimated), {available / 1e9:.1f} GB are free."
        found.append(finding("memory", message, "Lower `per_device_train_batch_size` or `max_length`, or use LoRA."))
    return found


def _error(code: str, message: str, fix: str) -> Finding:
    return Finding(severity="error", code=code, message=message, fix=fix)
