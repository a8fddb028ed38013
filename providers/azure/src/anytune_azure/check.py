"""What speaks against a run in a resource of Azure, found before anything is paid: the shared look of the wire, and Azure's own.

Codes of its own: `deploy-settings` (warning): the model could be trained and not be hosted. `files-full` (warning): the resource holds as
many files as it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.codes import finding
from anytune.values import Finding
from anytune_openai import pages
from anytune_openai.check import findings as shared
from anytune_openai.replies import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.spec import TrainingSpec
    from anytune.values import LocalFile
    from anytune_azure.backend import AzureBackend

__all__ = ["MAX_FILES", "MAX_TOTAL_BYTES", "findings"]

MAX_FILES = 50
MAX_TOTAL_BYTES = 1024**3
"""Files of one resource, and their bytes together (Microsoft's quotas and limits, read 2026-11-22)."""


def findings(backend: AzureBackend, spec: TrainingSpec, data: Sequence[LocalFile]) -> list[Finding]:
    """Look at the model, at the settings for hosting, and at what the resource still takes.

    Args:
        backend: Who would train.
        spec: What is wanted.
        data: The data files.

    Raises:
        openai.OpenAIError: The resource cannot be asked: as the client raises it.
    """
    found = shared(backend, spec, data)
    if not any(one.code in {"not-tunable", "not-checked"} for one in found):
        found = [*found, *_tunable(backend, spec.model_for(spec.backend, backend.name))]
    return [*found, *_hosting(backend), *_room(backend, data)]


def _tunable(backend: AzureBackend, model: str) -> list[Finding]:
    """Ask the resource's list of models, which says of each what it may be used for in this region."""
    abilities = record(backend.client.models.with_raw_response.retrieve(model)).get("capabilities")
    if not isinstance(abilities, dict) or abilities.get("fine_tune") is not False:
        return []
    message = f"This resource has {model} and cannot tune it: its region, or your subscription, does not offer that."
    return [finding("not-tunable", message, "Take another model, or a resource in a region that Microsoft lists for fine-tuning.")]


def _hosting(backend: AzureBackend) -> list[Finding]:
    """Say before training, which costs money, what would keep its result from being used."""
    missing = backend.settings.missing
    if not missing:
        return []
    message = f"The model could be trained and not deployed: {', '.join(missing)} not set."
    fix = "Set them now: a tuned model answers through a deployment only; `az cognitiveservices account list` shows resources with groups."
    return [Finding(severity="warning", code="deploy-settings", message=message, fix=fix)]


def _room(backend: AzureBackend, data: Sequence[LocalFile]) -> list[Finding]:
    """Count the resource's files before one is sent that it would refuse."""
    from openai import PermissionDeniedError, omit  # noqa: PLC0415 - loaded with the client

    held = backend.client.files.with_raw_response
    try:
        files = pages.listing(lambda after: record(held.list(purpose="fine-tune", after=after or omit))).items
    except PermissionDeniedError:
        return []
    count = len(files) + len(data)
    size = sum(int(one.get("bytes") or 0) for one in files) + sum(one.size_bytes for one in data)
    if count <= MAX_FILES and size <= MAX_TOTAL_BYTES:
        return []
    message = f"The resource holds {len(files)} training files; with these they would be {count} of {size:,} bytes in all."
    fix = f"Azure documents {MAX_FILES} files and {MAX_TOTAL_BYTES:,} bytes as the most: delete old ones if the upload is refused."
    return [Finding(severity="warning", code="files-full", message=message, fix=fix)]
