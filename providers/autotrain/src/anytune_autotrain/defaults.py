"""What AutoTrain is told where the spec says nothing. Its own defaults stand (0.8.36, read 2026-11-23) but for the last eight.

| setting | value | where it comes from |
|---|---|---|
| adapter | full (`peft: false`) | AutoTrain |
| learning_rate (`lr`) | 3e-5 | AutoTrain, for every method and adapter |
| num_train_epochs (`epochs`) | 1 | AutoTrain |
| per_device_train_batch_size (`batch_size`) | 2 | AutoTrain |
| gradient_accumulation_steps (`gradient_accumulation`) | 4 | AutoTrain |
| warmup_steps (`warmup_ratio`) | 0.1, a share of all steps | AutoTrain |
| lr_scheduler_type (`scheduler`) | linear | AutoTrain |
| weight_decay, max_grad_norm | 0, 1 | AutoTrain |
| optimizer | adamw_torch | AutoTrain |
| max_length (`block_size`) | the model's context, at most 1024 | AutoTrain |
| r, lora_alpha, lora_dropout (`lora_…`) | 16, 32, 0.05 | AutoTrain |
| target_modules | all-linear | AutoTrain |
| beta | 0.1 | AutoTrain; for ORPO, which AutoTrain does not ask, TRL 0.13 |
| packing (SFT) | rows are joined and cut into blocks | AutoTrain, which fails where they do not fill one: rows then stand alone |
| seed | 42 | AutoTrain, which gives it to unsloth only; here it holds |
| eval_strategy | epoch | AutoTrain, which drops local validation rows; here they are measured |
| quantization | none, int4 for QLoRA | AutoTrain takes int4 for every adapter, which no CPU can |
| mixed_precision | bf16 for adapters on a GPU, otherwise none | AutoTrain: none; float32 products take several times as long there |
| disable_gradient_checkpointing | on a CPU | AutoTrain: never; the numbers are the same, memory is what it would save |
| max_prompt_length | a whole row | AutoTrain: 128, which cuts the beginning of longer prompts off without a word |
| save_steps | a tenth of the run (full: a quarter), 10 at least | AutoTrain: no checkpoints without validation rows |
| save_total_limit | 2 | AutoTrain: 1 |
| logging_steps | a hundredth of the run, 1 to 10 | AutoTrain: a fifth of the data, 1 to 25 |
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from anytune.errors import ConfigError, Unsupported
from anytune.spec import DPO, ORPO, RFT, LoRA, QLoRA
from anytune.values import Value
from anytune_autotrain.params import Options

if TYPE_CHECKING:
    from anytune.spec import TrainingSpec
    from anytune_huggingface.device import Device

__all__ = ["BLOCK", "Resolved", "fitted", "max_length", "resolve", "steps"]

BLOCK = 1024
"""Tokens of a block where neither spec nor model say less."""

Trainer = Literal["sft", "dpo", "orpo", "reward", "clm"]


class Resolved(Value):
    """All settings of a run, chosen and defaulted, by anytune's names and AutoTrain's where it has none; stored beside the job."""

    method: Trainer
    adapter: Literal["lora", "qlora", "full"]
    device: Literal["cpu", "cuda"]
    quantization: Literal["int4", "int8"] | None
    mixed_precision: Literal["fp16", "bf16"] | None
    learning_rate: float
    num_train_epochs: float
    max_steps: int | None
    per_device_train_batch_size: int
    gradient_accumulation_steps: int
    warmup_steps: float
    lr_scheduler_type: str
    weight_decay: float
    max_grad_norm: float
    optimizer: str
    max_length: int | None
    """Tokens of a block, as the spec has it; None: the model's context, at most 1024."""
    seed: int
    packing: bool | None
    """SFT: rows are joined and cut into blocks; None: where they fill one block at least."""
    overlong: Literal["error", "drop", "truncate"]
    save_steps: int | None
    save_total_limit: int
    logging_steps: int | None
    eval_strategy: Literal["epoch", "steps", "no"]
    eval_steps: int | None
    r: int | None = None
    lora_alpha: int | None = None
    lora_dropout: float | None = None
    target_modules: str | tuple[str, ...] | None = None
    beta: float | None = None
    add_eos_token: bool = True
    padding: Literal["left", "right"] = "right"
    model_max_length: int = 2048
    max_prompt_length: int | None = None
    max_completion_length: int | None = None
    chat_template: Literal["tokenizer", "chatml", "zephyr", "none"] = "tokenizer"
    use_flash_attention_2: bool = False
    disable_gradient_checkpointing: bool = False
    auto_find_batch_size: bool = False
    model_ref: str | None = None
    tensorboard: bool = False

    @property
    def global_batch(self) -> int:
        """Sequences in one optimiser step."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    @property
    def pairs(self) -> bool:
        """Rows are pairs of answers."""
        return self.method in {"dpo", "orpo", "reward"}


def resolve(spec: TrainingSpec, device: Device) -> Resolved:
    """Choose every setting that the spec left open.

    Raises:
        Unsupported: Reinforcement tuning.
        ConfigError: A word of `options.autotrain` is not known or refused, or two words contradict each other.
    """
    if isinstance(spec.method, RFT):
        raise Unsupported("AutoTrain does not train with graders.", fix="Use another method, or a backend that offers rft.")
    method, adapter, options = spec.method, spec.adapter, Options.of(spec)
    lora = adapter if isinstance(adapter, LoRA) else None
    if options.quantization and lora is None:
        raise ConfigError("`quantization` needs an adapter: all weights cannot be trained in 4 or 8 bits.", fix="Say `adapter: lora`.")
    four_bits = isinstance(lora, QLoRA)
    if options.quantization == "int8" and four_bits:
        raise ConfigError("`adapter: qlora` is a base in 4 bits, and `quantization` says int8.", fix="Say `adapter: lora` for int8.")
    settings: dict[str, Any] = {
        "method": method.type,
        "adapter": "qlora" if options.quantization == "int4" or four_bits else "lora" if lora is not None else "full",
        "device": device,
        "quantization": options.quantization or ("int4" if four_bits else None),
        "mixed_precision": options.mixed_precision or ("bf16" if device == "cuda" and lora is not None else None),
        "learning_rate": method.learning_rate or 3e-5,
        "num_train_epochs": method.num_train_epochs or 1.0,
        "max_steps": method.max_steps,
        "warmup_steps": 0.1 if method.warmup_steps is None else method.warmup_steps,
        "lr_scheduler_type": options.scheduler or method.lr_scheduler_type or "linear",
        "weight_decay": method.weight_decay or 0.0,
        "max_grad_norm": (method.max_grad_norm or 1.0) if options.max_grad_norm is None else options.max_grad_norm,
        "max_length": method.max_length,
        "seed": 42 if method.seed is None else method.seed,
        "packing": method.packing if method.type == "sft" else False,
        "overlong": method.overlong,
        "save_steps": method.save_steps,
        "save_total_limit": method.save_total_limit or 2,
        "logging_steps": method.logging_steps,
        "eval_strategy": "steps" if method.eval_steps else options.eval_strategy,
        "eval_steps": method.eval_steps,
    }
    settings |= _batch(spec) | _adapter(lora) | _own(spec, options, device)
    if isinstance(method, (DPO, ORPO)):
        settings["beta"] = method.beta if isinstance(method.beta, float) else 0.1
    return Resolved(**settings)


def _batch(spec: TrainingSpec) -> dict[str, int]:
    """Take the batch in Hugging Face's words; OpenAI's `batch_size` (rows a step) is split where it alone is given."""
    method = spec.method
    rows, passes = method.per_device_train_batch_size, method.gradient_accumulation_steps
    if rows is None and isinstance(method.batch_size, int):
        rows = 2 if method.batch_size % 2 == 0 else 1
        passes = passes or method.batch_size // rows
    return {"per_device_train_batch_size": rows or 2, "gradient_accumulation_steps": passes or 4}


def _adapter(lora: LoRA | None) -> dict[str, Any]:
    if lora is None:
        return {}
    dropout = 0.05 if lora.lora_dropout is None else lora.lora_dropout
    return {
        "r": lora.r or 16,
        "lora_alpha": lora.lora_alpha or 32,
        "lora_dropout": dropout,
        "target_modules": lora.target_modules or "all-linear",
    }


def _own(spec: TrainingSpec, options: Options, device: Device) -> dict[str, Any]:
    keep = options.disable_gradient_checkpointing
    return {
        "optimizer": options.optimizer,
        "add_eos_token": options.add_eos_token,
        "padding": options.padding,
        "model_max_length": options.model_max_length,
        "max_prompt_length": options.max_prompt_length,
        "max_completion_length": options.max_completion_length,
        "chat_template": options.chat_template,
        "use_flash_attention_2": options.use_flash_attention_2,
        "disable_gradient_checkpointing": device == "cpu" if keep is None else keep,
        "auto_find_batch_size": options.auto_find_batch_size,
        "model_ref": options.model_ref,
        "tensorboard": options.log == "tensorboard" or "tensorboard" in (spec.method.report_to or ()),
    }


def max_length(resolved: Resolved, context: int | None) -> int:
    """Give the tokens of a block: the spec's, or the model's context up to `BLOCK`."""
    return resolved.max_length or min(context or BLOCK, BLOCK)


def fitted(resolved: Resolved, sequences: int) -> Resolved:
    """Lower the passes of a step to the batches that there are: an epoch that is shorter than a step is one step of what there is."""
    batches = max(1, math.ceil(sequences / resolved.per_device_train_batch_size))
    return resolved.model_copy(update={"gradient_accumulation_steps": min(resolved.gradient_accumulation_steps, batches)})


def steps(resolved: Resolved, sequences: int) -> int:
    """Count the optimiser steps of a run: an epoch is as many sequences as fill its steps, others each time (`repairs.correct_passes`)."""
    if resolved.max_steps is not None:
        return resolved.max_steps
    an_epoch = max(1, sequences // resolved.global_batch)
    return math.ceil(an_epoch * resolved.num_train_epochs)
