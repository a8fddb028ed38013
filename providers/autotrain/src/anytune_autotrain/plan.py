"""What is known of a run before it is ordered: the model, every setting, the rendered rows, what stands in the way. Nothing is started."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, NamedTuple

from anytune.codes import finding
from anytune.data.formats import read
from anytune.errors import AnytuneError, DataError
from anytune.paths import home
from anytune.values import Finding, Quote, Value
from anytune_autotrain import defaults, environment, words
from anytune_autotrain.data import Counts, Writer, build
from anytune_autotrain.findings import findings
from anytune_autotrain.quote import Load, disk_bytes, memory_bytes, quote
from anytune_autotrain.translate import problem
from anytune_huggingface.device import free_memory_bytes
from anytune_huggingface.models import folders, starter
from anytune_huggingface.models.shape import Shape

if TYPE_CHECKING:
    from pathlib import Path

    from anytune.data.files import Line
    from anytune.spec import TrainingSpec
    from anytune_huggingface.device import Device

__all__ = ["Plan", "diagnose", "plan"]

_LOOKED_AT = 5_000
_LONGEST = 100
"""Rows that are rendered: a seeded choice, and the longest ones by their characters."""
_PACKAGES_BYTES = 1_800_000_000
_PACKAGES_CUDA_BYTES = 6_000_000_000


class Plan(Value):
    """A run as it would be.

    Attributes:
        findings: What is wrong or worth knowing.
        resolved: All settings.
        counts: What becomes of the training rows that were looked at; None where the model or the rows cannot be used.
        rows: Training rows in all.
        max_length: Tokens of a block.
        parameters: Weights of the model.
        shape: Sizes of the model.
    """

    findings: tuple[Finding, ...]
    resolved: defaults.Resolved
    counts: Counts | None = None
    rows: int = 0
    max_length: int = defaults.BLOCK
    parameters: int = 0
    shape: Shape | None = None

    @property
    def sequences(self) -> int:
        """Sequences of one pass, scaled to all rows."""
        return round(self.counts.sequences * self.rows / self.counts.rows) if self.counts and self.counts.rows else 0

    @property
    def load(self) -> Load | None:
        """What the whole run reads; None where that cannot be known."""
        if self.counts is None or not self.counts.sequences:
            return None
        mean = self.counts.tokens / self.counts.sequences
        steps = defaults.steps(self.resolved, self.sequences)
        return Load(round(mean * self.resolved.global_batch * steps), mean, self._longest)

    @property
    def _longest(self) -> int:
        joined = self.counts is not None and (self.counts.packed or self.resolved.method == "clm")
        return self.max_length if joined or self.counts is None else min(self.counts.longest, self.max_length)

    def quote(self) -> Quote | None:
        """Give what the run will take; None where that cannot be known."""
        load = self.load
        if load is None or self.shape is None or self.counts is None:
            return None
        about = "" if self.counts.rows == self.rows else f"; tokens scaled from {self.counts.rows:,} of {self.rows:,} rows"
        whole = self._exact()
        if whole is not None and self.counts.rows == self.rows:
            load = load._replace(tokens=whole)
        return quote(load, self.shape, self.parameters, self.resolved, about)

    def _exact(self) -> int | None:
        """Count the tokens of whole passes; None where steps end within one, so that the mean sequence must do."""
        if self.counts is None or self.resolved.max_steps is not None or not float(self.resolved.num_train_epochs).is_integer():
            return None
        batch = self.resolved.global_batch
        even = self.counts.sequences % batch == 0 or self.counts.sequences < batch
        return self.counts.tokens * int(self.resolved.num_train_epochs) if even else None


def plan(spec: TrainingSpec, model: str, data: dict[str, Path], *, device: Device, here: bool = True) -> Plan:
    """Check a run as far as that goes without starting it.

    Args:
        spec: The spec.
        model: `starter`, a folder or a Hub id.
        data: Data files by role.
        device: What the run will compute with.
        here: It will run on this machine, whose environment, memory and disk are looked at.

    Raises:
        ConfigError: A word of `options.autotrain` is wrong.
    """
    resolved = defaults.resolve(spec, device)
    found = [*_device(resolved), *_trackers(spec), *(_environment(device) if here else [])]
    try:
        folder = folders.resolve(model, weights=False)
        if wrong := problem(folder):
            fix = "Use backend `trl`, a folder as its authors published it (saved by transformers 4), or another model."
            return Plan(findings=(*found, _error("architecture", wrong, fix)), resolved=resolved)
        shape = Shape.read(folder)
        parameters = starter.PARAMETERS if model == starter.NAME else folders.parameters(folder) or shape.parameters
        context = folders.context_length(folder)
        limit = defaults.max_length(resolved, context)
        if context is not None and limit > context:
            found.append(finding("max-length", f"max_length={limit} is beyond the model's {context} positions.", f"At most {context}."))
        counts, rows = _rows(folder, resolved, data, limit, found)
    except AnytuneError as error:
        told = error.findings if isinstance(error, DataError) and error.findings else ()
        code = "rows" if isinstance(error, DataError) else "model"
        return Plan(findings=(*found, *(told or (_error(code, error.message, error.fix),))), resolved=resolved)
    resolved = defaults.fitted(resolved, round(counts.sequences * rows / max(1, counts.rows))) if counts else resolved
    known = Plan(findings=(), resolved=resolved, counts=counts, rows=rows, max_length=limit, parameters=parameters, shape=shape)
    return known.model_copy(update={"findings": (*found, *(_room(known) if here else ()))})


def diagnose() -> list[Finding]:
    """Say how AutoTrain's own environment is, and which older ones still take room."""
    seen = environment.status()
    size = f", {seen.size_bytes / 1e9:.1f} GB" if seen.size_bytes else ""
    message = f"AutoTrain's environment in {seen.path} is {seen.state}{size}: {seen.detail}"
    if seen.state != "ready":
        message += " The first job that needs it makes or repairs it."
    found = [Finding(severity="warning" if seen.state == "broken" else "info", code="environment", message=message, fix=seen.fix)]
    for folder in environment.older():
        message = f"An AutoTrain environment of another anytune takes room in {folder}; this one does not use it."
        fix = f"Unless that anytune is still in use: {environment.REMOVE_OLDER}"
        found.append(Finding(severity="info", code="environment", message=message, fix=fix))
    return found


