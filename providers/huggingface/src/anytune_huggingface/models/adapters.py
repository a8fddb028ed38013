"""A LoRA adapter, or a checkpoint that is one, as a model of its own: merged with its base once, to be served or continued."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune.paths import home
from anytune_huggingface import checkpoints
from anytune_huggingface.hub.names import name
from anytune_huggingface.models import safety
from anytune_huggingface.models.cache import once

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["base_of", "is_adapter", "merged", "rank", "target", "verify"]

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_MERGED = frozenset({
    *("ADALORA", "BOFT", "C3A", "DELORA", "FOURIERFT", "HIRA", "HRA", "IA3", "LN_TUNING", "LOHA", "LOKR", "LORA", "MISS", "OFT"),
    *("RANDLORA", "ROAD", "SHIRA", "VBLORA", "VERA", "WAVEFT"),
})  # fmt: skip
"""Kinds whose weights go into the base's. The others load more than that file: XLORA further adapters, prompt tuning another tokenizer,
multitask prompt tuning a pickle (peft 0.21, read 2026-11-23)."""


def is_adapter(folder: Path) -> bool:
    """Tell whether a folder holds an adapter alone."""
    return (folder / _CONFIG).is_file() and not (folder / "config.json").is_file()


def verify(folder: Path) -> None:
    """Refuse an adapter that is incomplete, was changed since it was saved, or brings pickled weights or code.

    Raises:
        ConfigError: It says what is wrong.
    """
    if not (folder / _WEIGHTS).is_file():
        raise ConfigError(f"{folder} holds no {_WEIGHTS}.", fix="Give an adapter saved as safetensors; pickled ones are refused.")
    if (folder / checkpoints.MANIFEST).is_file() and (wrong := checkpoints.problem(folder)):
        raise ConfigError(f"The checkpoint {folder} cannot be trusted: {wrong}.", fix="Take another checkpoint of the job.")
    safety.files(folder)  # its tokenizer is loaded beside its weights
    base_of(folder)
    config = _config(folder)
    if config.get("peft_type", "LORA") not in _MERGED:
        kind = str(config.get("peft_type"))[:40]
        raise ConfigError(
            f"{folder} is an adapter of the kind {kind!r}, which is not taken.", fix=f"Taken are: {', '.join(sorted(_MERGED))}."
        )
    if config.get("megatron_config"):
        raise ConfigError(f"{folder / _CONFIG} names a module to import (`megatron_core`): it is refused.", fix="Remove the entry.")


def base_of(folder: Path) -> str:
    """Give the base model that an adapter names, at the commit that it was trained on, where it names one.

    Raises:
        ConfigError: It names none, or asks for code.
    """
    try:
        config = _config(folder)
        base = config["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder / _CONFIG} names no base model.", fix="Save the adapter again with PEFT.") from error
    if config.get("auto_mapping") or not isinstance(base, str):
        raise ConfigError(f"{folder / _CONFIG} asks for custom code: it is refused.", fix="Use an adapter of a built-in architecture.")
    place, revision = name(base), config.get("revision")
    return str(place.at(revision)) if place and place.revision is None and isinstance(revision, str) and revision else base


def rank(folder: Path) -> int | None:
    """Give the largest rank of a LoRA adapter that was verified; None for an adapter of another kind."""
    config = _config(folder)
    ranks = [config.get("r", 8), *(config.get("rank_pattern") or {}).values()]
    return max(map(int, ranks)) if config.get("peft_type") == "LORA" else None


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    return config


def target(folder: Path) -> Path:
    """Name the folder of the merged model: in the run of a checkpoint, so that it goes with it; else by content among the models."""
    if folder.parent.name == "checkpoints" and "snapshots" not in folder.parts:  # the Hub's cache is not ours to write to
        return folder.parent.with_name("merged-checkpoints") / folder.name
    return home() / "models" / f"merged-{checkpoints.sha256(folder / _WEIGHTS)[:16]}"


def merged(folder: Path, base: Path) -> Path:
    """Give the merged model's folder; the first call makes it, which loads torch.

    Args:
        folder: A verified adapter.
        base: The verified folder of its base model.
    """

    def make(scratch: Path) -> None:
        from anytune_huggingface.models.merge import merge  # noqa: PLC0415 - heavy: only a child that trains or serves gets here

        merge(base, folder, scratch)

    return once(target(folder), make)
