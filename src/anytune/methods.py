"""What is learned, and how: the methods with their hyperparameters, by Hugging Face's names. They know no backend.

Limits are those that hold everywhere. What one host allows besides (OpenAI: 1 to 50 whole epochs) is its own backend's to say;
those of reinforcement tuning are OpenAI's, who gave it its words (OpenAI's description of its API, read 2026-11-22).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, TypeAdapter

from anytune.settings import Settings

__all__ = ["CLM", "DPO", "ORPO", "RFT", "SFT", "Hyperparameters", "Method", "Reward"]

_JSON: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


def _json(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what no file and no request could bear."""
    return _JSON.validate_python(value)


def _unsaid(value: object) -> object:
    """Take `auto` for None, so that both make the same job: with either the backend chooses."""
    return None if value == "auto" else value


_Auto = Literal["auto"]
_Count = Annotated[int, Field(ge=1)]
_Positive = Annotated[float, Field(gt=0)]
_Passes = Annotated[float, Field(gt=0, le=1000)]
_Epochs = Annotated[_Passes | None, BeforeValidator(_unsaid, json_schema_input_type=_Passes | _Auto | None)]


class Hyperparameters(Settings):
    """What every method shares. None means: the backend chooses, and the choice is stored beside the job."""

    aliases: ClassVar = {
        "n_epochs": "num_train_epochs",
        "epochs": "num_train_epochs",
        "lr": "learning_rate",
        "max_seq_length": "max_length",
        "max_seq_len": "max_length",
        "cutoff_len": "max_length",
        "block_size": "max_length",
        "warmup_ratio": "warmup_steps",
        "scheduler": "lr_scheduler_type",
        "gradient_accumulation": "gradient_accumulation_steps",
        "random_seed": "seed",
    }
    refused: ClassVar = {
        "train_batch_size": "Say `per_device_train_batch_size` (rows on one device) or `batch_size` (rows a step, hosted backends).",
        "micro_batch_size": "Say `per_device_train_batch_size`.",
    }

    num_train_epochs: _Epochs = None
    """Passes over the training rows; `auto` and None are the same. OpenAI's name: `n_epochs`."""
    max_steps: int | None = Field(default=None, gt=0)
    """Optimiser steps; when set, it ends the run before `num_train_epochs` does."""
    learning_rate: float | None = Field(default=None, gt=0, lt=10)
    """Absolute peak learning rate. Hosted backends that only know a multiplier list it as lost."""
    learning_rate_multiplier: _Positive | _Auto | None = None
    """OpenAI's multiplier of its own base rate; not a learning rate."""
    per_device_train_batch_size: int | None = Field(default=None, gt=0)
    """Rows in one forward pass on one device."""
    gradient_accumulation_steps: int | None = Field(default=None, gt=0)
    """Forward passes an optimiser step."""
    batch_size: _Count | _Auto | None = None
    """OpenAI's global rows a step; not `per_device_train_batch_size`."""
    warmup_steps: float | None = Field(default=None, ge=0)
    """Steps of warm-up; below 1 it is a share of all steps."""
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] | None = None
    """How the learning rate moves after warm-up."""
    weight_decay: float | None = Field(default=None, ge=0, lt=1)
    """AdamW's weight decay."""
    max_grad_norm: float | None = Field(default=None, gt=0)
    """Gradients are clipped to this norm."""
    max_length: int | None = Field(default=None, ge=8)
    """Tokens of the longest row. What happens to longer ones: `overlong`."""
    overlong: Literal["error", "drop", "truncate"] = "error"
    """Rows over `max_length`: refuse the job, leave them out, or cut their end off. What was done is counted."""
    packing: bool | None = None
    """Put several rows into one sequence; only where the attention kernel keeps them apart."""
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    """Of weights, dropout and row order."""
    save_steps: int | None = Field(default=None, gt=0)
    """Optimiser steps between two checkpoints."""
    save_total_limit: int | None = Field(default=None, gt=0)
    """Checkpoints that are kept; older ones are deleted."""
    logging_steps: int | None = Field(default=None, gt=0)
    """Optimiser steps between two metrics."""
    eval_steps: int | None = Field(default=None, gt=0)
    """Optimiser steps between two losses on the validation rows."""
    report_to: tuple[str, ...] | None = None
    """Experiment trackers of transformers (`wandb`, `mlflow`, `trackio`); none unless named."""


class SFT(Hyperparameters):
    """Supervised tuning: the model learns the assistant's turns.

    Example:
        >>> SFT(n_epochs=2).num_train_epochs
        2.0
    """

    type: Literal["sft"] = "sft"


class DPO(Hyperparameters):
    """Direct preference optimisation: the model learns to prefer one answer over another."""

    type: Literal["dpo"] = "dpo"
    beta: _Positive | _Auto | None = None
    """How strongly the tuned model is held to the base model; TRL's default is 0.1."""


class ORPO(Hyperparameters):
    """Odds-ratio preference optimisation: the better answer is learned, the worse one made less likely, and no base model asked beside."""

    type: Literal["orpo"] = "orpo"
    beta: _Positive | _Auto | None = None
    """Weight of the odds ratio beside the loss on the better answer; TRL's default is 0.1."""


class Reward(Hyperparameters):
    """A reward model learns to score the better of two answers higher. It gives numbers, not text: no endpoint chats with it."""

    type: Literal["reward"] = "reward"


class CLM(Hyperparameters):
    """Causal language modelling, also called continued pre-training: every token of the text is learned, in blocks of `max_length`."""

    type: Literal["clm"] = "clm"


class RFT(Hyperparameters):
    """Reinforcement tuning: the model answers, a grader scores its answers, and higher scores are learned.

    Only hosted backends offer it. Its rows end with the user's turn, and bear the fields that the grader names.

    Example:
        >>> same = {"type": "string_check", "name": "same", "operation": "eq"}
        >>> RFT(grader=same | {"input": "{{sample.output_text}}", "reference": "{{item.answer}}"}, eval_samples=2).eval_samples
        2
    """

    type: Literal["rft"] = "rft"
    grader: Annotated[dict[str, Any], AfterValidator(_json)]
    """How an answer is scored: a grader in OpenAI's JSON. Preflight judges it and looks in each row for the fields that it names."""
    compute_multiplier: Annotated[float, Field(gt=1e-5, le=10)] | _Auto | None = None
    """Multiplies the compute that explores answers (over 0.00001, at most 10)."""
    eval_interval: _Count | _Auto | None = None
    """Training steps between two evaluations."""
    eval_samples: _Count | _Auto | None = None
    """Answers that are sampled for each validation row of an evaluation."""
    reasoning_effort: Literal["default", "low", "medium", "high"] | None = None
    """How long the model thinks before it answers."""


Method = Annotated[SFT | DPO | ORPO | Reward | CLM | RFT, Field(discriminator="type")]
