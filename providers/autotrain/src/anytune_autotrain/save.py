"""What AutoTrain left behind, made into what every run leaves: adapter, merged weights, tokenizer; loaded by the current libraries."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from anytune_autotrain.adapter import EMBEDDINGS, WEIGHTS, adopt
from anytune_huggingface.models.folders import verify
from anytune_huggingface.models.merge import SAFE, write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from anytune_autotrain.data import Sample
    from anytune_autotrain.defaults import Resolved
    from anytune_huggingface.text.render import Renderer

__all__ = ["save", "scored"]


def save(found: Path, base: Path, tokenizer: Any, renderer: Renderer, resolved: Resolved, run_dir: Path) -> dict[str, str]:
    """Write adapter and merged model into a run's folder, and take AutoTrain's own output away.

    The merged weights are made from the files of base and adapter, in float32, and kept in the type that they will be served in: float32
    after training on a CPU, bf16 after a GPU.

    Args:
        found: What AutoTrain saved: an adapter, or all weights.
        base: The base model as it was before the translation for AutoTrain.
        tokenizer: What the run learned with.
        renderer: What renders with it.
        resolved: All settings.
        run_dir: The run's folder.

    Returns:
        Absolute paths by kind (`merged`, `adapter`).
    """
    adapter, merged, scratch = run_dir / "adapter", run_dir / "merged", run_dir / "merged.tmp"
    for folder in (adapter, merged, scratch):
        shutil.rmtree(folder, ignore_errors=True)
    artifacts = {"merged": str(merged)}
    kind: Any = AutoModelForSequenceClassification if resolved.method == "reward" else AutoModelForCausalLM
    if resolved.adapter == "full":
        model = kind.from_pretrained(found, dtype=torch.float32, **SAFE)
    else:
        adapter.mkdir(mode=0o700)
        for path in found.glob("adapter_*"):
            shutil.copy(path, adapter)
        adopt(adapter, base, words=len(tokenizer))
        tokenizer.save_pretrained(adapter)
        model = _merge(kind, base, adapter, resolved)
        artifacts["adapter"] = str(adapter)
    if resolved.method == "reward":
        model.config.pad_token_id = tokenizer.pad_token_id
    dtype = torch.bfloat16 if resolved.device == "cuda" else torch.float32
    write(model, base, tokenizer, renderer, dtype, scratch)
    if resolved.method == "reward":
        (scratch / "generation_config.json").unlink(missing_ok=True)  # it gives a number, and generates nothing
    scratch.rename(merged)
    verify(merged)
    shutil.rmtree(found, ignore_errors=True)
    return artifacts


def _merge(kind: Any, base: Path, adapter: Path, resolved: Resolved) -> Any:
    from peft import PeftModel  # noqa: PLC0415 - heavy, and not needed after full tuning

    labels = {"num_labels": 1} if resolved.method == "reward" else {}
    model = kind.from_pretrained(base, dtype=torch.float32, **labels, **SAFE)
    with safe_open(adapter / WEIGHTS, framework="pt") as weights:
        sizes = [weights.get_slice(name).get_shape()[0] for name in weights.keys() if name.endswith(EMBEDDINGS)]  # noqa: SIM118 - no dict
    if sizes:
        model.resize_token_embeddings(sizes[0])
    return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)


def scored(folder: Path, samples: Iterable[Sample], *, gpu: bool) -> dict[str, float]:
    """Load a reward model's weights from disk, and let it score pairs.

    Returns:
        Share of the pairs whose better answer scored higher, and the mean distance of the two.

    Raises:
        RuntimeError: A score is no finite number.
    """
    dtype = torch.bfloat16 if gpu else torch.float32
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype, **SAFE).eval()
    if gpu:
        model = model.cuda()
    margins = []
    with torch.inference_mode():
        for sample in samples:
            sides = [model(torch.tensor([sample.ids[name]], device=model.device)).logits for name in ("chosen", "rejected")]
            if any(side.shape != (1, 1) or not bool(torch.isfinite(side).all()) for side in sides):
                raise RuntimeError("the saved reward model gives a score that is no finite number")
            margins.append(float(sides[0] - sides[1]))
    return {"reward_accuracy": sum(margin > 0 for margin in margins) / len(margins), "reward_margin": sum(margins) / len(margins)}
