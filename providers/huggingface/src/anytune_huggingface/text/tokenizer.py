"""Loading a tokenizer, and the renderer on it, from a folder that was verified."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune_huggingface.text import bounded
from anytune_huggingface.text.render import Renderer

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load"]


def load(folder: Path) -> tuple[Any, Renderer]:
    """Give the tokenizer, with a padding token, and its renderer. From here on this process renders chat templates within bounds.

    Raises:
        ConfigError: The folder holds no tokenizer that can be loaded without code of its own.
    """
    from transformers import AutoTokenizer  # noqa: PLC0415 - takes seconds to load

    bounded.install()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"The tokenizer in {folder} cannot be loaded: {str(error)[:200]}.", fix="Fetch the model again.") from error
    if not tokenizer.is_fast:
        raise ConfigError(
            f"The tokenizer in {folder} gives no positions, so that turns cannot be told apart.", fix="Use one with tokenizer.json."
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer, Renderer(tokenizer, _stop_ids(folder))


def _stop_ids(folder: Path) -> list[int]:
    found: list[int] = []
    for name in ("generation_config.json", "config.json"):
        path = folder / name
        stop = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id") if path.is_file() else None
        found += stop if isinstance(stop, list) else [stop] if isinstance(stop, int) else []
    return found
