"""In which words Azure speaks OpenAI's fine-tuning protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.values import Status
from anytune_azure.errors import DATA_FIXES, QUOTA_CODES
from anytune_openai import Dialect
from anytune_openai.dialect import OPENAI

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune_openai.dialect import FileState

__all__ = ["AZURE", "FILE_STATES", "STATUSES", "SUFFIX_CHARS"]

STATUSES: Mapping[str, Status] = {
    **OPENAI.statuses,
    "created": Status.QUEUED,
    "pending": Status.QUEUED,
    "notRunning": Status.QUEUED,
    "canceled": Status.CANCELLED,
}
"""OpenAI's own words, which the v1 address may pass on, those of Azure's REST specification of 2025-04-01-preview, and those of its older
versions (`notRunning`, `canceled`; read 2026-11-22)."""

FILE_STATES: Mapping[str, FileState] = {
    **OPENAI.file_states,
    "pending": "pending",
    "running": "pending",
    "notRunning": "pending",
    "succeeded": "ready",
    "failed": "failed",
    "deleting": "gone",
}
"""The same sources; a file can be trained on once Azure has looked at it, not right after its upload."""

SUFFIX_CHARS = 18
"""Microsoft's how-to allows 18 characters; the REST specification says 40 (read 2026-11-22): the smaller one always holds."""

AZURE = Dialect(
    host="Azure OpenAI",
    statuses=STATUSES,
    file_states=FILE_STATES,
    tag="suffix",  # the reference of 2025-04-01-preview gives a job `suffix` and no `metadata`: the suffix carries the ref too
    suffix_chars=SUFFIX_CHARS,
    closes=False,
    quota_codes=QUOTA_CODES,
    fixes=DATA_FIXES,
    address="endpoint",
    auth_fix=(
        "Check that AZURE_OPENAI_API_KEY is a key of the resource in AZURE_OPENAI_ENDPOINT, or log in with `az login`; "
        "training needs the role `Foundry User` on the resource."
    ),
)
