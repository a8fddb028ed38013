"""What Azure OpenAI does otherwise than OpenAI, as values: words, limits, models, and what a create may ask for."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import field_validator, model_validator

from anytune.testing.simulators.dialect import SPEC
from anytune.testing.simulators.orders import JobOrder

__all__ = ["AZURE_AS_OBSERVED", "AZURE_BASES", "AZURE_SPEC", "FILE_STATES", "JOB_STATES", "TRAINING_TYPES", "AzureJobOrder", "AzureLimits"]

JOB_STATES = ("created", "pending", "running", "pausing", "paused", "resuming", "succeeded", "cancelled", "failed")
"""Every status of a job (Microsoft's description of 2025-04-01-preview)."""

FILE_STATES = ("uploaded", "pending", "running", "processed", "error", "deleting", "deleted")
"""Every status of a file; the same source. A file that is being deleted is not shown here."""

TRAINING_TYPES = frozenset({"standard", "globalstandard", "datazonestandard", "developer", "developertier"})
"""Values of `trainingType`, lower case: Microsoft's pages write them in several ways (read 2026-11-22)."""

AZURE_SPEC = SPEC._replace(
    words=("pending", "running", "running", "running", "running", "succeeded"),
    failing=("pending", "failed"),
    pausing=("pausing", "paused"),
    resuming=("resuming",),
    file_words=("pending", "running", "processed"),
    stuck_word="running",
    created_status=201,
    results_name="results.csv",
    results_columns=MappingProxyType(
        {
            "train_loss": "train_loss",
            "train_mean_token_accuracy": "train_mean_token_accuracy",
            "valid_loss": "valid_loss",
            "validation_mean_token_accuracy": "valid_mean_token_accuracy",
            "full_valid_loss": "valid_loss",
            "full_valid_mean_token_accuracy": "valid_mean_token_accuracy",
        }
    ),
)
"""The words of Microsoft's description, in the shapes of OpenAI's: what the v1 data plane promises."""

AZURE_AS_OBSERVED = AZURE_SPEC._replace(profile="as_observed", keeps_metadata=False)
"""Replies as in the examples of Microsoft's description: fields without a value are left out, and metadata is not kept."""


class _Base(NamedTuple):
    version: str
    trains_until: str
    answers_until: str


AZURE_BASES: dict[str, _Base] = {
    "gpt-4.1-2025-04-14": _Base("2025-04-14", "2027-04-14", "2027-10-14"),
    "gpt-4.1-mini-2025-04-14": _Base("2025-04-14", "2027-04-14", "2027-10-14"),
    "gpt-4.1-nano-2025-04-14": _Base("2025-04-14", "2027-04-14", "2027-10-14"),
    "gpt-4o-2024-08-06": _Base("2024-08-06", "2027-04-01", "2027-10-01"),
    "gpt-4o-mini-2024-07-18": _Base("2024-07-18", "2027-04-01", "2027-10-01"),
    "o4-mini-2025-04-16": _Base("2025-04-16", "2026-10-16", "2027-10-16"),
}
"""Models that jobs can start from, with their version, and until when they train and their tuned models answer (Microsoft's table, read
2026-11-22). The simulator goes on after those days."""


class AzureLimits(NamedTuple):
    """What a resource holds at once (Microsoft's page on quotas and limits, read 2026-11-22); jobs count until they are deleted."""

    running: int = 1
    queued: int = 20
    jobs: int = 100
    files: int = 50


class AzureJobOrder(JobOrder):
    """The body of a create at Azure: also `trainingType`, and settings of its own."""

    trainingType: str | None = None  # noqa: N815 - the wire's name

    @field_validator("trainingType")
    @classmethod
    def _known_type(cls, value: str | None) -> str | None:
        if value is not None and re.sub(r"[\s_-]", "", value.lower()) not in TRAINING_TYPES:
            raise ValueError(f"unknown training type; known: {', '.join(sorted(TRAINING_TYPES))}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _as_openai_says_it(cls, body: Any) -> Any:
        """Read -1 as `auto`, and take the settings that only Azure has."""
        if not isinstance(body, dict):
            return body
        said = {name: _plain(value) if name == "hyperparameters" else value for name, value in body.items()}
        method = said.get("method")
        if isinstance(method, dict):
            said["method"] = {
                name: {**part, "hyperparameters": _plain(part["hyperparameters"])}
                if isinstance(part, dict) and isinstance(part.get("hyperparameters"), dict)
                else part
                for name, part in method.items()
            }
        return said


def _plain(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    own = {"prompt_loss_weight", "l2_multiplier"}
    return {name: "auto" if value == -1 else value for name, value in settings.items() if name not in own}
