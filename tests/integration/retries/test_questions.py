"""Questions to a model are tried again in one place, too: alone, streamed, by the thousand, and on an event loop."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from anytune import aio
from anytune.errors import Unreachable
from anytune.infer import Endpoint
from anytune.retry import AsyncRetry, Retry
from anytune.testing import OpenAISimulator, WireFault, WireFaults
from anytune.values import Address

CHAT = "POST /chat/completions"


@pytest.fixture
def sim():
    fault = WireFault(kind="error", status=503, on=CHAT, times=10**6, headers={"retry-after-ms": "1", "x-should-retry": "true"})
    with OpenAISimulator(faults=WireFaults(calls=(fault,))) as sim:
        yield sim


@pytest.fixture
def address(sim):
    return Address(base_url=sim.base_url, model="gpt-4.1-mini-2025-04-14", credential=SecretStr(sim.api_key))


def quick(**settings):
    return Retry(sleep=lambda _: None, **settings)


def test_a_question_is_sent_five_times(sim, address):
    with Endpoint(address, retry=quick()) as endpoint:
        with pytest.raises(Unreachable):
            endpoint.chat("rice?")
        assert sim.count(CHAT) == 5
        with pytest.raises(Unreachable):
            next(endpoint.stream("rice?"))
    assert sim.count(CHAT) == 10
    assert {asked.headers.get("x-stainless-retry-count", "0") for asked in sim.requests} == {"0"}


def test_an_event_loops_question_is_sent_five_times(sim, address):
    async def rest(_):
        await asyncio.sleep(0)

    async def ask():
        async with aio.Endpoint(address, retry=AsyncRetry(sleep=rest)) as endpoint:
            await endpoint.chat("rice?")

    with pytest.raises(Unreachable):
        asyncio.run(ask())
    assert sim.count(CHAT) == 5
    assert {asked.headers.get("x-stainless-retry-count", "0") for asked in sim.requests} == {"0"}


def test_a_thousand_questions_to_a_host_that_is_down_share_one_quota(sim, address):
    with Endpoint(address, retry=quick()) as endpoint:
        answers = endpoint.chat_many([f"{n} cups of rice" for n in range(1000)], concurrency=8)
    assert len(answers) == 1000
    assert all(answer.error for answer in answers)
    assert sim.count(CHAT) == 1000 + 500 // 5
