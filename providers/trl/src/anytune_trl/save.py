"""What a run leaves behind: adapter, merged weights, tokenizer, template, model card; and the proof that they load and speak."""

from __future__ import annotations

import gc
import json
import shutil
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from anytune_trl import parity
from anytune_trl.models import verify

if TYPE_CHECKING:
    from pathlib import Path

    from anytune_trl.defaults import Resolved
    from anytune_trl.render import Renderer

__all__ = ["SAFE", "generation", "merge", "prove", "save"]

SAFE: dict[str, Any] = {"trust_remote_code": False, "use_safetensors": True, "local_files_only": True}


def save(trainer: Any, tokenizer: Any, base: Path, resolved: Resolved, renderer: Renderer, run_dir: Path) -> dict[str, str]:
    """Write adapter and merged model into a run's folder.

    The merged weights are made from the files of base and adapter, in float32. They are kept in the type that they were trained in and will
    be served in: float32 after training on a CPU, so that serving computes with exactly the numbers that were learned; bf16 after a GPU.

    Returns:
        Absolute paths by kind (`merged`, `adapter`).
    """
    adapter, merged = run_dir / "adapter", run_dir / "merged"
    for folder in (adapter, merged):
        shutil.rmtree(folder, ignore_errors=True)
    if resolved.adapter == "full":
        model = trainer.model
    else:
        trainer.model.save_pretrained(adapter, safe_serialization=True)
        tokenizer.save_pretrained(adapter)
        _release(trainer)
        model = _merged(base, adapter)
    scratch = run_dir / "merged.tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    _write(model, base, tokenizer, renderer, torch.bfloat16 if resolved.dtype == "bfloat16" else torch.float32, scratch)
    scratch.rename(merged)
    verify(merged)
    return {"merged": str(merged)} | ({"adapter": str(adapter)} if resolved.adapter != "full" else {})


def merge(base: Path, adapter: Path, into: Path) -> None:
    """Write an adapter merged with its base, with the base's tokenizer and template."""
    from anytune_trl.tokenizer import load  # noqa: PLC0415 - not needed where the trainer has one

    tokenizer, renderer = load(base)
    _write(_merged(base, adapter), base, tokenizer, renderer, torch.bfloat16 if torch.cuda.is_available() else torch.float32, into)
    verify(into)


def _write(model: Any, base: Path, tokenizer: Any, renderer: Renderer, dtype: torch.dtype, into: Path) -> None:
    model = model.to(dtype)
    model.config.use_cache = True
    model.config._name_or_path = ""  # noqa: SLF001 - transformers would write a path of this machine into the file
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)
    generation(base, renderer, tokenizer).save_pretrained(into)


def prove(merged: Path, resolved: Resolved, renderer: Renderer, prompts: list[parity.Prompt]) -> Path:
    """Load the merged weights from disk, generate from them, and keep what came as parity.json beside them.

    Raises:
        RuntimeError: The model gave no token.
    """
    gpu = resolved.device == "cuda"
    model = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.bfloat16 if gpu else torch.float32, **SAFE).eval()
    if gpu:
        model = model.cuda()
    body: dict[str, Any] = {"mode": "gpu" if gpu else "cpu", "rows": [parity.row(model, renderer, prompt) for prompt in prompts]}
    if not all(row["token_ids"] for row in body["rows"] or [parity.beginning(model, renderer)]):
        raise RuntimeError("the saved model loads but gives no token")
    path = merged.parent / "parity.json"
    path.write_text(json.dumps(body, ensure_ascii=False, indent=1), encoding="utf-8")
    path.chmod(0o600)
    return path


def _release(trainer: Any) -> None:
    """Give back what training held: merging and proving load the weights again, and need not fit beside it."""
    trainer.accelerator.free_memory()
    for holder in (trainer, trainer.callback_handler):
        holder.model = holder.optimizer = holder.lr_scheduler = None
    trainer.model_wrapped = None
    gc.collect()


def _merged(base: Path, adapter: Path) -> Any:
    from peft import PeftModel  # noqa: PLC0415 - heavy, and not needed after full tuning

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, **SAFE)
    return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)


def generation(base: Path, renderer: Renderer, tokenizer: Any) -> GenerationConfig:
    """Keep the base model's generation settings, and let every token stop that closes an assistant's turn."""
    config = GenerationConfig.from_pretrained(base) if (base / "generation_config.json").is_file() else GenerationConfig()
    stops = sorted(renderer.stop_ids)
    config.eos_token_id = stops[0] if len(stops) == 1 else stops
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    config._from_model_config = False  # noqa: SLF001 - otherwise transformers replaces it by the model's config
    return config
