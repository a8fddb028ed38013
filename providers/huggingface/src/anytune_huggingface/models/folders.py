"""Which model is meant, and whether its folder is safe to load. Nothing here loads weights.

What is refused, and why (facts of published advisories, read 2026-11-22): pickled weights run code when they are loaded (CVE-2025-53002,
CVE-2025-32434); `auto_map` names code to import (CVE-2026-27893); a tokenizer's file names may point to any file of this machine
(transformers #46279); a chat template is a program.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.errors import AuthError, ConfigError, NotFound, Unreachable
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.hub.errors import translate
from anytune_huggingface.hub.names import name as hub_name
from anytune_huggingface.models import adapters, starter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.errors import AnytuneError
    from anytune_huggingface.hub.names import HubName

__all__ = ["context_length", "fetched", "parameters", "pinned", "resolve", "verify"]

_MAX_TEMPLATE_BYTES = 256 * 1024
_MAX_CONFIG_BYTES = 4 * 1024 * 1024
_WEIGHTS_WANTED = [
    *("config.json", "adapter_config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", "*.jinja"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "*.model"),
]
_MAX_DEPTH = 4
_OFF = "the Hub is switched off by the environment, and it is not in the cache"
_HINT = "Connect, give a local folder, or use model `starter`, which needs no network."


def resolve(model: str, *, weights: bool = True, local_only: bool = False, hub: Hub | None = None) -> Path:
    """Give the absolute folder of a model: `starter`, a local folder, or a Hub id.

    Args:
        model: `starter`, a path, or `owner/name[@revision][:subfolder]`: a branch, tag or commit; the folder of an adapter or checkpoint.
        weights: The weights are needed; otherwise config and tokenizer are enough, and nothing larger is fetched or converted.
        local_only: Take a Hub model from the cache only; nothing is downloaded.
        hub: The account to fetch with; None: of the environment.

    Raises:
        ConfigError: There is no such model, it cannot be fetched, or it is not safe to load.
        AuthError: The Hub does not give it to this token; where it is gated, the page to visit is named.
    """
    return _resolved(model, weights=weights, local_only=local_only, hub=hub or Hub(), depth=0)


def _resolved(model: str, *, weights: bool, local_only: bool, hub: Hub, depth: int) -> Path:
    if depth > _MAX_DEPTH:
        raise ConfigError(f"The adapter {model} stands on more than {_MAX_DEPTH} others.", fix="Merge them first.")
    if model == starter.NAME:
        return starter.ensure() if weights else starter.ensure_tokenizer()
    folder = Path(model).expanduser()
    if folder.is_dir():
        folder = folder.resolve()
    elif folder.exists():
        raise ConfigError(f"The model {model} is a file.", fix="Give the folder that holds config.json and *.safetensors.")
    else:
        folder = _fetched(_named(model), hub, weights=weights, local_only=local_only)
    if not adapters.is_adapter(folder):
        verify(folder, weights=weights or not _in_cache(folder))
        return folder
    if weights or not _in_cache(folder):
        adapters.verify(folder)
    base = _resolved(adapters.base_of(folder), weights=weights, local_only=local_only, hub=hub, depth=depth + 1)
    return adapters.merged(folder, base) if weights else base


def fetched(model: str, *, hub: Hub | None = None) -> Path:
    """Give the folder of a Hub model as it lies, with its weights: an adapter is not merged, and nothing is verified.

    Args:
        model: `owner/name[@revision][:subfolder]`.
        hub: The account to fetch with; None: of the environment.

    Raises:
        ConfigError: There is no such model, or it cannot be fetched.
        AuthError: The Hub does not give it to this token.
    """
    return _fetched(_named(model), hub or Hub(), weights=True, local_only=False)


def pinned(model: str, *, hub: Hub | None = None) -> str:
    """Give the same model with the commit that its name stands for now, so that it stays the same; `starter` and folders stay as they are.

    Args:
        model: As for `resolve`.
        hub: The account to ask; None: of the environment.

    Returns:
        `owner/name@commit[:subfolder]`. Where the Hub is switched off or away, the commit that the cache holds.

    Raises:
        ConfigError: There is no such model, or neither the Hub nor the cache can tell.
        AuthError: The Hub does not show it to this token.

    Example:
        >>> pinned("starter")
        'starter'
    """
    if model == starter.NAME or Path(model).expanduser().exists():
        return model
    named = _named(model)
    if named.pinned:
        return model
    hub = hub or Hub()
    if hub.offline:
        return str(named.at(_kept(named, hub, ["config.json"], _OFF).name))
    try:
        return str(named.at(hub.sha(named.repo, revision=named.revision or "main")))
    except NotFound as error:
        raise _unknown(named, error) from error
    except Unreachable as error:
        return str(named.at(_kept(named, hub, ["config.json"], f"the Hub cannot be reached ({error.message})").name))


def _named(model: str) -> HubName:
    found = None if Path(model).expanduser().is_absolute() or model.startswith((".", "~")) else hub_name(model)
    if found is None:
        raise ConfigError(f"There is no model folder {model}.", fix="Check the path, give a Hub id `owner/name`, or try `starter`.")
    return found


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
    return _in_cache(folder) or folder


def _in_cache(folder: Path) -> Path | None:
    """Give the repository's place in the Hub's cache, where the folder is of a snapshot there: it may lack what was not asked for."""
    return next((place.parents[1] for place in (folder, *folder.parents) if place.parent.name == "snapshots"), None)


def _fetched(named: HubName, hub: Hub, *, weights: bool, local_only: bool) -> Path:
    """Give the folder of a Hub model; without `weights` it may hold config and tokenizer alone."""
    wanted = _WEIGHTS_WANTED if weights else [pattern for pattern in _WEIGHTS_WANTED if "safetensors" not in pattern]
    prefix = f"{named.subfolder}/" if named.subfolder else ""
    patterns = [prefix + pattern for pattern in wanted]
    if local_only or hub.offline:
        folder = _kept(named, hub, patterns, "it is not in the cache" if local_only else _OFF)
    else:
        folder = _snapshot(named, hub, patterns)
    return folder / named.subfolder if named.subfolder else folder


def _kept(named: HubName, hub: Hub, wanted: list[str], why: str) -> Path:
    """Give the cache's folder of a repository at one commit; nothing is asked.

    Raises:
        ConfigError: The cache does not hold it, for the reason given.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415 - takes 0.5 s to load

    try:
        return _download(named, hub, wanted, local_only=True)
    except LocalEntryNotFoundError:
        raise ConfigError(f"The model {str(named)!r} cannot be had: {why}.", fix=_HINT) from None


