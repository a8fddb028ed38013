"""Which model is meant, and where its folder is, once `safety` had a look at it. Nothing here loads weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from anytune.errors import AuthError, ConfigError, NotFound, Unreachable
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.hub.errors import translate
from anytune_huggingface.hub.names import name as hub_name
from anytune_huggingface.models import adapters, starter
from anytune_huggingface.models.safety import in_cache, verify

if TYPE_CHECKING:
    from anytune.errors import AnytuneError
    from anytune_huggingface.hub.names import HubName

__all__ = ["context_length", "fetched", "parameters", "pinned", "resolve", "verify"]

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
        verify(folder, weights=weights or not in_cache(folder))
        return folder
    if weights or not in_cache(folder):
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
