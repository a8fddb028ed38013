"""The end of an order: owed to webhooks first, then written with its last event, so that whoever is killed in between does it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from anytune.server.book.deliveries import PREFIX
from anytune.server.book.events import News

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.server.book import Book
    from anytune.server.book.rows import JobRow
    from anytune.server.config import ServeConfig

__all__ = ["cancelled", "end", "failed", "hooks_of"]

End = Literal["succeeded", "failed", "cancelled"]


def hooks_of(config: ServeConfig, owner: str) -> list[str]:
    """Name the webhooks that hear of an owner's jobs."""
    return [name for name, hook in config.webhooks.items() if hook.owners is None or owner in hook.owners]


def end(book: Book, hooks: Iterable[str], order: JobRow, status: End, message: str, **values: Any) -> JobRow:
    """End an order, unless it has gone on to another stage since it was read.

    Args:
        book: The rows.
        hooks: Names of the webhooks that hear of it.
        order: Which.
        status: How it ends.
        message: Its last event.
        values: Further columns.

    Returns:
        The order as it is then.
    """
    for hook in hooks:
        book.deliveries.owe(order.id, PREFIX + status, hook)
    ended = {"status": status, "stage": "ended", "wish": None, "estimated_finish": None, "finished_at": book.clock()} | values
    last = News(message=message, level="error" if status == "failed" else "info", origin="ended")
    row = book.jobs.move(order.id, order.stage, news=last, **ended)
    return book.jobs.get(order.id, None) if row is None else row


def failed(book: Book, hooks: Iterable[str], order: JobRow, message: str, *, code: str, param: str | None = None, **values: Any) -> JobRow:
    """End an order that cannot be done, and say why."""
    error = {"code": code, "message": message, "param": param}
    return end(book, hooks, order, "failed", message, error=error, **values)


def cancelled(book: Book, hooks: Iterable[str], order: JobRow, **values: Any) -> JobRow:
    """End an order because its owner asked for it."""
    return end(book, hooks, order, "cancelled", "The job was cancelled.", **values)
