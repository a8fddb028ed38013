"""The tokenizer that a run learns with: the model's own, or dressed in one of AutoTrain's two templates, and what renders with it.

AutoTrain would set its template and special tokens itself, and render rows in its own process. Here both are put into the copy of the base
model that AutoTrain is given, so that rows are rendered by the same code that serves the tuned model.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from anytune_huggingface.models.safety import PICKLES
from anytune_huggingface.text.render import Renderer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from anytune_autotrain.defaults import Resolved

__all__ = ["dressed", "load", "pad_apart"]

_TURN = "{{% for m in messages %}}{{{{ '{0}' + m['role'] + '{1}\\n' + m['content'] + {2} + '\\n' }}}}{{% endfor %}}"
_PROMPT = "{{% if add_generation_prompt %}}{{{{ '{0}\\n' }}}}{{% endif %}}"
_TEMPLATES = {
    "chatml": _TURN.format("<|im_start|>", "", "'<|im_end|>'") + _PROMPT.format("<|im_start|>assistant"),
    "zephyr": _TURN.format("<|", "|>", "eos_token") + _PROMPT.format("<|assistant|>"),
}
"""ChatML and Zephyr as AutoTrain 0.8.36 renders them; a test compares both with its own."""

_TOKENS: dict[str, dict[str, Any]] = {
    "chatml": {
        "eos_token": "<|im_end|>",
        "additional_special_tokens": ["<|im_start|>user", "<|im_start|>assistant", "<|im_start|>system"],
    },
    "zephyr": {"eos_token": "</s>", "additional_special_tokens": ["<|user|>", "<|assistant|>", "<|system|>"]},
}
_BOTH = {"bos_token": "<s>", "pad_token": "<pad>"}


def load(folder: Path, resolved: Resolved) -> tuple[Any, Renderer]:
    """Load a verified folder's tokenizer as a run uses it, and what renders with it.

    Raises:
        ConfigError: The folder holds no tokenizer that can be loaded without code of its own.
    """
    from anytune_huggingface.text.tokenizer import load as plain  # noqa: PLC0415 - loads transformers

    tokenizer, renderer = plain(folder)
    tokens = _TOKENS.get(resolved.chat_template)
    if tokens is None:
        return tokenizer, renderer
    tokenizer.add_special_tokens(_BOTH | tokens)
    tokenizer.chat_template = _TEMPLATES[resolved.chat_template]
    return tokenizer, Renderer(tokenizer)


def pad_apart(tokenizer: Any, rows: Iterable[Iterable[int]]) -> bool:
    """Give a reward model a padding token that no row holds, and tell whether it had to be changed.

    transformers 4.48 scores a text at the token before the first padding token. Where that is also what closes a turn (SmolLM2), every text
    would be scored before its answer begins, and nothing learned (read 2026-11-23).
    """
    used = {token for ids in rows for token in ids}
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id not in used:
        return False
    free = (str(tokenizer.convert_ids_to_tokens(i)) for i in sorted(tokenizer.added_tokens_decoder) if i not in used)
    tokenizer.add_special_tokens({"pad_token": next((word for word in free if word != tokenizer.eos_token), "<pad>")})
    return True


def dressed(base: Path, tokenizer: Any, into: Path) -> Path:
    """Write a copy of a model that has another tokenizer; the weights are links."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(mode=0o700, parents=True)
    tokenizer.save_pretrained(into)
    for path in sorted(base.iterdir()):
        if path.is_file() and not (into / path.name).exists() and path.suffix not in {".jinja", *PICKLES}:
            _link(path.resolve(), into / path.name)
    return into


def _link(path: Path, at: Path) -> None:
    try:
        os.link(path, at)
    except OSError:  # another disk: only weights are worth a link, and `verify` takes links of weights only
        if at.suffix == ".safetensors":
            at.symlink_to(path)
        else:
            shutil.copyfile(path, at)
