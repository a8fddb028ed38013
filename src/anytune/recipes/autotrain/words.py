"""AutoTrain's words for language models, each with its default and what becomes of it in a spec.

The table is the whole of `LLMTrainingParams` in autotrain-advanced 0.8.36, in its order: the keys of `params:` in a YAML, and (with `-` for
`_`) the flags of `autotrain llm`. A test holds it against the class itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BACKENDS", "OPTIONS", "PARAMS", "TASKS", "TRAINERS", "Word"]

Fate = Literal["spec", "data", "option", "either", "left-out", "secret"]


class Word(NamedTuple):
    """One of AutoTrain's words.

    Attributes:
        kind: Its type; None is allowed where the default is None, or where `empty` says so.
        default: What AutoTrain takes where nothing is said.
        fate: `spec`: a field of the spec. `data`: it says where and how rows lie. `option`: `options.autotrain` in the same word.
            `either`: a field where the spec has a word for the value, else an option. `left-out`: unsupported, for the reason in `to`.
            `secret`: never read.
        to: The field, or the reason and what to do.
        empty: Whether None is a value.
    """

    kind: type
    default: Any
    fate: Fate
    to: str = ""
    empty: bool = False


_UNSLOTH = "the pinned environment has no unsloth, and AutoTrain trains without it where it is missing"
_ONE_PROCESS = "training runs in one process on one machine; use a larger GPU, or the `trl` backend with accelerate"

PARAMS: Mapping[str, Word] = {
    "model": Word(str, "gpt2", "spec", "model"),
    "project_name": Word(str, "project-name", "spec", "name"),
    "data_path": Word(str, "data", "data", "train"),
    "train_split": Word(str, "train", "data", "train"),
    "valid_split": Word(str, None, "data", "validation", empty=True),
    "add_eos_token": Word(bool, default=True, fate="option"),
    "block_size": Word(int, -1, "spec", "method.max_length"),
    "model_max_length": Word(int, 2048, "option"),
    "padding": Word(str, "right", "option", empty=True),
    "trainer": Word(str, "default", "spec", "method.type"),
    "use_flash_attention_2": Word(bool, default=False, fate="option"),
    "log": Word(str, "none", "either", "method.report_to"),
    "disable_gradient_checkpointing": Word(bool, default=False, fate="option"),
    "logging_steps": Word(int, -1, "spec", "method.logging_steps"),
    "eval_strategy": Word(str, "epoch", "option"),
    "save_total_limit": Word(int, 1, "spec", "method.save_total_limit"),
    "auto_find_batch_size": Word(bool, default=False, fate="option"),
    "mixed_precision": Word(str, None, "option", empty=True),
    "lr": Word(float, 3e-5, "spec", "method.learning_rate"),
    "epochs": Word(int, 1, "spec", "method.num_train_epochs"),
    "batch_size": Word(int, 2, "spec", "method.per_device_train_batch_size"),
    "warmup_ratio": Word(float, 0.1, "spec", "method.warmup_steps"),
    "gradient_accumulation": Word(int, 4, "spec", "method.gradient_accumulation_steps"),
    "optimizer": Word(str, "adamw_torch", "option"),
    "scheduler": Word(str, "linear", "either", "method.lr_scheduler_type"),
    "weight_decay": Word(float, 0.0, "spec", "method.weight_decay"),
    "max_grad_norm": Word(float, 1.0, "either", "method.max_grad_norm"),
    "seed": Word(int, 42, "spec", "method.seed"),
    "chat_template": Word(str, None, "option", empty=True),
    "quantization": Word(str, "int4", "either", "adapter.type", empty=True),
    "target_modules": Word(str, "all-linear", "spec", "adapter.target_modules", empty=True),
    "merge_adapter": Word(bool, default=False, fate="option"),
    "peft": Word(bool, default=False, fate="spec", to="adapter.type"),
    "lora_r": Word(int, 16, "spec", "adapter.r"),
    "lora_alpha": Word(int, 32, "spec", "adapter.lora_alpha"),
    "lora_dropout": Word(float, 0.05, "spec", "adapter.lora_dropout"),
    "model_ref": Word(str, None, "option", empty=True),
    "dpo_beta": Word(float, 0.1, "spec", "method.beta"),
    "max_prompt_length": Word(int, 128, "option"),
    "max_completion_length": Word(int, None, "option", empty=True),
    "prompt_text_column": Word(str, None, "data", "train", empty=True),
    "text_column": Word(str, "text", "data", "train"),
    "rejected_text_column": Word(str, None, "data", "train", empty=True),
    "push_to_hub": Word(bool, default=False, fate="option"),
    "username": Word(str, None, "option", empty=True),
    "token": Word(str, None, "secret", empty=True),
    "unsloth": Word(bool, default=False, fate="left-out", to=_UNSLOTH),
    "distributed_backend": Word(str, None, "left-out", _ONE_PROCESS, empty=True),
}

OPTIONS = frozenset(name for name, word in PARAMS.items() if word.fate in {"option", "either"})
"""What `options.autotrain` of a spec may hold."""

TASKS: Mapping[str, str] = {
    "llm": "default",
    "lm_training": "default",
    "llm-generic": "default",
    "llm-sft": "sft",
    "llm-dpo": "dpo",
    "llm-orpo": "orpo",
    "llm-reward": "reward",
}
"""Tasks for language models, with their trainers."""

TRAINERS: Mapping[str, str] = {"sft": "sft", "dpo": "dpo", "orpo": "orpo", "reward": "reward", "default": "clm", "generic": "clm"}
"""Trainers, with our methods."""

BACKENDS: Mapping[str, str] = {
    "ep-": "An Inference Endpoint serves, and trains nothing here. Use `spaces-l4x1`, or `--backend trl@hf_jobs:l4x1`.",
    "nvcf-": "AutoTrain starts NVCF only from inside its own Space. Use `spaces-l4x1`, or `--backend trl@hf_jobs:l4x1`.",
    "dgx-": "AutoTrain's NGC service answers no more. Use `spaces-a100-large`, or `--backend trl@hf_jobs:a100-large`.",
    "ngc-": "AutoTrain's NGC service answers no more. Use `spaces-a100-large`, or `--backend trl@hf_jobs:a100-large`.",
}
"""Beginnings of AutoTrain's backends that are not supported, with what to do instead."""
