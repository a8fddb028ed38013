"""Events in the book."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from anytune.server.book.events import News
from anytune.server.errors import ApiError


@pytest.fixture
def job(book):
    return book.jobs.add("ann", {"model": "m", "training_file": "file-a"}, "m", {})[0]


def test_events_are_listed_newest_first_page_by_page(book, job):
    told = [book.events.add(job.id, f"event {number}") for number in range(5)]
    first, more = book.events.listed(job.id, limit=2)
    assert ([event.message for event in first], more) == (["event 4", "event 3"], True)
    rest, more = book.events.listed(job.id, after=first[-1].id)
    assert ([event.id for event in rest], more) == ([told[2].id, told[1].id, told[0].id], False)


def test_an_origin_is_told_once(book, job):
    assert book.events.add(job.id, "loss", origin="metric:1", type="metrics", data={"step": 1}) is not None
    assert book.events.add(job.id, "loss", origin="metric:1") is None
    told = book.events.add_many(job.id, [News(message=str(n), origin=f"metric:{n}") for n in (1, 2, 2, *range(3, 1500))])
    assert [event.message for event in told] == [str(n) for n in range(2, 1500)]
    assert len(book.events.listed(job.id, limit=5000)[0]) == 1499


def test_an_event_keeps_its_own_time_and_no_key(book, job):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    event = book.events.add(job.id, "The key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789 failed.", level="warn", at=at)
    assert event.at == at
    assert "abcdefghijklmnop" not in event.message


def test_an_event_of_another_order_is_no_place_to_go_on_from(book, job):
    other = book.jobs.add("ann", {"model": "n"}, "n", {})[0]
    event = book.events.add(other.id, "hello")
    with pytest.raises(ApiError) as caught:
        book.events.listed(job.id, after=event.id)
    assert caught.value.status == 404
    with pytest.raises(ApiError):
        book.events.add("ftjob-none", "hello")


def test_a_loss_that_is_no_number_is_none(book, job):
    event = book.events.add(job.id, "loss", type="metrics", data={"step": 1, "loss": float("nan"), "more": [float("inf"), 2]})
    assert event.data == {"step": 1, "loss": None, "more": [None, 2]}
