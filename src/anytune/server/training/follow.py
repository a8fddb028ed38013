"""Eyes on jobs that a backend has: what the ledger's job tells is copied into the book once, and its end ends the order."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from anytune.errors import AnytuneError, NotFound
from anytune.job import FineTuneJob
from anytune.pauses import growing
from anytune.server.book.events import News
from anytune.server.errors import ApiError
from anytune.server.shapes.names import model_name, numbers
from anytune.server.training import backends
from anytune.server.training.ending import cancelled, end, failed, hooks_of
from anytune.server.training.results import keep
from anytune.server.training.wishes import asked
from anytune.values import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from anytune.backend import Backend
    from anytune.runtime import Runtime
    from anytune.server.book import Book
    from anytune.server.book.rows import JobRow
    from anytune.server.config import ServeConfig
    from anytune.server.store import Store
    from anytune.values import Event, Metric, Snapshot

__all__ = ["Follower"]

log = logging.getLogger(__name__)

_WORDS: Final = {
    Status.SUBMITTING: "queued",
    Status.QUEUED: "queued",
    Status.RUNNING: "running",
    Status.PAUSED: "paused",
}
_LEVELS: Final = {"info": "info", "warning": "warn", "error": "error"}
_OURS: Final = re.compile(
    r"(Created fine-tuning job|Validating training file|Files validated|Fine-tuning job started|New fine-tuned model created"
    r"|Checkpoint created|The job has successfully completed)\b"
)
"""What this server tells itself, or what names the provider's own ids: nobody could ask for those here."""
_LOCAL_S: Final = (1.0, 1.0)
_HOSTED_S: Final = (5.0, 30.0)
_PRETENDED_S: Final = (0.1, 0.1)
"""Scripted jobs move on by being looked at, and a look costs nothing."""
_DARK_S: Final = (1.0, 60.0)
"""Pauses while a backend cannot be asked."""
_GONE_AFTER = timedelta(hours=1)
_NEAR = timedelta(seconds=10)
_LAST_TRIES: Final = 5


@dataclass
class _Eyes:
    """How far one order was seen by this process; all of it can be found again."""

    job: FineTuneJob
    pause: Callable[[], float]
    dark: Callable[[], float]
    event: str | None = None
    step: int | None = None
    gone_since: datetime | None = None
    last_tries: int = 0


