"""The reply to a create breaks off at any byte: there is one job, and the ledger has it."""

from __future__ import annotations

import pytest
from tests.faults.cuts import HostCuts, JobCuts, cut
from tests.faults.worlds import AzureWorld, HubWorld, OpenAIWorld

pytestmark = pytest.mark.slow


def test_openai_creates_one_job_wherever_its_reply_is_cut():
    found = cut(JobCuts(OpenAIWorld()), every=20)
    assert found.offsets >= 50


def test_azure_makes_one_host_wherever_its_reply_is_cut():
    assert cut(HostCuts(AzureWorld()), every=150).offsets >= 10


def test_hugging_face_orders_one_job_wherever_its_reply_is_cut():
    assert cut(JobCuts(HubWorld()), every=600).offsets >= 9
