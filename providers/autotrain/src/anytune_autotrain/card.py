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
    from anytune_autotrain.data import Counts
    from anytune_autotrain.defaults import Resolved
    from anytune_huggingface.order import TrainOrder

__all__ = ["card", "versions"]

_HERE = ("anytune", "anytune-huggingface", "anytune-autotrain")


def versions(there: dict[str, str]) -> dict[str, str]:
    """Give the versions of what trained, ours and those of AutoTrain's environment."""
    return {name: importlib.metadata.version(name) for name in _HERE} | there


def _base_name(model: str) -> str:
    return Path(model).name if Path(model).is_absolute() else model


def card(
    order: TrainOrder, resolved: Resolved, counts: dict[str, Counts], metrics: dict[str, float], seconds: float, there: dict[str, str]
) -> str:
    """Write the card, in the form of the Hub (YAML head, then Markdown).

    Args:
        order: What was ordered.
        resolved: All settings.
        counts: What became of each file's rows.
        metrics: The last numbers.
        seconds: What the last start took.
        there: Versions in AutoTrain's environment.
    """
    reward = resolved.method == "reward"
    train = counts["train"]
    settings = {k: v for k, v in resolved.model_dump(mode="json").items() if v is not None}
    settings["model_ref"] = _base_name(resolved.model_ref) if resolved.model_ref else None
    data = "\n".join(
        f"| {role} | {counts[role].rows} | {counts[role].sequences} | `{file.sha256}` |" for role, file in sorted(order.data.items())
    )
    numbers = "\n".join(f"| {name} | {value:.6g} |" for name, value in sorted(metrics.items()))
    machine = "a GPU" if resolved.device == "cuda" else "CPUs"
    body = f"""# {order.name}

Tuned from {_base_name(order.model)} by anytune with AutoTrain's {resolved.method} trainer ({resolved.adapter}).
{"It scores a conversation with one number; it writes no text." if reward else ""}

Job `{order.ref}`, attempt {order.attempt}, spec hash `{order.spec_hash}`. It took {seconds:.0f} s on {machine}.

## Data

| role | rows | sequences | sha256 |
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
{json.dumps({k: v for k, v in settings.items() if v is not None}, indent=1)}
```

## Versions

{", ".join(f"{name} {version}" for name, version in versions(there).items())}
"""
    return redact(f"---\n{yaml.safe_dump(_head(order, resolved), sort_keys=False)}---\n\n{body}")


def _head(order: TrainOrder, resolved: Resolved) -> dict[str, Any]:
    head: dict[str, Any] = {
        "library_name": "transformers",
        "tags": ["anytune", "autotrain", resolved.method, resolved.adapter],
        "pipeline_tag": "text-classification" if resolved.method == "reward" else "text-generation",
    }
    base = names.name(order.model)
    return head if base is None else head | {"base_model": base.repo}
