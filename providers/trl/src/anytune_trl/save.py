"""What a run leaves behind: adapter, merged weights, tokenizer and template."""

from __future__ import annotations

import gc
import shutil
from typing import TYPE_CHECKING, Any

import torch

from anytune_huggingface.models.folders import verify
from anytune_huggingface.models.merge import merged as merge
from anytune_huggingface.models.merge import write

if TYPE_CHECKING:
    from pathlib import Path

    from anytune_huggingface.text.render import Renderer
    from anytune_trl.defaults import Resolved

__all__ = ["save"]


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
        model = merge(base, adapter)
    scratch = run_dir / "merged.tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    write(model, base, tokenizer, renderer, torch.bfloat16 if resolved.dtype == "bfloat16" else torch.float32, scratch)
    scratch.rename(merged)
    verify(merged)
    return {"merged": str(merged)} | ({"adapter": str(adapter)} if resolved.adapter != "full" else {})


def _release(trainer: Any) -> None:
    """Give back what training held: merging and proving load the weights again, and need not fit beside it."""
    trainer.accelerator.free_memory()
    for holder in (trainer, trainer.callback_handler):
        holder.model = holder.optimizer = holder.lr_scheduler = None
    trainer.model_wrapped = None
    gc.collect()
