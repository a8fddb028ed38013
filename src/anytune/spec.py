"""The spec: everything that defines a run, as frozen values with Hugging Face's names. It knows no backend."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field, JsonValue, field_validator

from anytune.errors import ConfigError
from anytune.methods import CLM, DPO, ORPO, RFT, SFT, Method, Reward
from anytune.settings import Settings, read_yaml

__all__ = [
    "CLM",
    "DPO",
    "ORPO",
    "RFT",
    "SFT",
    "Adapter",
    "Budget",
    "Full",
    "LoRA",
    "Method",
    "QLoRA",
    "Reward",
    "TrainingSpec",
    "spec_hash",
]

HASH_VERSION = 1
"""Changes only when the rule of `spec_hash` does; a frozen test holds every released version's hashes."""

_HUB = "hf:"
"""How a dataset of the Hub is told from a path."""

_NOT_OUTCOME = frozenset({"save_steps", "save_total_limit", "logging_steps", "eval_steps", "report_to"})


class LoRA(Settings):
    """Low-rank adapters on a frozen base."""

    aliases: ClassVar = {
        "lora_r": "r",
        "rank": "r",
        "alpha": "lora_alpha",
        "dropout": "lora_dropout",
        "lora_target_modules": "target_modules",
    }

    type: Literal["lora"] = "lora"
    r: int | None = Field(default=None, gt=0)
    """Rank."""
    lora_alpha: int | None = Field(default=None, gt=0)
    """Scale; the update is multiplied by `lora_alpha / r`."""
    lora_dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout on the adapter's input."""
    target_modules: str | tuple[str, ...] | None = None
    """Modules that get an adapter; `all-linear` for every linear layer but the head."""


class QLoRA(LoRA):
    """LoRA on a base held in 4 bits; needs a GPU."""

    type: Literal["qlora"] = "qlora"  # type: ignore[assignment]


class Full(Settings):
    """All weights are trained."""

    type: Literal["full"] = "full"


Adapter = Annotated[LoRA | QLoRA | Full, Field(discriminator="type")]


class Budget(Settings):
    """What a run may take, over all its attempts."""

    aliases: ClassVar = {"max_cost_usd": "max_usd"}
    refused: ClassVar = {"max_minutes": "Say `max_hours` (30 minutes: 0.5)."}

    max_usd: float | None = Field(default=None, gt=0)
    """US dollars."""
    max_hours: float | None = Field(default=None, gt=0)
    """Wall-clock hours of training."""


_LONGEST_PATH = 4096
"""Linux takes no longer one; it says so by errors that name no setting."""