def _snapshot(named: HubName, hub: Hub, wanted: list[str]) -> Path:
    """Fetch what is wanted of a repository; where the Hub is away, what the cache holds is taken."""
    try:
        return _download(named, hub, wanted, local_only=False)
    except Exception as error:
        ours = translate(error)
        if isinstance(ours, AuthError):
            raise ours from None
        if isinstance(ours, NotFound):
            raise _unknown(named, ours) from None
        if ours is None and not isinstance(error, (OSError, ValueError)):
            raise
        why = f"the Hub cannot be reached ({ours.message})" if isinstance(ours, Unreachable) else (ours.message if ours else str(error))
        raise ConfigError(f"The model {str(named)!r} cannot be had: {why}.", fix=_HINT) from None


def _download(named: HubName, hub: Hub, wanted: list[str], *, local_only: bool) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - takes 0.5 s to load

    token = hub.token
    found = snapshot_download(
        named.repo,
        revision=named.revision,
        allow_patterns=wanted,
        local_files_only=local_only,
        endpoint=hub.endpoint,
        token=token.get_secret_value() if token else False,
    )
    return Path(found)


def _unknown(named: HubName, error: AnytuneError) -> ConfigError:
    what = f"revision {named.revision!r} of {named.repo!r}" if "Revision" in str(error.raw) or "rev id" in error.message else None
    return ConfigError(f"The Hub knows no {what or f'model {named.repo!r}'} that you may read.", fix=f"Check the id. {_HINT}")


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