def _environment(device: Device) -> list[Finding]:
    seen = environment.status()
    if seen.state == "ready":
        return []
    if seen.state == "broken":
        message = f"AutoTrain's environment is broken and will be repaired when the job starts: {seen.detail}"
        return [Finding(severity="warning", code="environment", message=message, fix=seen.fix)]
    size = _PACKAGES_BYTES if device == "cpu" else _PACKAGES_CUDA_BYTES
    message = (
        f"AutoTrain's environment is {seen.state}. It is made in {seen.path} when the job starts: {size / 1e9:.1f} GB from the package "
        f"index, one to two minutes on a fast connection, once for a machine."
    )
    return [Finding(severity="info", code="environment", message=message, fix=seen.fix)]


class _Chosen(NamedTuple):
    rows: list[Line]
    longest: list[Line]
    total: int


def _choose(path: Path) -> _Chosen:
    """Take all rows of a file, or of a large one a seeded choice of them and the longest of the others."""
    kept: list[Line] = []
    spare: list[tuple[int, int, Line]] = []
    chance, total = random.Random(0), 0  # noqa: S311 - a sample, not a secret
    for line in read(path):
        total += 1
        out: Line | None = line
        if len(kept) < _LOOKED_AT:
            kept.append(line)
            continue
        place = chance.randrange(total)
        if place < _LOOKED_AT:
            out, kept[place] = kept[place], line
        if out is not None:
            spare.append((len(str(out.row)), -out.number, out))
        if len(spare) > 4 * _LONGEST:
            spare = sorted(spare, key=lambda item: item[:2], reverse=True)[:_LONGEST]
    longest = sorted(spare, key=lambda item: item[:2], reverse=True)[:_LONGEST]
    return _Chosen(sorted(kept, key=lambda line: line.number), [line for *_, line in longest], total)


def _rows(folder: Path, resolved: defaults.Resolved, data: dict[str, Path], limit: int, found: list[Finding]) -> tuple[Counts | None, int]:
    """Render the rows of each file, add what they tell to `found`, and give the training file's counts and rows."""
    _, renderer = words.load(folder, resolved)
    train: Counts | None = None
    total = 0
    for role, path in data.items():
        as_train = {"packing": train.packed} if train is not None and resolved.method == "sft" else {}
        writer = Writer(renderer, resolved.model_copy(update=as_train), limit)
        chosen = _choose(path)
        counts = build(chosen.rows, writer).counts
        if chosen.longest:
            counts = counts.beside(build(chosen.longest, writer).counts)
        scale = chosen.total / max(1, counts.rows)
        steps = defaults.steps(resolved, round(counts.sequences * scale)) if role == "train" else None
        told = findings(counts, resolved, role=role, limit=limit, steps=steps)
        if counts.rows < chosen.total:
            message = f"{counts.rows:,} of {chosen.total:,} {role} rows were rendered (a seeded choice), and the longest ones."
            told.append(finding("sampled", message))
        found += (one.model_copy(update={"file": role}) for one in told) if len(data) > 1 else told
        if role == "train":
            train, total = counts, chosen.total
    return train, total


def _device(resolved: defaults.Resolved) -> list[Finding]:
    if resolved.device == "cuda":
        return []
    found = []
    if resolved.quantization:
        message = f"{resolved.quantization} weights need an NVIDIA GPU: they have kernels only there, and this machine has none."
        fix = "Use `adapter: lora` without `quantization`."
        found.append(_error("qlora", message, fix))
    if resolved.use_flash_attention_2:
        found.append(_error("flash-attention", "`use_flash_attention_2` needs an NVIDIA GPU.", "Leave it out."))
    if resolved.mixed_precision == "fp16":
        found.append(_error("mixed-precision", "`mixed_precision: fp16` needs an NVIDIA GPU.", "Leave it out."))
    return found


def _trackers(spec: TrainingSpec) -> list[Finding]:
    fix = "Leave it out of `report_to`: the ledger has the metrics. AutoTrain's environment has `tensorboard` only."
    others = [name for name in spec.method.report_to or () if name not in {"none", "tensorboard"}]
    return [_error("report-to", f"The tracker {name!r} is not installed in AutoTrain's environment.", fix) for name in others]


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
