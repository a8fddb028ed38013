"""What is owed to webhooks is owed once, in either database, whoever says so at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from anytune.ledger import Ledger
from anytune.server.book import Book


def test_many_who_owe_the_same_call_at_once_owe_one(database: str) -> None:
    ledger = Ledger.open()
    book = Book(ledger.database)
    row, _ = book.jobs.add("ann", {"model": "starter", "training_file": "file-1"}, "starter", {"backend": "memory", "model": "starter"})
    with ThreadPoolExecutor(8) as many:
        list(many.map(lambda _: book.deliveries.owe(row.id, "fine_tuning.job.failed", "team"), range(16)))
    assert book.deliveries.due("team") == []

    book.jobs.change(row.id, stage="ended", status="failed")
    (owed,) = book.deliveries.due("team")
    book.deliveries.failed(owed.id, "answered 500", book.deliveries.clock())
    (again,) = book.deliveries.due("team")
    assert (again.id, again.attempts, again.error) == (owed.id, 1, "answered 500")

    book.deliveries.done(owed.id)
    assert book.deliveries.due("team") == []
    ledger.close()
