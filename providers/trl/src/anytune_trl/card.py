"""The model card: what was tuned, on which bytes, with which settings and versions. No paths of this machine, no rows, no secrets."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from anytune.errors import redact
from anytune_huggingface.hub import names

if TYPE_CHECKING:
    from anytune_huggingface.order import TrainOrder
    from anytune_trl.dataset import Counts
    from anytune_trl.defaults import Resolved

__all__ = ["base_name", "card", "versions"]

_DISTRIBUTIONS = ("anytune", "anytune-trl", "trl", "transformers", "peft", "torch", "datasets", "accelerate")


def versions() -> dict[str, str]:
    """Give the versions of what trained."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"
    return found


def base_name(model: str) -> str:
    """Name the base model without a path: a folder's last part, or the id as it is."""
    return Path(model).name if Path(model).is_absolute() else model


def card(order: TrainOrder, resolved: Resolved, counts: dict[str, Counts], metrics: dict[str, float], seconds: float) -> str:
    """Write the card, in the form of the Hub (YAML head, then Markdown)."""
    head: dict[str, Any] = {
        "library_name": "transformers",
        "tags": ["anytune", "trl", resolved.method, resolved.adapter],
        "pipeline_tag": "text-generation",
    }
    if (base := names.name(order.model)) is not None:
        head["base_model"] = base.repo
    train = counts["train"]
    settings = {k: v for k, v in resolved.model_dump(mode="json").items() if v is not None}
    data = "\n".join(
        f"| {role} | {counts[role].rows} | {counts[role].samples} | `{file.sha256}` |" for role, file in sorted(order.data.items())
    )
    numbers = "\n".join(f"| {name} | {value:.6g} |" for name, value in sorted(metrics.items()))
    machine = "a GPU" if resolved.device == "cuda" else "CPUs"
    body = f"""# {order.name}

Tuned from {base_name(order.model)} by anytune with TRL's {resolved.method.upper()} trainer ({resolved.adapter}).

Job `{order.ref}`, attempt {order.attempt}, spec hash `{order.spec_hash}`. It took {seconds:.0f} s on {machine}.

## Data

| role | rows | samples | sha256 |
|---|---|---|---|
{data}

{train.tokens} tokens in one pass, {train.learned_tokens} of them learned ({train.learned_share:.1%}).
Longest row {train.longest} tokens; {len(train.overlong)} rows over the limit ({resolved.overlong}).

## Metrics

| metric | last value |
|---|---|
{numbers}

## Settings

```json
{json.dumps(settings, indent=1)}
```

## Versions

{", ".join(f"{name} {version}" for name, version in versions().items())}
"""
    return redact(f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n{body}")
