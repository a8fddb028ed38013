"""What a run will take: tokens exactly, time and memory as estimates that say how they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.values import Quote
from anytune_trl.device import threads

if TYPE_CHECKING:
    from anytune_trl.defaults import Resolved

__all__ = ["disk_bytes", "quote"]

_CPU_FLOPS_PER_CORE = 35e9
"""Useful float32 operations a second and core: SmolLM2-135M, LoRA, 86 tokens/s on 2 idle cores (facts/training.md, 2026-11-22) at 4 × 135M
operations a token, rounded down."""
_GPU_FLOPS = 60e12
"""Useful bf16 operations a second of a data-centre GPU: a third of what vendors promise of an A100."""
_SAVING_S = 30.0
_LOADING_S = 30.0


def quote(tokens: int, parameters: int, resolved: Resolved, longest: int) -> Quote:
    """Estimate a run.

    Args:
        tokens: Tokens read in training, over all epochs.
        parameters: Weights of the base model.
        resolved: All settings.
        longest: Tokens of the longest row.
    """
    speed = _GPU_FLOPS if resolved.device == "cuda" else _CPU_FLOPS_PER_CORE * threads()
    # Forward 2 and backward 4 operations a weight and token; a frozen base needs no gradients of its weights.
    work = (6.0 if resolved.adapter == "full" else 4.0) * parameters * tokens
    basis = (
        f"tokens counted with the model's tokenizer and template; minutes estimated from {work:.2g} operations at {speed:.2g} a second "
        f"({'one GPU' if resolved.device == 'cuda' else f'{threads()} cores'}), loading and saving included; memory estimated from "
        f"{parameters / 1e6:.0f}M weights and {resolved.per_device_train_batch_size} rows of {longest} tokens"
    )
    minutes = (work / speed + _LOADING_S + _SAVING_S) / 60
    return Quote(tokens=tokens, cost_usd=0.0, minutes=round(minutes, 1), memory_bytes=_memory(parameters, resolved, longest), basis=basis)


def _memory(parameters: int, resolved: Resolved, longest: int) -> int:
    """Weights, gradients, AdamW's two moments, and activations (about 30 bytes a weight's square root, token and row, times layers)."""
    a_weight = {"full": 16.0, "lora": 4.0 if resolved.device == "cpu" else 2.0, "qlora": 0.7}[resolved.adapter]
    width = parameters**0.5 / 10
    activations = resolved.per_device_train_batch_size * longest * width * 30 * 16
    return int(a_weight * parameters + activations + 1e9)


def disk_bytes(parameters: int, resolved: Resolved) -> int:
    """Bytes that a run writes: merged weights twice while they are moved, and its checkpoints."""
    a_weight = 4 if resolved.dtype == "float32" else 2
    checkpoint = parameters * 12 if resolved.adapter == "full" else parameters // 20 * 12
    return parameters * a_weight + (resolved.save_total_limit + 1) * checkpoint + 50_000_000
