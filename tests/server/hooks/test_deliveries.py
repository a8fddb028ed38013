"""What is owed: once, durable, and due when the job has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError

from anytune.ledger import Ledger
from anytune.server.book import Book

if TYPE_CHECKING:
    from pathlib import Path


def test_a_call_is_owed_once_however_often_it_is_said(book: Book, ended: str) -> None:
    book.deliveries.owe(ended, "fine_tuning.job.succeeded", "team")

    assert [(row.job_id, row.webhook, row.attempts) for row in book.deliveries.due()] == [(ended, "team", 0)]


def test_nothing_is_due_before_the_job_has_ended(book: Book, order: str) -> None:
    book.deliveries.owe(order, "fine_tuning.job.succeeded", "team")

    assert book.deliveries.due() == []
    assert book.deliveries.next_due() is None


def test_a_call_that_says_another_end_than_the_jobs_is_never_due(book: Book, ended: str) -> None:
    book.deliveries.owe(ended, "fine_tuning.job.cancelled", "team")

    assert [row.type for row in book.deliveries.due()] == ["fine_tuning.job.succeeded"]


def test_a_call_is_due_again_when_its_time_has_come(book: Book, ended: str, clock) -> None:
    (row,) = book.deliveries.due()
    book.deliveries.failed(row.id, "answered 500", clock() + timedelta(minutes=5))

    assert book.deliveries.due() == []
    assert book.deliveries.next_due() > clock()
    clock.leap(minutes=6)
    assert [(again.id, again.attempts, again.error) for again in book.deliveries.due()] == [(row.id, 1, "answered 500")]


@pytest.mark.parametrize("taken", [True, False])
def test_a_call_that_was_taken_or_given_up_is_owed_no_more(book: Book, ended: str, taken: bool) -> None:
    (row,) = book.deliveries.due()
    if taken:
        book.deliveries.done(row.id)
    else:
        book.deliveries.failed(row.id, "answered 410", None)

    assert book.deliveries.due() == []
    assert book.deliveries.owed() == 0


def test_an_address_sees_only_its_own_calls(book: Book, ended: str) -> None:
    book.deliveries.owe(ended, "fine_tuning.job.succeeded", "other")

    assert [row.webhook for row in book.deliveries.due("other")] == ["other"]
    assert book.deliveries.owed() == 2


def test_a_call_about_an_unknown_job_is_refused(book: Book) -> None:
    with pytest.raises(IntegrityError):
        book.deliveries.owe("ftjob-unknown", "fine_tuning.job.succeeded", "team")


def test_what_is_owed_outlives_the_process(book: Book, ended: str, tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")

    assert [row.job_id for row in Book(ledger.database).deliveries.due()] == [ended]
    ledger.close()