class Follower:
    """Looks at orders, one at a time each; several threads may look at several.

    Args:
        config: What the server's owner decided.
        context: Ledger, retries and backends.
        book: The rows.
        store: Where result files go.
    """

    def __init__(self, config: ServeConfig, context: Runtime, book: Book, store: Store) -> None:
        """Keep the parts; nothing is looked at."""
        self.config, self.context, self.book, self.store = config, context, book, store
        self._eyes: dict[str, _Eyes] = {}

    def look(self, order_id: str) -> float | None:
        """Look once; give the seconds until the next look, or None where the order has ended.

        A backend that cannot be asked ends nothing: it is asked again, ever less often.
        """
        order = self.book.jobs.get(order_id, None)
        if order.ended or order.ledger_id is None:
            self._eyes.pop(order_id, None)
            return None
        eyes = self._eyes.get(order_id) or self._opened(order)
        try:
            asked(self.book, order, eyes.job)
            seen = eyes.job.refresh()
        except NotFound as error:
            return self._gone(order, eyes, error)
        except AnytuneError as error:
            eyes.job = FineTuneJob(self.context.ledger.job(eyes.job.id), context=self.context)
            if not eyes.job.status.terminal:
                log.warning("%s cannot be looked at: %s", order_id, error)
                return eyes.dark()
            seen = eyes.job.snapshot
        eyes.gone_since, eyes.dark = None, growing(*_DARK_S)
        return self._seen(order, eyes, seen)

    def _opened(self, order: JobRow) -> _Eyes:
        trainer = backends.backend(self.context, order.backend, backends.options(self.config, order.backend))
        job = FineTuneJob(self.context.ledger.job(str(order.ledger_id)), context=self.context)
        eyes = self._eyes[order.id] = _Eyes(job, _pauses(trainer, self.config.poll_s), growing(*_DARK_S))
        return eyes

    def _seen(self, order: JobRow, eyes: _Eyes, seen: Snapshot) -> float | None:
        """Copy what is new, then write where the job is, in this order: who sees the end has seen what came before."""
        whole = self._copied(order, eyes, seen)
        order = self._moved(order, eyes.job, seen)
        if not seen.status.terminal:
            return eyes.pause()
        if not whole and eyes.last_tries < _LAST_TRIES:
            eyes.last_tries += 1
            return eyes.dark()
        if seen.status is Status.SUCCEEDED and seen.model is None:  # it is named a little later
            return eyes.pause()
        self._end(order, eyes.job, seen)
        self._eyes.pop(order.id, None)
        return None

    def _copied(self, order: JobRow, eyes: _Eyes, seen: Snapshot) -> bool:
        """Copy events and metrics; False where the backend did not tell them."""
        try:
            events = eyes.job.events(after=eyes.event)
            metrics = eyes.job.metrics(after=eyes.step)
        except AnytuneError as error:
            log.warning("%s: events are not told: %s", order.id, error)
            return False
        news = sorted([*_told(events), *_measured(metrics, seen.total_steps)], key=lambda each: each.at or self.book.clock())
        if order.started_at is None and (seen.status in {Status.RUNNING, Status.PAUSED, Status.SUCCEEDED} or metrics):
            news.insert(0, News(message="Fine-tuning job started", origin="started", at=eyes.job.row.started_at))
        if news:
            self.book.events.add_many(order.id, news)
        eyes.event = events[-1].id if events else eyes.event
        eyes.step = metrics[-1].step if metrics else eyes.step
        return True

    def _moved(self, order: JobRow, job: FineTuneJob, seen: Snapshot) -> JobRow:
        """Write what has changed of a live order."""
        values: dict[str, Any] = {}
        word = _WORDS.get(seen.status, order.status)
        news = None
        if word != order.status:
            values["status"] = word
            if "paused" in {word, order.status}:
                news = News(message="The job is paused." if word == "paused" else "The job goes on.")
        if order.started_at is None and seen.status in {Status.RUNNING, Status.PAUSED, Status.SUCCEEDED}:
            values["started_at"] = job.row.started_at or self.book.clock()
        if job.row.resolved != order.resolved:
            values["resolved"] = job.row.resolved
        finish = None if seen.eta_s is None or word != "running" else self.book.clock() + timedelta(seconds=seen.eta_s)
        if not seen.status.terminal and _far(finish, order.estimated_finish):
            values["estimated_finish"] = finish
        if not values:
            return order
        return self.book.jobs.move(order.id, "submitted", news=news, **values) or self.book.jobs.get(order.id, None)

    def _end(self, order: JobRow, job: FineTuneJob, seen: Snapshot) -> None:
        hooks = hooks_of(self.config, order.owner)
        tokens = seen.trained_tokens or job.actual.tokens
        if seen.status is Status.CANCELLED:
            cancelled(self.book, hooks, order)
        elif seen.status is Status.FAILED:
            said = seen.error or job.row.error or "The backend gives no reason."
            failed(self.book, hooks, order, said, code="training_failed", trained_tokens=tokens)
        else:
            name = model_name(order, self.config.organization)
            if tokens is None and job.estimate is not None:
                tokens = job.estimate.tokens
            files = self._results(order, job)
            self.book.events.add(order.id, f"New fine-tuned model created: {name}", origin="model")
            end(
                self.book,
                hooks,
                order,
                "succeeded",
                "The job has successfully completed",
                fine_tuned_model=name,
                model_ref=None if seen.model is None else seen.model.model_dump(mode="json"),
                trained_tokens=tokens,
                result_files=files,
            )

    def _results(self, order: JobRow, job: FineTuneJob) -> list[str]:
        try:
            return keep(order, self.context.ledger.metrics(job.id), self.book, self.store)
        except (ApiError, OSError):  # a disk that is full costs the table, not the model
            log.exception("%s: the results cannot be kept", order.id)
            return []

    def _gone(self, order: JobRow, eyes: _Eyes, error: NotFound) -> float | None:
        """Give a job that its backend does not know an hour to come back: listings lag, and somebody else's key sees nothing."""
        now = self.book.clock()
        if eyes.gone_since is None:
            eyes.gone_since = now
            self.book.events.add(order.id, f"The backend does not find the job: {error.message}", level="warn", origin="gone")
        if now - eyes.gone_since < _GONE_AFTER:
            return eyes.dark()
        said = f"The backend does not know the job any more: {error.message}"
        failed(self.book, hooks_of(self.config, order.owner), order, said, code="job_gone")
        self._eyes.pop(order.id, None)
        return None


def _pauses(trainer: Backend, poll_s: float | None) -> Callable[[], float]:
    """Say how long to wait between two looks, by how far away the job is; always `poll_s` where the owner said so."""
    if poll_s is not None:
        return growing(poll_s, poll_s)
    able = trainer.capabilities
    return growing(*(_PRETENDED_S if able.scripted else _LOCAL_S if able.local else _HOSTED_S))


def _told(events: Iterable[Event]) -> list[News]:
    return [
        News.model_validate(
            {
                "message": event.message,
                "level": _LEVELS[event.level],
                "data": event.data,
                "origin": f"event:{event.id}"[:255],
                "at": event.at,
            }
        )
        for event in events
        if not _OURS.match(event.message)
    ]


def _measured(metrics: Iterable[Metric], total: int | None) -> list[News]:
    return [
        News(message=_step(metric, total), type="metrics", data=_data(metric, total), origin=f"step:{metric.step}", at=metric.at)
        for metric in metrics
    ]


def _data(metric: Metric, total: int | None) -> dict[str, Any]:
    place = {"step": metric.step} if total is None else {"step": metric.step, "total_steps": total}
    return place | numbers(metric.values)


def _step(metric: Metric, total: int | None) -> str:
    words = {"loss": "training loss", "eval_loss": "validation loss"}
    measured = ", ".join(f"{word}={metric.values[name]:.2f}" for name, word in words.items() if name in metric.values)
    place = f"Step {metric.step}" + ("" if total is None else f"/{total}")
    return f"{place}: {measured}" if measured else place


def _far(new: datetime | None, old: datetime | None) -> bool:
    """Tell whether two moments differ by more than is worth a write."""
    if new is None or old is None:
        return new is not old
    return abs(new - old) > _NEAR
