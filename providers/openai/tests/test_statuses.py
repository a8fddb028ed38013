"""Every documented word of OpenAI is mapped once, and no other is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anytune.testing import Life, OpenAISimulator, WireFaults
from anytune.values import Status
from anytune_openai import OPENAI, OpenAIBackend, status_of

SPECIFICATION = Path(__file__).resolve().parents[4] / "shared" / "contracts" / "openai_finetune_subset.json"

DOCUMENTED = {  # OpenAI's API reference, fine-tuning job object, read 2026-11-22
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


def test_the_table_has_each_documented_status_and_no_other():
    assert dict(OPENAI.statuses) == DOCUMENTED


@pytest.mark.parametrize(("word", "status"), DOCUMENTED.items())
def test_each_documented_status_is_mapped(word, status):
    assert status_of(word) is status


@pytest.mark.parametrize("word", ["hibernating", "Succeeded", "", None, 7, ["running"]])
def test_any_other_word_is_unknown_and_never_failed(word):
    assert status_of(word) is Status.UNKNOWN


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="the published description is not beside this checkout")
def test_each_status_of_the_published_description_is_mapped():
    published = json.loads(SPECIFICATION.read_text(encoding="utf-8"))["components"]["schemas"]
    jobs, files = published["FineTuningJob"]["properties"]["status"]["enum"], published["OpenAIFile"]["properties"]["status"]["enum"]
    assert set(jobs) <= set(OPENAI.statuses)
    assert set(files) <= set(OPENAI.file_states)


def test_a_job_with_a_word_of_tomorrow_is_unknown_until_it_ends(order, backend_on):
    with OpenAISimulator(life=Life.of(steps=2), faults=WireFaults(unknown_status="rehearsing")) as sim:
        backend = backend_on(sim)
        job = backend.submit(order(backend))
        seen = [backend.poll(job.id).status for _ in range(5)]
    assert Status.UNKNOWN in seen
    assert Status.FAILED not in seen
    assert seen[-1] is Status.SUCCEEDED


def test_no_instance_changes_the_words_of_another(sim):
    one, two = (OpenAIBackend(base_url=sim.base_url, api_key="k", tag=tag) for tag in ("metadata", "suffix"))
    assert one.dialect.statuses == two.dialect.statuses
    assert (one.capabilities.tag, two.capabilities.tag) == ("metadata", "suffix")
