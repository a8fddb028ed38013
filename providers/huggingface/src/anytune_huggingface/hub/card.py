"""What is written about a model where others read it: the card and the small JSON files, without paths of the machine that trained."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import yaml

from anytune.errors import ConfigError
from anytune_huggingface.hub.names import name as hub_name

if TYPE_CHECKING:
    from anytune_huggingface.hub.names import HubName

__all__ = ["card", "config", "spoken"]

_MARK = "---\n"
_PARTS = 3
_PATHS = ("_name_or_path", "name_or_path")
"""Keys in which transformers notes where it found a model."""


def card(text: str, base: str | None) -> str:
    """Give a card whose head the Hub accepts, and whose base is one that others know.

    Args:
        text: The card: a YAML head between two `---`, then Markdown; empty: a short one is made.
        base: What was tuned: a Hub id, a folder, or `starter`.
    """
    head, body = _parted(text)
    head.setdefault("library_name", "transformers")
    head.pop("base_model", None)
    place = _place(base)
    if place is not None:
        head["base_model"] = place.repo
    if not body.strip():
        body = f"\n# Tuned model\n\nTuned{f' from {spoken(base)}' if base else ''} with anytune.\n"
    return f"{_MARK}{yaml.safe_dump(head, sort_keys=False)}{_MARK}{body}"


def config(path: Path, base: str | None) -> bytes | Path:
    """Give a JSON file of a model as it may be read by others: itself, or without the paths that are in it.

    Args:
        path: `adapter_config.json`, `config.json`, `tokenizer_config.json`; any other file is given back.
        base: What was tuned.
    """
    if path.name not in {"adapter_config.json", "config.json", "tokenizer_config.json"}:
        return path
    found = json.loads(path.read_text(encoding="utf-8"))
    changed = {key: value for key, value in found.items() if not (key in _PATHS and _is_path(value))}
    if path.name == "adapter_config.json":
        changed |= _base(str(found.get("base_model_name_or_path") or ""), base)
    return path if changed == found else json.dumps(changed, indent=2).encode() + b"\n"


def spoken(model: str | None) -> str:
    """Name a model without a path: a folder's last part, or the id as it is."""
    word = model or ""
    return PurePath(word).name if _is_path(word) else word


def _base(named: str, base: str | None) -> dict[str, Any]:
    """Say in an adapter's config what it stands on; the commit goes beside, as PEFT reads it."""
    place = _place(base) or _place(named)
    if place is None:
        return {"base_model_name_or_path": spoken(base or named)}
    if place.subfolder is not None:
        return {"base_model_name_or_path": str(place)}
    return {"base_model_name_or_path": place.repo} | ({"revision": place.revision} if place.revision else {})


def _place(model: str | None) -> HubName | None:
    return None if not model or _is_path(model) else hub_name(model)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and (Path(value).expanduser().is_absolute() or value.startswith((".", "~")))


def _parted(text: str) -> tuple[dict[str, Any], str]:
    """Part a card's head from its body.

    Raises:
        ConfigError: The head is no YAML.
    """
    parts = text.replace("\r\n", "\n").split(_MARK, 2)
    if not text.startswith(_MARK) or len(parts) < _PARTS:
        return {}, text
    try:
        head = yaml.safe_load(parts[1]) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"The head of the model card is no YAML: {str(error)[:200]}.", fix="Correct it between its two `---`.") from None
    return (head if isinstance(head, dict) else {}), parts[2]
