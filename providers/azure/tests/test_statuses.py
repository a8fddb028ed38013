"""Every word that Azure documents, mapped exactly once; the tables here are Microsoft's, not the code's."""

from __future__ import annotations

import pytest

from anytune.values import Status
from anytune_azure.words import AZURE, FILE_STATES, STATUSES
from anytune_openai import status_of

JOBS = {
    "created": Status.QUEUED,
    "pending": Status.QUEUED,
    "running": Status.RUNNING,
    "pausing": Status.RUNNING,
    "paused": Status.PAUSED,
    "resuming": Status.RUNNING,
    "succeeded": Status.SUCCEEDED,
    "cancelled": Status.CANCELLED,
    "failed": Status.FAILED,
}
"""REST specification 2025-04-01-preview, fine-tuning job, read 2026-11-22."""

OLDER = {"notRunning": Status.QUEUED, "canceled": Status.CANCELLED}
"""REST specifications before it."""

OPENAIS = {"validating_files": Status.QUEUED, "queued": Status.QUEUED}
"""What the v1 address may pass on."""

FILES = {
    "uploaded": "pending",
    "pending": "pending",
    "running": "pending",
    "processed": "ready",
    "error": "failed",
    "deleting": "gone",
    "deleted": "gone",
}
"""REST specification 2025-04-01-preview, file, read 2026-11-22."""

OLDER_FILES = {"notRunning": "pending", "succeeded": "ready", "failed": "failed"}


def test_every_status_of_a_job_is_mapped_exactly_once():
    assert dict(STATUSES) == JOBS | OLDER | OPENAIS
    assert {word: status_of(word, AZURE) for word in STATUSES} == JOBS | OLDER | OPENAIS


@pytest.mark.parametrize("word", ["Succeeded?", "", None, "archived", 7])
def test_a_status_that_azure_does_not_document_is_unknown(word):
    assert status_of(word, AZURE) is Status.UNKNOWN


def test_every_state_of_a_file_is_mapped_exactly_once():
    assert dict(FILE_STATES) == FILES | OLDER_FILES
