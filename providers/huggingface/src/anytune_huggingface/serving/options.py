"""Which engine serves a model here, and with which arguments.

CPU: `transformers serve` with continuous batching. GPU: `vllm serve`, in vLLM's own environment. Each can hold a base and several of its
adapters. Neither gets a key or Host check of its own: the gate of `anytune.local` stands in front of them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune.local import Served, ServeSettings
from anytune.settings import nearest
from anytune_huggingface.device import free_memory_bytes, nvidia
from anytune_huggingface.models import adapters, folders, starter

if TYPE_CHECKING:
    from anytune.backend import DeployOrder
    from anytune.values import ModelRef

__all__ = ["ENV", "settings"]

ENV = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "VLLM_NO_USAGE_STATS": "1", "GOMP_SPINCOUNT": "0"}
"""An engine serves what lies on the disk: it needs no network. GOMP_SPINCOUNT: five times the speed on a busy machine (2026-11-22)."""

_OPTIONS = ("engine", "vllm", "continuous_batching", "max_model_len", "ready_timeout_s")
_PAGE_TOKENS = 256
_MOST_PAGES = 64
_FEWEST_PAGES = 2048 // _PAGE_TOKENS
_VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
_CACHE_BYTES = 1 << 30


def settings(order: DeployOrder) -> ServeSettings:
    """Choose the engine for a deployment.

    Options: `engine` (`transformers` or `vllm`; by default vLLM where a GPU and vLLM are present), `vllm` (its executable),
    `continuous_batching` (default True; without it one request is answered at a time), `max_model_len`, `ready_timeout_s`.

    Raises:
        ConfigError: The model cannot be served, or an option is wrong.
    """
    options = order.options
    for name in options:
        if name not in _OPTIONS:
            raise ConfigError(f"Unknown option `{name}` of a local deployment.", fix=_meant(name))
    folder = _folder(order.model)
    parity = _parity(order.model, folder)
    crew = {name: _adapter(model, folder) for name, model in order.adapters.items()}
    vllm = _vllm(options)
    if vllm and adapters.is_adapter(folder):
        raise ConfigError(
            f"{folder} is an adapter; vLLM is given whole models here.", fix="Deploy with `engine=transformers`, or train on from it."
        )
    common: dict[str, Any] = {"model": order.name, "parity": parity, "ready_timeout_s": float(options.get("ready_timeout_s", 600))}
    common["adapters"] = {name: Served(engine_model=name, parity=_parity(order.adapters[name], path)) for name, path in crew.items()}
    if vllm:
        length = ("--max-model-len", str(int(options["max_model_len"]))) if "max_model_len" in options else ()
        argv = (
            vllm,
            "serve",
            str(folder),
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
            f"--served-model-name={order.name}",  # one word: a name may begin like an option
            "--dtype",
            "bfloat16",
            "--load-format",
            "safetensors",
            *length,
            *_modules(crew),
        )
        return ServeSettings(engine=argv, engine_model=order.name, parity_mode="gpu" if parity or crew else None, **common)
    batching = bool(options.get("continuous_batching", True))
    pages = max(_FEWEST_PAGES, _pages(folder) // (1 + len(crew))) if batching else 0
    named = [word for name, path in crew.items() for word in (name, str(path))]
    argv = (sys.executable, "-P", "-m", "anytune_huggingface.serving.engine", str(folder), "{port}", str(pages), order.name, *named)
    return ServeSettings(engine=argv, engine_model=order.name, **common)


def _meant(name: str) -> str:
    guess = nearest(name, list(_OPTIONS))
    return f"Did you mean `{guess}`?" if guess else f"Known: {', '.join(_OPTIONS)}."


def _folder(ref: ModelRef) -> Path:
    model = ref.artifacts.get("merged", ref.id)
    if model == starter.NAME:
        starter.package_file()
        return starter.folder()
    named = Path(model)
    if named.is_dir() and adapters.is_adapter(named):  # merging loads torch: the engine's process does it
        adapters.verify(named)
        return named.resolve()
    return folders.resolve(model)


def _adapter(ref: ModelRef, base: Path) -> Path:
    """Give the verified folder of an adapter of this base.

    Raises:
        ConfigError: There is none, or it is of another base.
    """
    folder = Path(ref.artifacts.get("adapter", ref.id)).resolve()
    if not adapters.is_adapter(folder):
        raise ConfigError(f"{ref.id} has no adapter: it cannot share an engine.", fix="Deploy it alone.")
    adapters.verify(folder)
    of = adapters.base_of(folder)
    place = starter.folder() if of == starter.NAME else Path(of)
    if (place if place.is_absolute() else folders.resolve(of, weights=False, local_only=True)).resolve() != base.resolve():
        raise ConfigError(f"{ref.id} is an adapter of {of}, not of {base}.", fix="Deploy it with its own base, or alone.")
    if adapters.rank(folder) is None:
        raise ConfigError(f"{folder} is no LoRA adapter: it cannot share an engine.", fix="Deploy it alone.")
    return folder


def _modules(crew: dict[str, Path]) -> tuple[str, ...]:
    """Give vLLM's arguments for adapters."""
    if not crew:
        return ()
    rank = max(adapters.rank(folder) or 0 for folder in crew.values())
    room = next((size for size in _VLLM_RANKS if size >= rank), rank)
    named = [json.dumps({"name": name, "path": str(folder)}) for name, folder in crew.items()]
    return ("--enable-lora", "--max-loras", str(len(crew)), "--max-lora-rank", str(room), "--lora-modules", *named)


