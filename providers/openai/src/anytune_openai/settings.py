"""Which settings of a spec the protocol has a word for, and what it calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.spec import TrainingSpec

__all__ = ["HYPERPARAMETERS", "METHODS", "SETTINGS", "TAGS", "Tag", "hyperparameters", "trackers"]

Tag = Literal["metadata", "suffix"]
TAGS: tuple[str, ...] = get_args(Tag)

METHODS: Mapping[str, str] = {"sft": "supervised", "dpo": "dpo", "rft": "reinforcement"}
"""Our methods, each with OpenAI's word (API reference, create fine-tuning job, read 2026-11-22)."""

_COMMON = {"num_train_epochs": "n_epochs", "batch_size": "batch_size", "learning_rate_multiplier": "learning_rate_multiplier"}
_EVALS = ("compute_multiplier", "eval_interval", "eval_samples", "reasoning_effort")

HYPERPARAMETERS: Mapping[str, Mapping[str, str]] = {
    "sft": _COMMON,
    "dpo": {**_COMMON, "beta": "beta"},
    "rft": {**_COMMON, **{name: name for name in _EVALS}},
}
"""Our settings by method, each with OpenAI's word (API reference, create fine-tuning job, read 2026-11-22)."""

SETTINGS = frozenset({name for names in HYPERPARAMETERS.values() for name in names} | {"seed", "report_to", "grader"})
"""Everything that is not lost: an absolute learning rate, an adapter, lengths and packing are the host's own choice."""


def hyperparameters(spec: TrainingSpec) -> dict[str, Any]:
    """Give the hyperparameters that were set, in the protocol's words; what was not set is the host's choice.

    Example:
        >>> from anytune.spec import SFT, TrainingSpec
        >>> hyperparameters(TrainingSpec(backend="openai", model="m", train="t.jsonl", method=SFT(n_epochs=2, batch_size="auto")))
        {'n_epochs': 2, 'batch_size': 'auto'}
    """
    found = {}
    for ours, theirs in HYPERPARAMETERS.get(spec.method.type, {}).items():
        value = getattr(spec.method, ours, None)
        if value is not None:
            found[theirs] = int(value) if isinstance(value, float) and value.is_integer() and theirs == "n_epochs" else value
    return found


def trackers(spec: TrainingSpec) -> tuple[str, ...]:
    """Name the experiment trackers that the run shall report to."""
    return tuple(spec.method.report_to or ())