class TrainingSpec(Settings):
    """Everything that defines a run.

    Example:
        >>> TrainingSpec(backend="trl", model="starter", train="rows.jsonl", method={"type": "sft"}).method.type
        'sft'
    """

    aliases: ClassVar = {
        "train_file": "train",
        "training_file": "train",
        "validation_file": "validation",
        "valid": "validation",
        "base_model": "model",
    }
    refused: ClassVar = {
        "hyperparameters": "Put them into `method`, such as `method: {type: sft, num_train_epochs: 2}`.",
        "learning_rate": "Hyperparameters belong into `method`.",
        "api_key": "Secrets come from the environment or from a profile, never from a spec.",
    }
    shapes: ClassVar = {"name": "at most 64 of the characters A-Z, a-z, 0-9, `.`, `_` and `-`; the first a letter or digit"}

    backend: str
    """An installed backend, or a profile of anytune.toml."""
    model: str | dict[str, str]
    """What is tuned: one id or path, or one for each backend."""
    train: Path
    """Training rows: a file (JSONL, JSON, CSV, TSV, Parquet; packed or not), a folder of them, or `hf:owner/name[@revision][:split]`."""
    validation: Path | None = None
    """Validation rows, in the same ways."""
    method: Method = Field(default_factory=SFT)
    """What is learned, with its hyperparameters."""
    adapter: Adapter | None = None
    """Which weights are trained; None leaves it to the backend."""
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """What the job is called: with the backend's account it is the job's key. None takes the data file's name."""
    budget: Budget | None = None
    """Limits in money and time."""
    options: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    """Settings that only one backend has, under its name, in its own words (`autotrain: {optimizer: adamw_bnb_8bit}`). Other backends list
    them as lost."""
    strict: bool = False
    """Refuse what the target has no word for, instead of warning."""

    @field_validator("method", "adapter", mode="before")
    @classmethod
    def _word_is_type(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @field_validator("train", "validation")
    @classmethod
    def _can_be_a_path(cls, value: Path | None) -> Path | None:
        if "\0" in str(value) or len(str(value)) > _LONGEST_PATH:
            raise ValueError(f"a path has {_LONGEST_PATH:,} characters at most, and no NUL")
        return value

    def model_for(self, *words: str) -> str:
        """Give the model's id for a backend.

        Args:
            words: What the backend may be called in `model`, the likeliest first: a profile, then its own name.

        Raises:
            ConfigError: The spec names models, but none for this backend.
        """
        if isinstance(self.model, str):
            return self.model
        found = next((self.model[word] for word in words if word in self.model), None)
        if found is None:
            raise ConfigError(
                f"`model` names no model for backend {words[-1]!r}, only for {', '.join(sorted(self.model))}.",
                fix=f"Add `{words[-1]}: <model id>`.",
            )
        return found

    @property
    def job_name(self) -> str:
        """The name given, or the training file's name without its ending; of a dataset of the Hub, its own name."""
        if self.name is None and _on_hub(self.train):
            return re.split("[@:]", str(self.train).removeprefix(_HUB))[0].rsplit("/", 1)[-1]
        return self.name or self.train.name.split(".")[0]

    def aliases_used(self) -> dict[str, str]:
        """Aliases given anywhere in the spec, each with its canonical name."""
        parts = (self, self.method, self.adapter, self.budget)
        return {alias: name for part in parts if part is not None for alias, name in part.renamed.items()}

    def settings(self) -> dict[str, Any]:
        """Give the settings that were set, by their dotted names (`adapter.r`, `options.autotrain.optimizer`)."""
        found = {name: getattr(self.method, name) for name in sorted(self.method.model_fields_set - {"type"})}
        if self.adapter is not None:
            found["adapter.type"] = self.adapter.type
            found |= {f"adapter.{name}": getattr(self.adapter, name) for name in sorted(self.adapter.model_fields_set - {"type"})}
        found |= {f"options.{of}.{name}": value for of, own in sorted(self.options.items()) for name, value in sorted(own.items())}
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def read(cls, path: Path) -> TrainingSpec:
        """Read a spec from a YAML file; data paths in it are relative to the file, `hf:owner/name` is a dataset of the Hub.

        Raises:
            ConfigError: The file is missing, is no YAML mapping, or a key is wrong.
        """
        raw = read_yaml(path, what="the spec", fix="Start with `backend:`, `model:` and `train:`; docs/reference/spec.md has an example.")
        spec = cls(**raw)
        folder = path.resolve().parent
        paths = {"train": spec.train} | ({"validation": spec.validation} if spec.validation is not None else {})
        return spec.model_copy(update={role: path if _on_hub(path) else folder / path for role, path in paths.items()})


def outcome(spec: TrainingSpec, *, model: str, data: dict[str, str]) -> dict[str, Any]:
    """Give what identifies a run: the fields that were set and change what is learned, the resolved model, the data's sha256 by role."""
    method = {"type": spec.method.type} | {
        name: getattr(spec.method, name)
        for name in spec.method.model_fields_set - _NOT_OUTCOME - {"type"}
        if getattr(spec.method, name) is not None
    }
    found: dict[str, Any] = {"data": dict(sorted(data.items())), "method": method, "model": model}
    if spec.adapter is not None:
        adapter = {name: getattr(spec.adapter, name) for name in spec.adapter.model_fields_set if getattr(spec.adapter, name) is not None}
        found["adapter"] = {"type": spec.adapter.type} | adapter
    options = {of: {name: value for name, value in own.items() if value is not None} for of, own in spec.options.items()}
    if any(options.values()):
        found["options"] = {of: own for of, own in options.items() if own}
    plain: dict[str, Any] = json.loads(json.dumps(found, sort_keys=True))
    return plain


def spec_hash(spec: TrainingSpec, *, model: str, data: dict[str, str]) -> str:
    """Hash what identifies a run, as `<version>:<sha256>`.

    Adding a default, a tracker, the budget or another path to the same bytes never changes it.

    Args:
        spec: The spec.
        model: The model's id, resolved for the backend.
        data: sha256 of the data by role (`train`, `validation`).
    """
    canonical = json.dumps(outcome(spec, model=model, data=data), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"{HASH_VERSION}:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _on_hub(path: Path) -> bool:
    return str(path).startswith(_HUB)


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of a spec file, as published in docs/reference/spec.schema.json."""
    schema = pydantic.TypeAdapter(TrainingSpec).json_schema()
    for name, words in (("method", ["sft", "dpo", "orpo", "reward", "clm"]), ("adapter", ["lora", "qlora", "full"])):
        field = schema["properties"][name]
        schema["properties"][name] = {"anyOf": [{"enum": words}, field], "description": field.pop("description")}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
