"""Calls as a receiver gets them, verified by OpenAI's own client."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import openai
import pytest
from openai import InvalidWebhookSignatureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.server.book import Book


@pytest.fixture
def client(secret: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-none", webhook_secret=secret) as made:
        yield made


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_openais_client_unwraps_a_call(book: Book, order: str, receiver, client: openai.OpenAI, status: str, run_until) -> None:
    book.deliveries.owe(order, f"fine_tuning.job.{status}", "team")
    book.jobs.change(order, stage="ended", status=status)

    run_until(team={"url": receiver.url})

    (call,) = receiver.calls
    event = client.webhooks.unwrap(call.body, call.headers)
    assert type(event).__name__ == f"FineTuningJob{status.capitalize()}WebhookEvent"
    assert (event.type, event.data.id, event.object) == (f"fine_tuning.job.{status}", order, "event")
    assert event.id == call.headers["webhook-id"]
    assert set(json.loads(call.body)) == {"id", "object", "created_at", "type", "data"}
    assert call.path == "/tuned?team=a"


def test_a_changed_body_does_not_verify(book: Book, ended: str, receiver, client: openai.OpenAI, run_until) -> None:
    run_until(team={"url": receiver.url})

    (call,) = receiver.calls
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.unwrap(call.body.replace(b"succeeded", b"failed"), call.headers)


def test_a_call_that_was_not_taken_is_made_again_under_the_same_id(
    book: Book, ended: str, receiver, client: openai.OpenAI, clock, run_until
) -> None:
    receiver.script = [500, 302, 204]
    for attempt in range(1, 4):
        run_until(lambda: len(receiver.calls) == attempt and not book.deliveries.due("team"), team={"url": receiver.url})  # noqa: B023 - it is called at once
        clock.leap(minutes=3)
    run_until(team={"url": receiver.url})

    assert len(receiver.calls) == 3
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1
    assert len({call.headers["webhook-signature"] for call in receiver.calls}) == 3
    assert len({call.body for call in receiver.calls}) == 1


def test_pauses_grow_and_a_call_is_given_up_after_three_days(book: Book, ended: str, receiver, clock, run_until, owed) -> None:
    receiver.script = [503] * 100
    pauses = []
    while owed():
        calls = len(receiver.calls)
        run_until(lambda: len(receiver.calls) > calls and not book.deliveries.due("team"), team={"url": receiver.url})  # noqa: B023 - it is called at once
        for row in owed():
            pauses.append((row.due_at - clock()).total_seconds())
            clock.leap(seconds=pauses[-1] + 1)

    assert pauses == sorted(pauses[:8]) + pauses[8:]
    assert 8 < len(receiver.calls) < 20
    assert 40 < clock.ahead.total_seconds() / 3600 <= 72.1


def test_a_receiver_that_is_gone_is_not_asked_again(book: Book, ended: str, receiver, run_until) -> None:
    receiver.script = [410]

    run_until(team={"url": receiver.url})

    assert len(receiver.calls) == 1


def test_a_receiver_that_hangs_holds_up_nobody_elses_calls(book: Book, ended: str, receiver, run_until) -> None:
    slow = type(receiver)()
    slow.hold.clear()
    book.deliveries.owe(ended, "fine_tuning.job.succeeded", "slow")
    try:
        run_until(
            lambda: slow.calls and receiver.calls,
            slow={"url": slow.url},
            team={"url": receiver.url},
        )
    finally:
        slow.close()

    assert len(receiver.calls) == 1


def test_a_call_cut_short_by_a_stop_is_made_again(book: Book, ended: str, receiver, run_until) -> None:
    receiver.hold.clear()
    run_until(lambda: receiver.calls, team={"url": receiver.url})
    receiver.hold.set()

    run_until(team={"url": receiver.url})

    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1


def test_no_secret_and_no_url_is_logged(book: Book, ended: str, receiver, caplog: pytest.LogCaptureFixture, run_until) -> None:
    receiver.script = [500]

    run_until(lambda: caplog.text, team={"url": receiver.url})

    assert "Webhook team did not take fine_tuning.job.succeeded" in caplog.text
    assert base64.b64encode(bytes(range(32))).decode() not in caplog.text
    assert "?team=a" not in caplog.text
