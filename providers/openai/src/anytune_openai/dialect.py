"""In which words a host speaks the protocol: statuses, file states, where a job is tagged, what its error codes ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from anytune.values import Status, Value

__all__ = ["FILE_STATES", "OPENAI", "QUOTA_CODES", "STATUSES", "Dialect", "FileState", "status_of"]

FileState = Literal["ready", "pending", "failed", "gone"]


class Dialect(Value):
    """One host's way of speaking OpenAI's fine-tuning protocol.

    Attributes:
        host: The host's name, for people.
        statuses: Every documented word for a job's status.
        file_states: Every documented word for a file's status.
        tag: Where the order's ref is put. With `suffix` it stands in both places, and `find` looks at both: metadata may be dropped.
        suffix_chars: Longest suffix that is taken.
        closes: A 403 on create means that the host is closed to this organisation.
        quota_codes: Error codes and types, lower case, that mean that nothing is left to spend.
        fixes: Error codes, lower case, with the next step; they go before those of `anytune_openai.errors`.
        auth_fix: The next step where the key is refused.
        address: Which setting holds the host's address.
    """

    host: str
    statuses: Mapping[str, Status]
    file_states: Mapping[str, FileState]
    tag: Literal["metadata", "suffix"] = "metadata"
    suffix_chars: int = Field(default=64, ge=16)
    closes: bool = True
    quota_codes: frozenset[str] = frozenset()
    fixes: Mapping[str, str] = Field(default_factory=dict)
    auth_fix: str = ""
    address: str = "base_url"


STATUSES: Mapping[str, Status] = {
    "validating_files": Status.QUEUED,
    "queued": Status.QUEUED,
    "running": Status.RUNNING,
    "pausing": Status.RUNNING,
    "paused": Status.PAUSED,
    "resuming": Status.RUNNING,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
}
"""OpenAI's API reference, fine-tuning job object, read 2026-11-22. `pausing`, `paused` and `resuming` stand in the reference and not in the
types of openai 3.54."""

FILE_STATES: Mapping[str, FileState] = {"uploaded": "pending", "processed": "ready", "error": "failed", "deleted": "gone"}
"""OpenAI's API reference, file object, read 2026-11-22; `deleted` is what openai 3.54 waits for beside the documented words."""

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "billing_not_active",
        "exceeded_quota",
        "quota_exceeded",
        "quotaexceeded",
    }
)
"""OpenAI's guide to error codes and recorded replies of real accounts, read 2026-11-22; either the code or the type says it."""

OPENAI = Dialect(
    host="OpenAI",
    statuses=STATUSES,
    file_states=FILE_STATES,
    quota_codes=QUOTA_CODES,
    auth_fix="Check OPENAI_API_KEY (keys are listed at platform.openai.com, settings, API keys), or the profile's `api_key`.",
)


def status_of(word: object, dialect: Dialect = OPENAI) -> Status:
    """Map a host's word; one that its documentation does not have is `unknown`, never failed."""
    return dialect.statuses.get(word, Status.UNKNOWN) if isinstance(word, str) else Status.UNKNOWN
