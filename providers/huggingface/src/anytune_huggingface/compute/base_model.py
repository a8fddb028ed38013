"""The base model of a cloud job: fetched by the runner with the token, at the commit that was ordered, and verified before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from anytune.errors import ConfigError
from anytune_huggingface.hub.errors import asking
from anytune_huggingface.hub.names import name
from anytune_huggingface.models import adapters, folders

if TYPE_CHECKING:
    from anytune_huggingface.hub.client import Hub
    from anytune_huggingface.hub.names import HubName

__all__ = ["fetch", "name_base"]

_WANTED = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "tokenizer*")
_MAX_DEPTH = 4


def fetch(hub: Hub, model: str, into: Path, *, depth: int = 0) -> Path:
    """Fetch a model's folder: a whole model, or an adapter, which is merged with its base.

    Args:
        hub: The account that may read it.
        model: `owner/name[@revision][:folder]`.
        into: Where repositories are put.
        depth: How many adapters stand on this one.

    Raises:
        ConfigError: It is not safe to load, or no model.
        AnytuneError: It is not to be had.
    """
    if depth > _MAX_DEPTH:
        raise ConfigError(f"The adapter {model} stands on more than {_MAX_DEPTH} others.", fix="Merge them first.")
    place = name(model)
    if place is None:
        raise ConfigError(f"{model!r} is no model of the Hub.", fix="Give `owner/name`, `owner/name@commit` or `owner/name@commit:folder`.")
    folder = _downloaded(hub, place, into)
    if not adapters.is_adapter(folder):
        folders.verify(folder)
        return folder
    adapters.verify(folder)
    base = adapters.base_of(folder)
    if Path(base).is_absolute():  # a checkpoint names the folder of the container that wrote it
        base = _ordered(hub, place)
    return adapters.merged(folder, fetch(hub, base, into, depth=depth + 1))


def name_base(adapter: Path, model: str) -> None:
    """Let an adapter name its base as the Hub knows it, not by a folder of this container."""
    path = adapter / "adapter_config.json"
    place = name(model)
    config = json.loads(path.read_text(encoding="utf-8"))
    simple = place is not None and place.subfolder is None
    config |= (
        {"base_model_name_or_path": place.repo, "revision": place.revision} if place and simple else {"base_model_name_or_path": model}
    )
    path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def _downloaded(hub: Hub, place: HubName, into: Path) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - takes half a second to load

    inside = place.subfolder or ""
    prefix = f"{inside}/" if inside else ""
    target = into / place.repo.replace("/", "--") / (place.revision or "main")
    api = hub.api
    with asking(f"the model {place.repo}"):
        snapshot_download(
            place.repo,
            revision=place.revision,
            allow_patterns=[f"{prefix}{pattern}" for pattern in _WANTED],
            ignore_patterns=[f"{prefix}*/*"],  # checkpoints and adapters beside it
            local_dir=target,
            endpoint=api.endpoint,
            token=hub.bearer,
        )
    return target / inside


def _ordered(hub: Hub, place: HubName) -> str:
    order = json.loads(hub.read(place.repo, "anytune/order.json", revision=place.revision or "main") or b"{}")
    found = order.get("model")
    if not isinstance(found, str):
        raise ConfigError(f"It is not known what the adapter {place} was trained on.", fix="Take the job's merged model instead.")
    return found
