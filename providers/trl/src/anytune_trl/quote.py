"""What a run will take: tokens exactly, time and memory as estimates that say how they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anytune.values import Quote
from anytune_huggingface.device import bf16_products, threads

if TYPE_CHECKING:
    from anytune_huggingface.models.shape import Shape
    from anytune_trl.defaults import Resolved

__all__ = ["Load", "activation_bytes", "disk_bytes", "memory_bytes", "minutes", "quote", "saving_bytes", "saving_s", "work"]

_SPEED = {"lora": 80e9, "full": 55e9}
_PLAIN_SPEED = 20e9
"""Useful operations a second and core: with bf16 instructions 350 tokens/s by LoRA and 170 by full tuning, without them 86 by LoRA
(SmolLM2-135M, SNIPS rows, 2 cores of an AMD EPYC, 2026-11-22)."""
_GPU_SPEED = 60e12
"""Useful bf16 operations a second of a data-centre GPU: a fifth of what vendors promise of an A100. Not measured here."""
_LIBRARIES_BYTES = 750e6
"""torch, transformers, peft and TRL in memory (measured 2026-11-22)."""
_SLACK = 1.25
"""What allocators hold beyond what is needed: 1.64 MB a token where the sum below gives 1.29 (SmolLM2-135M, 2026-11-22)."""
_STARTING_S = 10.0
"""Imports, and what the first step takes longer than the others: 8 s on 2 quiet cores, 17 s with others at work (2026-11-22)."""
_DISK_BYTES_A_S = 1e9
_PLAIN_TOKENS = 512
"""Rows up to here take plain attention on a CPU, longer ones a blocked kernel (`anytune_trl.mixed`)."""


class Load(NamedTuple):
    """What a run reads.

    Attributes:
        tokens: Tokens over all epochs.
        learned_share: Share of them that the loss is on.
        mean: Tokens of the mean row.
        longest: Tokens of the longest row.
    """

    tokens: int
    learned_share: float
    mean: float
    longest: int


def quote(load: Load, shape: Shape, parameters: int, resolved: Resolved) -> Quote:
    """Estimate a run from the model's sizes.

    Args:
        load: What it reads.
        shape: The model's sizes.
        parameters: Its weights.
        resolved: All settings.
    """
    operations = work(load, shape, resolved)
    gpu = resolved.device == "cuda"
    speed = f"{_speed(resolved):.2g} a second ({'one GPU, not measured' if gpu else f'{threads()} cores'})"
    basis = (
        f"tokens counted with the model's tokenizer and template; minutes estimated from {operations:.2g} operations at {speed}, loading "
        f"and saving included; memory estimated from {parameters / 1e6:.0f}M weights, {shape.layers} layers of width {shape.hidden}, "
        f"{shape.vocabulary} words and {resolved.per_device_train_batch_size} rows of {load.longest} tokens; "
        f"such minutes proved up to half too many on a quiet machine and half of what it took on a busy one, such memory right to an eighth"
    )
    return Quote(
        tokens=load.tokens,
        cost_usd=0.0,
        minutes=round(minutes(operations / _speed(resolved), parameters), 1),
        memory_bytes=memory_bytes(load, shape, parameters, resolved),
        basis=basis,
    )


def work(load: Load, shape: Shape, resolved: Resolved) -> float:
    """Count the operations of a run.

    Forward 2 a weight and token, the same backward to the activations, and again for the gradients of weights that learn. Activations that
    are not kept are computed twice. On a CPU the vocabulary is asked for learned tokens only.
    """
    full = resolved.adapter == "full"
    passes = 2 + 2 + (2 if full else 0) + (2 if _forgets(resolved) else 0)
    attention = 2 * load.mean * shape.heads * shape.head * shape.layers  # a query meets every key, twice
    layers = passes * (shape.active_weights + attention)
    head = (6 if full else 4) * shape.embedding_weights * (load.learned_share if _learned_only(resolved) else 1.0)
    if resolved.method == "dpo":  # the base model is asked as well
        layers, head = layers * (passes + 2) / passes, head * 1.5
    return load.tokens * (layers + head)


def minutes(training_s: float, parameters: int, *, loading_s: float | None = None) -> float:
    """Add up training, loading (estimated where it was not measured) and saving."""
    start = _STARTING_S + 4 * parameters / _DISK_BYTES_A_S if loading_s is None else loading_s
    return (training_s + start + saving_s(parameters)) / 60


def saving_s(parameters: int) -> float:
    """Seconds to merge, write, load again and ask: each weight is read or written about five times, in 4 bytes."""
    return 3.0 + 5 * 4 * parameters / _DISK_BYTES_A_S


def memory_bytes(load: Load, shape: Shape, parameters: int, resolved: Resolved) -> int:
    """Estimate the peak: while training, or while saving after it."""
    gpu = resolved.device == "cuda"
    activations = _SLACK * activation_bytes(load, shape, resolved)
    if resolved.adapter == "full":
        # Gradients take the place of activations that the backward pass is through with.
        training = (14.0 if gpu else 12.0) * parameters + max(activations, 4.0 * parameters)
    else:
        a_weight = 0.7 if resolved.adapter == "qlora" else 2.0 if gpu else 6.0 if resolved.bf16_products else 4.0
        others = (2.0 if gpu else 4.0) * (parameters - shape.layer_weights)
        adapter = 16.0 * shape.adapter_weights(resolved.r or 16, resolved.target_modules)
        training = a_weight * shape.layer_weights + others + adapter + activations
    return int(training + (1.5e9 if gpu else _LIBRARIES_BYTES + saving_bytes(parameters, resolved)))


def saving_bytes(parameters: int, resolved: Resolved) -> int:
    """Bytes that merging and proving take on top of training: on a CPU the heap still holds most of what training gave back.

    0.38 GB with LoRA, 0.34 GB with all weights of 135M (2026-11-22).
    """
    return 0 if resolved.device == "cuda" else 3 * parameters


def activation_bytes(load: Load, shape: Shape, resolved: Resolved) -> float:
    """Bytes that a batch of the longest rows keeps for the backward pass, logits included.

    A layer keeps, for each token, the residual stream before both norms, query, key and value (repeated to all heads), attention's weights,
    what goes into its products, and three tensors of the feed-forward layer. bf16 products keep a copy each of what goes in.
    """
    tokens = resolved.per_device_train_batch_size * load.longest * (2 if resolved.method == "dpo" else 1)
    wide = 2 if resolved.device == "cuda" else 4
    hidden, queries, inner = shape.hidden, shape.heads * shape.head, shape.inner * shape.active_experts
    inputs = 2 * (5 * hidden + queries + inner) if resolved.bf16_products else wide * (2 * hidden + queries)
    kept = wide * (2 * hidden + 3 * queries + 3 * inner) + inputs
    if resolved.device == "cpu" and load.longest <= _PLAIN_TOKENS:
        kept += wide * shape.heads * load.longest
    layers = tokens * (wide * hidden * shape.layers + kept if _forgets(resolved) else kept * shape.layers)
    logits = 12 * shape.vocabulary * tokens * (load.learned_share if _learned_only(resolved) else 1.0)  # them, their softmax, its gradient
    return layers + logits


def disk_bytes(parameters: int, resolved: Resolved) -> int:
    """Bytes that a run writes: merged weights twice while they are moved, and its checkpoints."""
    a_weight = 4 if resolved.dtype == "float32" else 2
    checkpoint = parameters * 12 if resolved.adapter == "full" else parameters // 20 * 12
    return parameters * a_weight + (resolved.save_total_limit + 1) * checkpoint + 50_000_000


def _speed(resolved: Resolved) -> float:
    if resolved.device == "cuda":
        return _GPU_SPEED
    return threads() * (_SPEED["full" if resolved.adapter == "full" else "lora"] if bf16_products() else _PLAIN_SPEED)


def _forgets(resolved: Resolved) -> bool:
    """Tell whether activations are computed again in the backward pass (gradient checkpointing), as the trainer does on GPUs."""
    return resolved.device == "cuda"


def _learned_only(resolved: Resolved) -> bool:
    return resolved.device == "cpu" and resolved.method == "sft"
