"""What a run will take: tokens exactly, time and memory as estimates that say how they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anytune.values import Quote
from anytune_huggingface.device import threads

if TYPE_CHECKING:
    from anytune_autotrain.defaults import Resolved
    from anytune_huggingface.models.shape import Shape

__all__ = ["Load", "disk_bytes", "memory_bytes", "quote"]

_SPEED = 45e9
"""Useful float32 operations a second and core (49e9 a CPU second: SmolLM2-135M, LoRA, SNIPS rows, 2026-11-23)."""
_GPU_SPEED = 60e12
"""Useful bf16 operations a second of a data-centre GPU: a fifth of what vendors promise of an A100. Not measured here."""
_STARTING_S = 25.0
"""Imports of the driver's libraries, and of those that prove the result."""
_LIBRARIES_BYTES = 900e6
"""torch, transformers, peft, trl and datasets in memory."""
_SLACK = 1.25
"""What allocators hold beyond what is needed."""
_DISK_BYTES_A_S = 1e9


class Load(NamedTuple):
    """What a run reads.

    Attributes:
        tokens: Tokens over all epochs.
        mean: Tokens of the mean sequence.
        longest: Tokens of the longest sequence.
    """

    tokens: int
    mean: float
    longest: int


def quote(load: Load, shape: Shape, parameters: int, resolved: Resolved, context: str = "") -> Quote:
    """Estimate a run from the model's sizes.

    Args:
        load: What it reads.
        shape: The model's sizes.
        parameters: Its weights.
        resolved: All settings.
        context: What else there is to say of the figures.
    """
    operations = _work(load, shape, resolved)
    gpu = resolved.device == "cuda"
    where = "one GPU, not measured" if gpu else f"{threads()} cores"
    speed = _GPU_SPEED if gpu else _SPEED * threads()
    basis = (
        f"tokens counted with the model's tokenizer as AutoTrain's {resolved.method} trainer takes them; minutes estimated from "
        f"{operations:.2g} operations at {speed:.2g} a second ({where}), loading and saving included; memory estimated from "
        f"{parameters / 1e6:.0f}M weights and {resolved.per_device_train_batch_size} sequences of {load.longest} tokens{context}"
    )
    saving_s = 3.0 + 9 * 4 * parameters / _DISK_BYTES_A_S
    return Quote(
        tokens=load.tokens,
        cost_usd=0.0,
        minutes=round((operations / speed + _STARTING_S + saving_s) / 60, 1),
        memory_bytes=memory_bytes(load, shape, parameters, resolved),
        basis=basis,
    )


def _work(load: Load, shape: Shape, resolved: Resolved) -> float:
    """Count the operations of a run: forward 2 a weight and token, the same backward, and again for the gradients of weights that learn."""
    full = resolved.adapter == "full"
    passes = 2 + 2 + (2 if full else 0) + (0 if resolved.disable_gradient_checkpointing else 2)
    attention = 2 * load.mean * shape.heads * shape.head * shape.layers
    head = 0.0 if resolved.method == "reward" else (6 if full else 4) * shape.embedding_weights
    layers = passes * (shape.active_weights + attention)
    if resolved.method == "dpo":  # the base model is asked as well
        layers, head = layers * (passes + 2) / passes, head * 1.5
    return load.tokens * (layers + head)


def memory_bytes(load: Load, shape: Shape, parameters: int, resolved: Resolved) -> int:
    """Estimate the peak while training."""
    gpu = resolved.device == "cuda"
    wide = 2 if resolved.mixed_precision else 4
    sequences = resolved.per_device_train_batch_size * (2 if resolved.pairs else 1)
    tokens = sequences * load.longest
    a_layer = wide * (4 * shape.hidden + 4 * shape.heads * shape.head + 4 * shape.inner * shape.active_experts)
    kept = shape.layers if resolved.disable_gradient_checkpointing else 1
    layers = tokens * (a_layer * kept + wide * shape.hidden * shape.layers)
    logits = 0 if resolved.method == "reward" else 12 * shape.vocabulary * tokens
    activations = _SLACK * (layers + logits)
    if resolved.adapter == "full":
        weights = 16.0 * parameters + (4.0 * parameters if resolved.method == "dpo" else 0)
    else:
        a_weight = {"int4": 0.7, "int8": 1.2}.get(resolved.quantization or "", 4.0)
        others = 4.0 * (parameters - shape.layer_weights)
        weights = a_weight * shape.layer_weights + others + 16.0 * shape.adapter_weights(resolved.r or 16, resolved.target_modules)
    return int(weights + activations + (1.5e9 if gpu else _LIBRARIES_BYTES))


def disk_bytes(parameters: int, resolved: Resolved) -> int:
    """Bytes that a run writes: weights as AutoTrain saves them, merged twice while they are moved, and its checkpoints."""
    a_weight = 2 if resolved.device == "cuda" else 4
    checkpoint = parameters * 12 if resolved.adapter == "full" else parameters // 20 * 12
    own = 4 * parameters if resolved.adapter == "full" else 0
    return parameters * a_weight + own + (resolved.save_total_limit + 1) * checkpoint + 50_000_000
