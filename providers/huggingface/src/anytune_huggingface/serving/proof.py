"""A saved model made to answer: its weights are loaded from disk, and what came is kept for whoever serves them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM

from anytune_huggingface.models.merge import SAFE
from anytune_huggingface.serving import parity

if TYPE_CHECKING:
    from pathlib import Path

    from anytune_huggingface.text.render import Renderer

__all__ = ["prove"]


def prove(folder: Path, renderer: Renderer, prompts: list[parity.Prompt], *, gpu: bool) -> Path:
    """Load a model's weights from disk, generate from them, and keep what came as parity.json beside them.

    Raises:
        RuntimeError: The model gave no token.
    """
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16 if gpu else torch.float32, **SAFE).eval()
    if gpu:
        model = model.cuda()
    body: dict[str, Any] = {"mode": "gpu" if gpu else "cpu", "rows": [parity.row(model, renderer, prompt) for prompt in prompts]}
    if not all(row["token_ids"] for row in body["rows"] or [parity.beginning(model, renderer)]):
        raise RuntimeError("the saved model loads but gives no token")
    path = folder.parent / "parity.json"
    path.write_text(json.dumps(body, ensure_ascii=False, indent=1), encoding="utf-8")
    path.chmod(0o600)
    return path
