"""What is owed: once, durable, and due when the job has ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from anytune.ledger import Ledger
from anytune.server.book import Book


def test_a_call_is_owed_once_however_often_it_is_said(book: Book, ended: str) -> None:
    book.deliveries.owe(ended, "fine_tuning.job.succeeded", "team")

    assert [(row.job_id, row.webhook, row.attempts) for row in book.deliveries.due("team")] == [(ended, "team", 0)]


def test_nothing_is_due_before_the_job_has_ended(book: Book, order: str) -> None:
    book.deliveries.owe(order, "fine_tuning.job.succeeded", "team")

    assert book.deliveries.due("team") == []


def test_a_call_that_says_another_end_than_the_jobs_is_never_due(book: Book, ended: str) -> None:
    book.deliveries.owe(ended, "fine_tuning.job.cancelled", "team")

    assert [row.type for row in book.deliveries.due("team")] == ["fine_tuning.job.succeeded"]


def test_a_call_is_due_again_when_its_time_has_come(book: Book, ended: str, clock) -> None:
    (row,) = book.deliveries.due("team")
    book.deliveries.failed(row.id, "answered 500", clock() + timedelta(minutes=5))

    assert book.deliveries.due("team") == []
    clock.leap(minutes=6)
    assert [(again.id, again.attempts, again.error) for again in book.deliveries.due("team")] == [(row.id, 1, "answered 500")]


@pytest.mark.parametrize("taken", [True, False])
def test_a_call_that_was_taken_or_given_up_is_owed_no_more(book: Book, ended: str, owed, taken: bool) -> None:
    (row,) = book.deliveries.due("team")
    if taken:
        book.deliveries.done(row.id)
    else:
        book.deliveries.failed(row.id, "answered 410", None)

    assert book.deliveries.due("team") == []
    assert owed() == []


def test_an_address_sees_only_its_own_calls(book: Book, ended: str, owed) -> None:
    book.deliveries.owe(ended, "fine_tuning.job.succeeded", "other")

    assert [row.webhook for row in book.deliveries.due("other")] == ["other"]
    assert {row.webhook for row in owed()} == {"team", "other"}


def test_a_call_about_an_unknown_job_is_refused(book: Book) -> None:
    with pytest.raises(IntegrityError):
        book.deliveries.owe("ftjob-unknown", "fine_tuning.job.succeeded", "team")


def test_what_is_owed_outlives_the_process(book: Book, ended: str) -> None:
    with Ledger.open() as again:
        assert [row.job_id for row in Book(again.database).deliveries.due("team")] == [ended]
