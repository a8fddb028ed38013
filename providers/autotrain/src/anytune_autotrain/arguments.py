"""All settings in AutoTrain's words: what its driver is told, and the plain YAML with which a person runs AutoTrain without us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from anytune_autotrain.defaults import Resolved

__all__ = ["config", "overrides", "params"]

_TRAINERS = {"clm": "default"}
_TASKS = {"clm": "llm"}


def params(resolved: Resolved, *, model: Path, data: Path, limit: int, validation: bool, reference: Path | None = None) -> dict[str, Any]:
    """Give the fields of AutoTrain's `LLMTrainingParams`; rows are texts, so no template is named, and there is no token.

    Args:
        resolved: All settings.
        model: Folder that AutoTrain's transformers reads.
        data: Folder with `train.jsonl` and perhaps `valid.jsonl`.
        limit: Tokens of a block.
        validation: There is a `valid.jsonl`.
        reference: The model that DPO holds the tuned one to, where it is not the base.
    """
    lora = resolved.adapter != "full"
    modules = resolved.target_modules
    found: dict[str, Any] = {
        "model": str(model),
        "project_name": "model",
        "data_path": str(data),
        "train_split": "train",
        "valid_split": "valid" if validation else None,
        "trainer": _TRAINERS.get(resolved.method, resolved.method),
        "block_size": limit,
        "model_max_length": max(resolved.model_max_length, limit),
        "padding": resolved.padding,
        "add_eos_token": False,  # it stands in the texts, where it is counted
        "use_flash_attention_2": resolved.use_flash_attention_2,
        "disable_gradient_checkpointing": resolved.disable_gradient_checkpointing,
        "logging_steps": resolved.logging_steps or -1,
        "eval_strategy": resolved.eval_strategy if validation else "no",
        "save_total_limit": resolved.save_total_limit,
        "auto_find_batch_size": resolved.auto_find_batch_size,
        "mixed_precision": resolved.mixed_precision,
        "lr": resolved.learning_rate,
        "epochs": max(1, round(resolved.num_train_epochs)),
        "batch_size": resolved.per_device_train_batch_size,
        "warmup_ratio": resolved.warmup_steps if resolved.warmup_steps < 1 else 0.0,
        "gradient_accumulation": resolved.gradient_accumulation_steps,
        "optimizer": resolved.optimizer,
        "scheduler": resolved.lr_scheduler_type,
        "weight_decay": resolved.weight_decay,
        "max_grad_norm": resolved.max_grad_norm,
        "seed": resolved.seed,
        "chat_template": None,
        "quantization": resolved.quantization,
        "peft": lora,
        "merge_adapter": False,
        "text_column": "chosen" if resolved.pairs else "text",
    }
    if lora:
        found |= {"lora_r": resolved.r, "lora_alpha": resolved.lora_alpha, "lora_dropout": resolved.lora_dropout}
        found["target_modules"] = ",".join(modules) if isinstance(modules, tuple) else modules
    if resolved.pairs:
        found["rejected_text_column"] = "rejected"
    if resolved.method in {"dpo", "orpo"}:
        found |= {"prompt_text_column": "prompt", "max_prompt_length": resolved.max_prompt_length or limit}
        found["max_completion_length"] = resolved.max_completion_length
    if resolved.method == "dpo":
        found |= {"dpo_beta": resolved.beta, "model_ref": str(reference) if reference and not lora else None}
    return found


def overrides(resolved: Resolved, *, steps: int, packed: bool, validation: bool, logs: Path) -> dict[str, Any]:
    """Give the fields of the trainer's own arguments that AutoTrain has no word for, or takes otherwise.

    Args:
        resolved: All settings.
        steps: Optimiser steps of the whole run.
        packed: SFT joins rows.
        validation: There are validation rows.
        logs: Folder for TensorBoard's files.
    """
    found: dict[str, Any] = {
        "num_train_epochs": resolved.num_train_epochs,
        "max_steps": resolved.max_steps or -1,
        "seed": resolved.seed,
        "data_seed": resolved.seed,
        "use_cpu": resolved.device == "cpu",
        "logging_steps": resolved.logging_steps or max(1, min(10, steps // 100)),
        "save_strategy": "steps",
        "save_steps": resolved.save_steps or save_steps(resolved, steps),
        "save_total_limit": None,  # old ones are deleted once the new one is sealed, and not before
        "dataloader_pin_memory": resolved.device == "cuda",
    }
    if resolved.warmup_steps >= 1:
        found["warmup_steps"] = int(resolved.warmup_steps)
    elif resolved.lr_scheduler_type == "constant" and resolved.warmup_steps:
        found["lr_scheduler_type"] = "constant_with_warmup"
    if validation and resolved.eval_steps:
        found["eval_steps"] = resolved.eval_steps
    if resolved.method == "sft":
        found["packing"] = packed
    if resolved.method == "orpo":
        found["beta"] = resolved.beta
    if resolved.tensorboard:
        found |= {"report_to": ["tensorboard"], "logging_dir": str(logs)}
    return found


def save_steps(resolved: Resolved, steps: int) -> int:
    """Choose how often to save: about ten times a run with an adapter, four times with all weights; short runs at their end."""
    return max(10, -(-steps // (4 if resolved.adapter == "full" else 10)))


def config(given: dict[str, Any], extra: dict[str, Any], *, method: str, name: str) -> str:
    """Write the YAML of the same run, for `autotrain --config`: no token, and what AutoTrain has no word for as a remark.

    Args:
        given: What `params` gave.
        extra: What `overrides` gave.
        method: anytune's word for the method.
        name: The project's name.
    """
    columns = {column: given[column] for column in ("text_column", "rejected_text_column", "prompt_text_column") if given.get(column)}
    apart = {"model", "project_name", "data_path", "train_split", "valid_split", "trainer", "chat_template", "seed", *columns}
    body = {
        "task": _TASKS.get(method, f"llm-{method}"),
        "base_model": given["model"],
        "project_name": "".join(c if c.isalnum() and c.isascii() else "-" for c in name)[:50],
        "log": "none",
        "backend": "local",
        "data": {
            "path": given["data_path"],
            "train_split": given["train_split"],
            "valid_split": given["valid_split"],
            "chat_template": None,
            "column_mapping": columns,
        },
        "params": {key: value for key, value in given.items() if key not in apart},
    }
    remarks = "\n".join(f"#   {key}: {value}" for key, value in sorted(extra.items()))
    head = (
        "# The same run for AutoTrain alone: `autotrain --config config.yml`. The rows are rendered already.\n"
        f"# AutoTrain has no words for these, and takes its own:\n{remarks}\n"
    )
    return head + yaml.safe_dump(body, sort_keys=False)
