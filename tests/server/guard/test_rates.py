"""How often one key may ask."""

from __future__ import annotations

import openai
import pytest

from anytune.server.errors import ApiError
from anytune.server.guard.rates import Rates


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rates(clock):
    return Rates(clock=clock)


def test_a_key_may_use_its_minute_at_once_and_no_more(rates):
    left = [dict(rates.take("k", 3))[b"x-ratelimit-remaining-requests"] for _ in range(3)]
    assert left == [b"2", b"1", b"0"]
    with pytest.raises(ApiError) as refused:
        rates.take("k", 3)
    assert (refused.value.status, refused.value.code) == (429, "rate_limit_exceeded")
    assert refused.value.headers == {
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m0s",
        "retry-after": "20",
        "retry-after-ms": "20000",
    }


def test_a_bucket_fills_evenly(rates, clock):
    for _ in range(60):
        rates.take("k", 60)
    clock.now += 1.5
    rates.take("k", 60)
    with pytest.raises(ApiError, match="Try again in 500ms"):
        rates.take("k", 60)


def test_a_bucket_holds_no_more_than_a_minute(rates, clock):
    rates.take("k", 2)
    clock.now += 86_400
    rates.take("k", 2)
    rates.take("k", 2)
    with pytest.raises(ApiError):
        rates.take("k", 2)


def test_keys_do_not_share_a_bucket(rates):
    rates.take("a", 1)
    rates.take("b", 1)
    with pytest.raises(ApiError):
        rates.take("a", 1)


def test_answers_tell_what_is_left_and_the_client_waits_as_told(guarded, send):
    server = guarded()
    _, key = server.keys.add("alice", requests_per_minute=2)
    seen = [send(server.url, key=key) for _ in range(3)]
    assert [answer.status for answer in seen] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in seen] == ["1", "0", "0"]
    assert seen[0].headers["x-ratelimit-limit-requests"] == "2"
    assert int(seen[2].headers["retry-after"]) in {29, 30}
    assert len(server.seen) == 2
    with openai.OpenAI(api_key=key, base_url=server.url, max_retries=0) as client, pytest.raises(openai.RateLimitError):
        client.get("/v1/echo", cast_to=object)


def test_the_server_s_own_limit_holds_for_keys_without_one(guarded, send):
    server = guarded(limits={"requests_per_minute": 1})
    _, plain = server.keys.add("alice")
    _, larger = server.keys.add("bob", requests_per_minute=5)
    assert [send(server.url, key=plain).status for _ in range(2)] == [200, 429]
    assert [send(server.url, key=larger).status for _ in range(2)] == [200, 200]


def test_without_a_limit_nothing_is_told(guarded, send):
    assert not [name for name in send(guarded().url).headers if "ratelimit" in name]
