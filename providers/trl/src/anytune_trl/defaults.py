"""What the backend chooses where the spec says nothing, and from where each choice comes (read 2026-11-22).

| choice | value | source |
|---|---|---|
| LoRA learning rate, SFT | 2e-4 | QLoRA paper, appendix B; about ten times that of full tuning (Thinking Machines, "LoRA without regret") |
| full learning rate, SFT | 2e-5 | TRL's default |
| LoRA learning rate, DPO | 1e-5 | ten times TRL's default for full DPO |
| full learning rate, DPO | 1e-6 | TRL's default |
| r 16, alpha 32, all linear layers | | "LoRA without regret": all layers, alpha 32; the rank of most recipes |
| beta | 0.1 | TRL's default |
| epochs | 3 | TRL's default, and that of OpenAI's walk-through |
| weight decay 0, gradient norm 1 | | transformers' defaults |
| max_length | the model's context, at most 2048 | longer rows are an error, so nothing is cut in silence |
| CPU: float32, no activation checkpointing | | measured on 2 cores: 86 tokens/s instead of 28 |
| CPU with bf16 instructions: LoRA's products in bf16 | | float32's losses, about four fifths of its CPU time (`anytune_trl.mixed`) |
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from anytune.errors import Unsupported
from anytune.spec import DPO, RFT, LoRA
from anytune.values import Value
from anytune_huggingface.device import bf16_products

if TYPE_CHECKING:
    from anytune.spec import TrainingSpec
    from anytune_huggingface.device import Device

__all__ = ["MAX_LENGTH", "Resolved", "max_length", "resolve", "steps"]

MAX_LENGTH = 2048
"""Tokens of the longest row where neither spec nor model say less."""

_BATCH = 8
_RATES = {("sft", True): 2e-4, ("sft", False): 2e-5, ("dpo", True): 1e-5, ("dpo", False): 1e-6}


class Resolved(Value):
    """All settings of a run, chosen and defaulted; stored beside the job and in the model card."""

    method: Literal["sft", "dpo"]
    adapter: Literal["lora", "qlora", "full"]
    device: Literal["cpu", "cuda"]
    dtype: Literal["float32", "bfloat16"]
    learning_rate: float
    num_train_epochs: float
    max_steps: int | None
    per_device_train_batch_size: int
    gradient_accumulation_steps: int
    warmup_steps: float
    lr_scheduler_type: str
    weight_decay: float
    max_grad_norm: float
    bf16_products: bool = False
    """On a CPU: LoRA layers multiply in bf16 and add in float32 (`anytune_trl.mixed`)."""
    seed: int
    packing: bool
    overlong: Literal["error", "drop", "truncate"]
    save_steps: int | None
    save_total_limit: int
    logging_steps: int | None
    eval_steps: int | None
    report_to: tuple[str, ...]
    r: int | None = None
    lora_alpha: int | None = None
    lora_dropout: float | None = None
    target_modules: str | tuple[str, ...] | None = None
    beta: float | None = None

    @property
    def global_batch(self) -> int:
        """Rows in one optimiser step."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps


def resolve(spec: TrainingSpec, device: Device) -> Resolved:
    """Choose every setting that the spec left open.

    Raises:
        Unsupported: Reinforcement tuning.
    """
    if isinstance(spec.method, RFT):
        raise Unsupported("The trl backend does not train with graders.", fix="Use method sft or dpo, or a backend that offers rft.")
    method, adapter = spec.method, spec.adapter if spec.adapter is not None else LoRA()
    lora = isinstance(adapter, LoRA)
    settings: dict[str, Any] = {
        "method": method.type,
        "adapter": adapter.type,
        "device": device,
        "dtype": "bfloat16" if device == "cuda" else "float32",
        "learning_rate": method.learning_rate or _RATES[method.type, lora],
        "num_train_epochs": method.num_train_epochs or 3.0,
        "max_steps": method.max_steps,
        "warmup_steps": 0.03 if method.warmup_steps is None else method.warmup_steps,
        "lr_scheduler_type": method.lr_scheduler_type or "linear",
        "weight_decay": method.weight_decay or 0.0,
        "max_grad_norm": method.max_grad_norm or 1.0,
        "seed": 42 if method.seed is None else method.seed,
        "packing": bool(method.packing),
        "overlong": method.overlong,
        "save_steps": method.save_steps,
        "save_total_limit": method.save_total_limit or 2,
        "logging_steps": method.logging_steps,
        "eval_steps": method.eval_steps,
        "report_to": tuple(t for t in method.report_to or () if t != "none"),
    }
    settings |= _batch(spec)
    if isinstance(adapter, LoRA):
        r = adapter.r or 16
        settings |= {"r": r, "lora_alpha": adapter.lora_alpha or 2 * r, "lora_dropout": adapter.lora_dropout or 0.0}
        settings["target_modules"] = adapter.target_modules or "all-linear"
        settings["bf16_products"] = device == "cpu" and bf16_products()
    if isinstance(method, DPO):
        settings["beta"] = method.beta if isinstance(method.beta, float) else 0.1
    return Resolved(**settings)


def _batch(spec: TrainingSpec) -> dict[str, int]:
    """Take the batch in Hugging Face's words; OpenAI's `batch_size` (rows a step) is split where it alone is given."""
    method = spec.method
    rows, passes = method.per_device_train_batch_size, method.gradient_accumulation_steps
    if rows is None and isinstance(method.batch_size, int):
        rows = next(size for size in range(min(_BATCH, method.batch_size), 0, -1) if method.batch_size % size == 0)
        passes = passes or method.batch_size // rows
    return {"per_device_train_batch_size": rows or _BATCH, "gradient_accumulation_steps": passes or 1}


def max_length(spec: TrainingSpec, context: int | None) -> int:
    """Give the tokens of the longest row: the spec's, or the model's context up to `MAX_LENGTH`."""
    if spec.method.max_length is not None:
        return spec.method.max_length
    return min(context or MAX_LENGTH, MAX_LENGTH)


def steps(resolved: Resolved, samples: int) -> int:
    """Count the optimiser steps of a run."""
    if resolved.max_steps is not None:
        return resolved.max_steps
    an_epoch = max(1, math.ceil(math.ceil(samples / resolved.per_device_train_batch_size) / resolved.gradient_accumulation_steps))
    return math.ceil(an_epoch * resolved.num_train_epochs)
