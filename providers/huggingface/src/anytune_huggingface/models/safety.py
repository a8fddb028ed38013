"""Whether the files of a model or an adapter are safe to load, publish or train on. Nothing here loads weights.

What is refused, and why (facts of published advisories, read 2026-11-22): pickled weights run code when they are loaded (CVE-2025-53002,
CVE-2025-32434); `auto_map` names code to import (CVE-2026-27893), and so does an attention of the Hub's kernels; a tokenizer's file names,
like a link in a folder that was cloned or unpacked, may point to any file of this machine (transformers #46279); a chat template is a
program.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PICKLES", "contained", "files", "in_cache", "verify"]

PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"})
"""How files end that can run code when they are loaded."""

_MAX_TEMPLATE_BYTES = 256 * 1024
_MAX_CONFIG_BYTES = 4 * 1024 * 1024
_MAX_HEADER_BYTES = 100 * 1024 * 1024
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""What transformers looks for; where neither is there it takes pickled weights, whatever else ends with `.safetensors`."""
_NOT_SETTINGS = frozenset({"vocab.json", "trainer_state.json", "parity.json"})
_IMPLEMENTATIONS = frozenset({"attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation"})
_UNPACK = "Copy the file itself into the folder, or remove the link."


def verify(folder: Path, *, weights: bool = True) -> None:
    """Refuse a folder that is incomplete, or that could run code or read other files when it is loaded.

    Raises:
        ConfigError: It says which file is at fault.
    """
    if not (folder / "config.json").is_file():
        raise ConfigError(f"{folder} is no model folder: config.json is missing.", fix="Give the folder that holds it and the weights.")
    if (folder / "adapter_config.json").is_file():  # transformers would load that adapter too, and nobody looked at it
        raise ConfigError(
            f"{folder} holds a whole model and an adapter.",
            fix="Keep config.json in one folder and adapter_config.json in another.",
        )
    files(folder)
    if weights and not any((folder / name).is_file() for name in _WEIGHTS):
        pickled = next((path.name for path in sorted(folder.iterdir()) if path.suffix in PICKLES), None)
        if pickled:
            raise ConfigError(
                f"{folder} holds pickled weights ({pickled}): loading them can run any code, so they are refused.",
                fix="Convert them to safetensors, in a place you trust.",
            )
        raise ConfigError(f"{folder} holds no {_WEIGHTS[0]}.", fix="Give a folder with the model's weights as safetensors.")


def files(folder: Path) -> None:
    """Look at the links, settings and templates of a model's or an adapter's folder.

    Raises:
        ConfigError: One of them could run code, or read a file outside of the folder.
    """
    for path in _outside(folder):
        if path.suffix != ".safetensors" or not _is_safetensors(path):
            raise ConfigError(f"{path} is a link out of the model's folder: it is refused.", fix=_UNPACK)
    for path in sorted(folder.glob("*.json")):
        _verify_json(path, folder)
    for template in sorted([*folder.glob("*.jinja"), *folder.glob("*/*.jinja")]):
        _measured(template, template.stat().st_size)


def contained(folder: Path) -> None:
    """Refuse every link out of a folder that is about to be published, weights too: what it points to was never meant.

    Raises:
        ConfigError: It names the link.
    """
    for path in _outside(folder):
        raise ConfigError(f"{path} is a link out of the folder: it is not published.", fix=_UNPACK)


def in_cache(folder: Path) -> Path | None:
    """Give the repository's place in the Hub's cache, where the folder is of a snapshot there: it may lack what was not asked for."""
    return next((place.parents[1] for place in (folder, *folder.parents) if place.parent.name == "snapshots"), None)


def _outside(folder: Path) -> Iterator[Path]:
    """Give the links that lead out of the folder; a Hub snapshot is a folder of links into its own repository's `blobs`."""
    root = (in_cache(folder) or folder).resolve()
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            yield path


def _is_safetensors(path: Path) -> bool:
    """Tell whether a file begins as safetensors do: weights may lie on another disk, and no secret looks like them."""
    try:
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            return 0 < size <= _MAX_HEADER_BYTES and isinstance(json.loads(stream.read(size)), dict)
    except (OSError, ValueError, RecursionError):
        return False


def _measured(path: Path, size: int) -> None:
    if size > _MAX_TEMPLATE_BYTES:
        raise ConfigError(
            f"The chat template {path} is larger than {_MAX_TEMPLATE_BYTES // 1024} KiB.", fix="Use a model with a sane template."
        )


def _verify_json(path: Path, folder: Path) -> None:
    if path.name.endswith("tokenizer.json") or path.name in _NOT_SETTINGS:
        return
    if path.stat().st_size > _MAX_CONFIG_BYTES and not path.name.endswith(".index.json"):
        raise ConfigError(f"{path} is larger than {_MAX_CONFIG_BYTES // 2**20} MiB.", fix="Use a model with a sane configuration.")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not readable JSON: {str(error)[:200]}.", fix="Fetch the model again.") from error
    for key, value in _pairs(raw):
        _verify_pair(path, key, value, folder)


def _verify_pair(path: Path, key: str, value: Any, folder: Path) -> None:
    if key == "auto_map" and value:
        raise ConfigError(f"{path} asks for custom code (`auto_map`): it is refused.", fix="Use a model of a built-in architecture.")
    if key in _IMPLEMENTATIONS and "/" in json.dumps(value):
        raise ConfigError(f"{path} asks for a kernel of the Hub (`{key}`), which is code: it is refused.", fix="Remove the entry.")
    if key == "transformers_weights" and value is not None and not str(value).endswith((".safetensors", ".safetensors.index.json")):
        raise ConfigError(f"{path} names weights that are no safetensors (`{key}`): they are refused.", fix="Remove the entry.")
    if key == "chat_template" and value:
        _measured(path, len(json.dumps(value)))
    if path.name == "tokenizer_config.json" and key.endswith("_file") and value is not None:
        _inside(path, key, value, folder)
    if path.name.endswith(".index.json") and isinstance(value, str) and key != "metadata" and value.endswith((*PICKLES, ".safetensors")):
        _inside(path, key, value, folder)


def _pairs(raw: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(raw, dict):
        for key, value in raw.items():
            yield key, value
            yield from _pairs(value)
    elif isinstance(raw, list):
        for item in raw:
            yield from _pairs(item)


def _inside(path: Path, key: str, value: Any, folder: Path) -> None:
    named = Path(str(value))
    root = in_cache(folder) or folder.resolve()
    if not isinstance(value, str) or "\0" in value or named.is_absolute() or ".." in named.parts:
        inside = False
    else:
        inside = (folder / named).resolve().is_relative_to(root.resolve())
    if not inside:
        raise ConfigError(f"`{key}` of {path} names a file outside of the model's folder: it is refused.", fix="Remove the entry.")
