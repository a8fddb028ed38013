"""What owners ask for: cancel, pause, resume. Before a backend has the order the book alone decides; then the backend is asked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from anytune.errors import AnytuneError, Transient
from anytune.server.book.events import News
from anytune.server.training.ending import cancelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.job import FineTuneJob
    from anytune.server.book import Book
    from anytune.server.book.rows import JobRow

__all__ = ["asked", "early"]

log = logging.getLogger(__name__)


def early(book: Book, hooks: Sequence[str], order: JobRow) -> JobRow:
    """Do what is wished of an order that no backend has, and give it as it is then; another one is left alone."""
    if order.stage not in {"received", "checked"}:
        return order
    if order.wish == "cancel":
        return cancelled(book, hooks, order)
    if order.stage == "received" or order.wish is None:
        return order
    word = "paused" if order.wish == "pause" else "queued"
    news = None if order.status == word else News(message=f"The job is {word}.")
    moved = book.jobs.move(order.id, order.stage, news=news, status=word, wish=None)
    return book.jobs.get(order.id, None) if moved is None else moved


def asked(book: Book, order: JobRow, job: FineTuneJob) -> None:
    """Ask the backend for what is wished. A cancel stays until the end; what the backend cannot do is told and forgotten."""
    if order.wish is None or (order.wish == "cancel" and job.row.cancel_requested):
        return
    refusal = None
    try:
        getattr(job, order.wish)()
    except Transient as error:
        log.warning("%s: cannot ask for %s now: %s", order.id, order.wish, error)
        return
    except AnytuneError as error:
        refusal = News(message=f"The job cannot {order.wish}: {error.message}", level="warn")
    if order.wish != "cancel":
        book.jobs.granted(order.id, order.wish, news=refusal)
    elif refusal is not None:
        book.events.add_many(order.id, [refusal])
