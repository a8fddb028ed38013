"""An adapter as AutoTrain writes it, made into one of the base model that was asked for. Weights are copied as bytes; torch is not loaded.

AutoTrain names the copy of the base that it was given. It also cuts the embedding to the tokenizer's words where the model has room for
more (Qwen), and peft then puts the whole embedding beside the adapter, which fits no base any more (0.14, read 2026-11-23). It was not
trained, so it is left out.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EMBEDDINGS", "WEIGHTS", "adopt", "vocabulary"]

WEIGHTS = "adapter_model.safetensors"
EMBEDDINGS = ("embed_tokens.weight", "lm_head.weight", "wte.weight", "embed_in.weight", "embed_out.weight", "word_embeddings.weight")
"""How the names of embeddings end."""

_CONFIG = "adapter_config.json"


def adopt(folder: Path, base: Path, *, words: int) -> None:
    """Let an adapter name its base, and leave out an embedding that is the base's own.

    Args:
        folder: What AutoTrain wrote; a folder without an adapter is left as it is.
        base: The base model.
        words: Words of the tokenizer that it was trained with; where the base has no room for them, the embedding has new rows and stays.
    """
    path = folder / _CONFIG
    if not path.is_file():
        return
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = str(base)
    path.write_text(json.dumps(config, indent=1), encoding="utf-8")
    if words <= vocabulary(base):
        _without(folder / WEIGHTS, EMBEDDINGS)


def vocabulary(base: Path) -> int:
    """Count the words that a model has room for."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    return int((config.get("text_config") or config).get("vocab_size") or 0)


def _without(path: Path, endings: tuple[str, ...]) -> None:
    """Rewrite a file of safetensors without some tensors; where there are none of them, it stays as it is."""
    with path.open("rb") as source:
        size = int.from_bytes(source.read(8), "little")
        header: dict[str, Any] = json.loads(source.read(size))
        kept = {name: tensor for name, tensor in header.items() if not name.endswith(endings)}
        if len(kept) == len(header):
            return
        made, end = {}, 0
        for name, tensor in kept.items():
            if name == "__metadata__":
                made[name] = tensor
                continue
            first, last = tensor["data_offsets"]
            made[name] = tensor | {"data_offsets": [end, end + last - first]}
            end += last - first
        text = json.dumps(made, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        scratch = path.with_suffix(".tmp")
        with scratch.open("wb") as target:
            target.write(len(text).to_bytes(8, "little") + text)
            for name, tensor in kept.items():
                if name != "__metadata__":
                    source.seek(8 + size + tensor["data_offsets"][0])
                    target.write(source.read(tensor["data_offsets"][1] - tensor["data_offsets"][0]))
    shutil.move(scratch, path)