def _parity(ref: ModelRef, folder: Path) -> Path | None:
    """Find the trainer's answers: named by the model, or beside its weights. A base model has none: any first answer makes it ready."""
    if "parity" in ref.missing:
        raise ConfigError(
            "The model's parity.json is gone, so nobody can tell whether it is served rightly.", fix="Train again, or deploy its folder."
        )
    named = ref.artifacts.get("parity")
    beside = [folder.parent / "parity.json"] if folder.name in {"merged", "adapter"} else []
    places = [Path(named)] if named else [folder / "parity.json", *beside]
    found = next((path.resolve() for path in places if path.is_file()), None)
    if found and json.loads(found.read_text(encoding="utf-8")).get("rows") == []:
        raise ConfigError(
            f"{folder} has no chat template, and endpoints speak chat.", fix="Put a chat_template.jinja into it, and train again with it."
        )
    return found


def _vllm(options: dict[str, Any]) -> str | None:
    """Find vLLM's executable, if it is wanted and can work here."""
    wanted = options.get("engine")
    if wanted not in {None, "vllm", "transformers"}:
        raise ConfigError(f"`engine` is {wanted!r}.", fix="Say `transformers` or `vllm`.")
    if wanted == "transformers":
        return None
    named = options.get("vllm") or os.environ.get("ANYTUNE_VLLM")
    found = shutil.which(str(named)) if named else shutil.which("vllm")
    if found and nvidia():
        return str(Path(found).absolute())
    if wanted == "vllm" or named:
        why = "no NVIDIA driver is loaded" if found else f"there is no executable {named or 'vllm'}"
        raise ConfigError(
            f"vLLM cannot serve here: {why}.", fix="Install vLLM into its own environment and name it in ANYTUNE_VLLM, or drop the option."
        )
    return None


def _pages(folder: Path) -> int:
    """Count the pages of the key-value cache: what fits into 1 GiB or a tenth of the free memory, at most 16,384 tokens, at least 2,048."""
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except OSError:  # the starter may not be converted yet; its cache takes 46 kB a token
        return _MOST_PAGES
    config = raw.get("text_config") or raw
    heads = config.get("num_attention_heads", 32)
    width = config.get("head_dim") or config.get("hidden_size", 4096) // heads
    a_page: int = 2 * 4 * config.get("num_hidden_layers", 32) * (config.get("num_key_value_heads") or heads) * width * _PAGE_TOKENS
    return max(_FEWEST_PAGES, min(_MOST_PAGES, min(_CACHE_BYTES, free_memory_bytes() // 10) // a_page))
