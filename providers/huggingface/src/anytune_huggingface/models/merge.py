"""Weights that are merged and written as a whole model: what a run leaves, and what an adapter becomes before it is served or continued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from anytune_huggingface.models.folders import verify
from anytune_huggingface.text.tokenizer import load

if TYPE_CHECKING:
    from pathlib import Path

    from anytune_huggingface.text.render import Renderer

__all__ = ["SAFE", "generation", "merge", "merged", "write"]

SAFE: dict[str, Any] = {"trust_remote_code": False, "use_safetensors": True, "local_files_only": True}


def merge(base: Path, adapter: Path, into: Path) -> None:
    """Write an adapter merged with its base, with the base's tokenizer and template."""
    tokenizer, renderer = load(base)
    write(merged(base, adapter), base, tokenizer, renderer, torch.bfloat16 if torch.cuda.is_available() else torch.float32, into)
    verify(into)


def merged(base: Path, adapter: Path) -> Any:
    """Load a base and its adapter as one model, in float32."""
    from peft import PeftModel  # noqa: PLC0415 - heavy, and not needed after full tuning

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, **SAFE)
    return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)


def write(model: Any, base: Path, tokenizer: Any, renderer: Renderer, dtype: torch.dtype, into: Path) -> None:
    """Write a whole model with its tokenizer and generation settings into a folder."""
    model = model.to(dtype)
    model.config.use_cache = True
    model.config._name_or_path = ""  # noqa: SLF001 - transformers would write a path of this machine into the file
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)
    generation(base, renderer, tokenizer).save_pretrained(into)


def generation(base: Path, renderer: Renderer, tokenizer: Any) -> GenerationConfig:
    """Keep the base model's generation settings, and let every token stop that closes an assistant's turn."""
    config = GenerationConfig.from_pretrained(base) if (base / "generation_config.json").is_file() else GenerationConfig()
    stops = sorted(renderer.stop_ids)
    config.eos_token_id = stops[0] if len(stops) == 1 else stops
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    config._from_model_config = False  # noqa: SLF001 - otherwise transformers replaces it by the model's config
    return config
