"""Which model is meant, and whether its folder is safe to load. Nothing here loads weights.

What is refused, and why (facts of published advisories, read 2026-11-22): pickled weights run code when they are loaded (CVE-2025-53002,
CVE-2025-32434); `auto_map` names code to import (CVE-2026-27893); a tokenizer's file names may point to any file of this machine
(transformers #46279); a chat template is a program.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune_huggingface.models import adapters, starter

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["context_length", "parameters", "resolve", "verify"]

_MAX_TEMPLATE_BYTES = 256 * 1024
_MAX_CONFIG_BYTES = 4 * 1024 * 1024
_WEIGHTS_WANTED = [
    *("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", "*.jinja"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "*.model"),
]


def resolve(model: str, *, weights: bool = True, local_only: bool = False) -> Path:
    """Give the absolute folder of a model: `starter`, a local folder, or a Hub id.

    Args:
        model: `starter`, a path, or `owner/name`.
        weights: The weights are needed; otherwise config and tokenizer are enough, and nothing larger is fetched or converted.
        local_only: Take a Hub model from the cache only; nothing is downloaded.

    Raises:
        ConfigError: There is no such model, it cannot be fetched, or it is not safe to load.
    """
    if model == starter.NAME:
        return starter.ensure() if weights else starter.ensure_tokenizer()
    folder = Path(model).expanduser()
    if folder.is_dir():
        folder = folder.resolve()
        if adapters.is_adapter(folder):
            return _whole(folder, weights=weights, local_only=local_only)
        verify(folder)
        return folder
    if folder.exists():
        raise ConfigError(f"The model {model} is a file.", fix="Give the folder that holds config.json and *.safetensors.")
    if folder.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise ConfigError(f"There is no model folder {model}.", fix="Check the path, give a Hub id `owner/name`, or try `starter`.")
    return _from_hub(model, weights=weights, local_only=local_only)


def _whole(adapter: Path, *, weights: bool, local_only: bool) -> Path:
    """Give an adapter merged with its base; where the weights do not matter, its base."""
    adapters.verify(adapter)
    base = resolve(adapters.base_of(adapter), weights=weights, local_only=local_only)
    return adapters.merged(adapter, base) if weights else base


def verify(folder: Path, *, weights: bool = True) -> None:
    """Refuse a folder that is incomplete, or that could run code or read other files when it is loaded.

    Raises:
        ConfigError: It says which file is at fault.
    """
    config = folder / "config.json"
    if not config.is_file():
        raise ConfigError(f"{folder} is no model folder: config.json is missing.", fix="Give the folder that holds it and the weights.")
    for path in sorted(folder.glob("*.json")):
        _verify_json(path, folder)
    for template in sorted([*folder.glob("*.jinja"), *folder.glob("*/*.jinja")]):
        if template.stat().st_size > _MAX_TEMPLATE_BYTES:
            raise ConfigError(
                f"The chat template {template} is larger than {_MAX_TEMPLATE_BYTES // 1024} KiB.", fix="Use a model with a sane template."
            )
    if weights and not any(folder.glob("*.safetensors")):
        pickled = next((p.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl") for p in folder.glob(pattern)), None)
        if pickled:
            raise ConfigError(
                f"{folder} holds pickled weights ({pickled}): loading them can run any code, so they are refused.",
                fix="Convert them to safetensors, in a place you trust.",
            )
        raise ConfigError(f"{folder} holds no *.safetensors.", fix="Give a folder with the model's weights.")


def _verify_json(path: Path, folder: Path) -> None:
    if path.name.endswith("tokenizer.json") or path.name in {"vocab.json", "trainer_state.json", "parity.json"}:
        return
    if path.stat().st_size > _MAX_CONFIG_BYTES and not path.name.endswith(".index.json"):
        raise ConfigError(f"{path} is larger than {_MAX_CONFIG_BYTES // 2**20} MiB.", fix="Use a model with a sane configuration.")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not readable JSON: {str(error)[:200]}.", fix="Fetch the model again.") from error
    for key, value in _pairs(raw):
        if key == "auto_map" and value:
            raise ConfigError(f"{path} asks for custom code (`auto_map`): it is refused.", fix="Use a model of a built-in architecture.")
        if path.name == "tokenizer_config.json" and key.endswith("_file") and isinstance(value, str):
            _inside(path, key, value, folder)
        if path.name.endswith(".index.json") and isinstance(value, str) and key != "metadata" and value.endswith((".bin", ".safetensors")):
            _inside(path, key, value, folder)


def _pairs(raw: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(raw, dict):
        for key, value in raw.items():
            yield key, value
            yield from _pairs(value)
    elif isinstance(raw, list):
        for item in raw:
            yield from _pairs(item)


def _inside(path: Path, key: str, value: str, folder: Path) -> None:
    named = Path(value)
    if named.is_absolute() or ".." in named.parts or not (folder / named).resolve().is_relative_to(_roots(folder)):
        raise ConfigError(f"`{key}` of {path} names a file outside of the model's folder: it is refused.", fix="Remove the entry.")


def _roots(folder: Path) -> Path:
    # A Hub snapshot is a folder of links into its own repository's `blobs`.
    return folder.parents[1] if folder.parent.name == "snapshots" else folder


def _from_hub(model: str, *, weights: bool, local_only: bool) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - takes 0.5 s to load
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError  # noqa: PLC0415

    wanted = _WEIGHTS_WANTED if weights else [pattern for pattern in _WEIGHTS_WANTED if "safetensors" not in pattern]
    offline = local_only or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}
    hint = "Connect, give a local folder, or use model `starter`, which needs no network."
    try:
        folder = Path(snapshot_download(model, allow_patterns=wanted, local_files_only=offline))
    except RepositoryNotFoundError as error:
        raise ConfigError(f"The Hub knows no model {model!r} that you may read.", fix=f"Check the id. {hint}") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        why = (
            "the Hub is switched off by the environment, and it is not in the cache"
            if offline and not local_only
            else "it is not in the cache"
            if offline
            else "the Hub cannot be reached"
        )
        raise ConfigError(f"The model {model!r} cannot be had: {why}.", fix=hint) from error
    verify(folder, weights=weights)
    return folder


def context_length(folder: Path) -> int | None:
    """Give the longest row, in tokens, that the model's positions allow; None where its config does not say."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    length = (config.get("text_config") or config).get("max_position_embeddings")
    return int(length) if isinstance(length, int) and length > 0 else None


def parameters(folder: Path) -> int | None:
    """Count a model's weights from the headers of its safetensors (nothing else is read); None without weights."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        for name, tensor in header.items():
            if name != "__metadata__":
                count = 1
                for size in tensor["shape"]:
                    count *= size
                total += count
    return total or None
