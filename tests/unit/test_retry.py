"""The one retry layer: what is tried again, how often, after how long, and what never is."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import pytest

from anytune.errors import AuthError, BackendError, MalformedReply, NotFound, QuotaExceeded, RateLimited, Rejected, Unreachable
from anytune.retry import AsyncRetry, Retry, translated, unsent
from anytune.testing.memory import MemoryBackend


class Failing:
    """Fails with the given errors, one a call, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


class Waits(list[float]):
    """Takes the place of sleep, and remembers how long."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def retry(waits: Waits, **settings: Any) -> Retry:
    return Retry(sleep=waits, random=lambda: 1.0, clock=lambda: 0.0, **settings)


def test_a_read_is_tried_five_times_with_growing_waits() -> None:
    waits, call = Waits(), Failing(*[Unreachable("gone")] * 9)
    with pytest.raises(Unreachable):
        retry(waits).read(call)
    assert call.calls == 5
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_jitter_takes_any_share_of_the_wait() -> None:
    waits = Waits()
    Retry(sleep=waits, random=lambda: 0.25, clock=lambda: 0.0).read(Failing(Unreachable("gone"), Unreachable("gone")))
    assert waits == [0.125, 0.25]


def test_a_terminal_error_is_not_tried_again() -> None:
    waits, call = Waits(), Failing(AuthError("wrong key"))
    with pytest.raises(AuthError):
        retry(waits).read(call)
    assert (call.calls, waits) == (1, [])


def test_a_create_is_made_once_whatever_happens() -> None:
    waits, call = Waits(), Failing(Unreachable("gone"))
    with pytest.raises(Unreachable):
        retry(waits).create(call)
    assert (call.calls, waits) == (1, [])


def test_the_providers_retry_after_is_kept_to_but_for_two_minutes_at_most() -> None:
    waits = Waits()
    retry(waits).read(Failing(RateLimited("slow down", retry_after=7.0), RateLimited("slow down", retry_after=4000.0)))
    assert waits == [7.0, 120.0]


def test_the_bucket_ends_a_storm() -> None:
    waits = Waits()
    shared = retry(waits, bucket=10)
    for _ in range(3):
        with pytest.raises(Unreachable):
            shared.read(Failing(*[Unreachable("gone")] * 9))
    assert len(waits) == 2


def test_a_success_gives_a_token_back() -> None:
    waits = Waits()
    shared = retry(waits, bucket=5)
    shared.read(Failing(Unreachable("gone")))
    for _ in range(4):
        shared.read(Failing())
    shared.read(Failing(Unreachable("gone")))
    assert len(waits) == 2


def test_the_deadline_ends_the_tries() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    call = Failing(*[RateLimited("slow down", retry_after=100.0)] * 9)
    with pytest.raises(RateLimited):
        Retry(sleep=sleep, clock=lambda: now[0], deadline_s=250).read(call)
    assert call.calls == 3


class Status(Exception):
    """An exception as the vendors' clients raise them."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(f"status {status}")
        self.response = type("Response", (), {"status_code": status, "headers": {k.replace("_", "-"): v for k, v in headers.items()}})()


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (Status(400), Rejected),
        (Status(401), AuthError),
        (Status(403), AuthError),
        (Status(404), NotFound),
        (Status(408), Unreachable),
        (Status(409), Unreachable),
        (Status(422), Rejected),
        (Status(429), RateLimited),
        (Status(500), Unreachable),
        (Status(503), Unreachable),
        (ConnectionResetError("reset"), Unreachable),
        (TimeoutError("late"), Unreachable),
        (RuntimeError("bug"), BackendError),
    ],
)
def test_a_vendors_exception_becomes_ours(error: Exception, ours: type[BackendError]) -> None:
    found = translated(error, MemoryBackend())
    assert type(found) is ours
    assert found.backend == "memory"
    assert found.fix


def test_a_status_is_told_once() -> None:
    error = Status(404)
    error.body = {"message": "There is no such deployment."}  # type: ignore[attr-defined]
    assert translated(error, None).message == "HTTP 404: There is no such deployment."


def test_broken_json_is_a_malformed_reply() -> None:
    import json

    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("<html>")
    assert isinstance(translated(caught.value, None), MalformedReply)


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"retry_after": "3"}, 3.0), ({"retry_after_ms": "250"}, 0.25), ({}, None), ({"retry_after": "x"}, None)]
)
def test_retry_after_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    found = translated(Status(429, **headers), None)
    assert isinstance(found, RateLimited)
    assert found.retry_after == seconds


def test_what_is_ours_already_stays_and_learns_its_backend() -> None:
    error = QuotaExceeded("no credit")
    assert translated(error, MemoryBackend()) is error
    assert error.backend == "memory"


def test_a_key_in_a_vendors_text_is_redacted() -> None:
    found = translated(Status(401), None)
    assert "sk-" not in str(found)
    assert "sk-proj-abcdefgh12345678" not in str(translated(RuntimeError("bad key sk-proj-abcdefgh12345678"), None))


def test_coroutines_are_tried_again_too() -> None:
    waits: list[float] = []
    errors: list[Exception] = [Unreachable("gone"), ConnectionResetError("reset")]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def call() -> str:
        if errors:
            raise errors.pop(0)
        return "answer"

    found = asyncio.run(AsyncRetry(sleep=sleep, random=lambda: 1.0, clock=lambda: 0.0).read(call))
    assert (found, waits) == ("answer", [0.5, 1.0])


def test_a_cause_that_echoes_a_key_is_not_shown():
    def refused() -> None:
        raise ConnectionError("Incorrect API key provided: sk-proj-canaryKEY0123456789abcdef")

    with pytest.raises(Unreachable) as caught:
        Retry(sleep=lambda _: None, random=lambda: 0.0).create(refused)
    assert "canaryKEY" not in "".join(traceback.format_exception(caught.value))


def test_any_other_cause_is_shown():
    def refused() -> None:
        raise ConnectionError("the line is dead")

    with pytest.raises(Unreachable) as caught:
        Retry(sleep=lambda _: None, random=lambda: 0.0).create(refused)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_lost_reply_is_not_unsent_because_another_call_was_while_it_was_handled() -> None:
    def lost() -> None:
        raise TimeoutError

    try:
        raise ConnectionRefusedError
    except ConnectionRefusedError:
        with pytest.raises(Unreachable) as caught:
            Retry().create(lost)
    assert not unsent(caught.value)


def test_a_connection_that_nobody_took_is_unsent_through_a_vendors_wrapping() -> None:
    def refused() -> None:
        raise OSError("the vendor's own") from ConnectionRefusedError()

    with pytest.raises(Unreachable) as caught:
        Retry().create(refused)
    assert unsent(caught.value)
