"""Looking for the job of an order, so that a create whose reply was lost is neither repeated nor lost.

A listing that shows nothing proves something only if it was whole, and if the key sees the project that the job would be in.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ulid import ULID

from anytune.backend import Found
from anytune.values import Status
from anytune_openai import pages, reading
from anytune_openai.dialect import status_of
from anytune_openai.orders import REF, suffix, tail
from anytune_openai.replies import moment, record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openai import OpenAI

    from anytune.backend import Order, RemoteJob
    from anytune_openai.dialect import Dialect

__all__ = ["find", "ours"]

_SKEW = timedelta(minutes=10)
"""How far two clocks may differ, and a record's seconds be rounded."""

_LONG_BEFORE = timedelta(days=1)
"""An untagged job that is older than the order by so much is not the order's, even where one of the two clocks is a time zone off."""

_ALWAYS = datetime.fromtimestamp(0, UTC)
"""When a file was sent whose record has no time."""


def find(client: OpenAI, order: Order, dialect: Dialect, *, size: int = pages.PAGE) -> Found:
    """List the jobs that carry the order's ref, as the backend contract asks for it.

    With a tag in the metadata the host is asked for it, and every job that it gives is looked at here: a host that ignores the filter gives
    strangers' jobs. Where that shows nothing, everything since the training file was sent is listed. `complete` is False where pages do
    not fit together, where the training file is not there for this key (another project's key sees nothing, which proves nothing), and
    where a job looks as ours would if the host had dropped its tag.

    Args:
        client: Asks.
        order: The run; `order.files` names its training file.
        dialect: The host's words.
        size: Jobs asked for at a time.
    """
    if dialect.tag == "metadata":
        seen = _tagged(client, order, size)
        found = [one for one in seen.items if ours(one, order, dialect)]
        if found:
            return Found(jobs=_jobs(found, order, dialect), complete=seen.complete)
    began = _file_sent(client, order)
    seen = pages.confirmed(lambda after: _page(client, after, size), until=_before(began, order))
    found = [one for one in seen.items if ours(one, order, dialect)]
    doubtful = any(one not in found and _may_be_ours(one, order, dialect) for one in seen.items)
    return Found(jobs=_jobs(found, order, dialect), complete=seen.complete and began is not None and not doubtful)


def ours(job: Mapping[str, Any], order: Order, dialect: Dialect) -> bool:
    """Tell whether a job carries the order's ref: in its metadata, or, where that is not kept, at the end of its suffix."""
    tags = job.get("metadata")
    told = tags.get(REF) if isinstance(tags, dict) else None
    if told:
        return bool(told == order.ref)
    return dialect.tag == "suffix" and any(_ends(word, tail(order.ref)) for word in _suffixes(job))


def _tagged(client: OpenAI, order: Order, size: int) -> pages.Listing:
    """List what the host says has the tag; nothing where it takes no such filter, since all jobs are looked at then anyway."""
    from openai import BadRequestError, UnprocessableEntityError  # noqa: PLC0415 - loaded with the client

    try:
        return pages.listing(lambda after: _page(client, after, size, {REF: order.ref}))
    except (BadRequestError, UnprocessableEntityError):
        return pages.Listing([], complete=False)


def _page(client: OpenAI, after: str | None, size: int, metadata: dict[str, str] | None = None) -> dict[str, Any]:
    from openai import omit  # noqa: PLC0415 - loaded with the client

    return record(client.fine_tuning.jobs.with_raw_response.list(after=after or omit, limit=size, metadata=metadata or omit))


def _file_sent(client: OpenAI, order: Order) -> datetime | None:
    """Give when the training file was sent, by the host's own clock; None where it is not there for this key, or no file is known.

    A job cannot be older than its file, whatever any other clock says.
    """
    from openai import NotFoundError, PermissionDeniedError  # noqa: PLC0415 - loaded with the client

    file = order.files.get("train")
    if file is None:
        return None
    try:
        return moment(record(client.files.with_raw_response.retrieve(file.id)).get("created_at")) or _ALWAYS
    except (NotFoundError, PermissionDeniedError):
        return None


def _before(began: datetime | None, order: Order) -> Callable[[dict[str, Any]], bool] | None:
    if began is None or began == _ALWAYS:
        return None
    oldest = min(began, ULID.from_str(order.ref).datetime) - _SKEW  # the file may have been sent anew since, for another job

    def before(job: dict[str, Any]) -> bool:
        created = moment(job.get("created_at"))
        return created is not None and created < oldest

    return before


def _jobs(found: list[dict[str, Any]], order: Order, dialect: Dialect) -> tuple[RemoteJob, ...]:
    return tuple(reading.job(one, dialect, ref=order.ref) for one in found)


def _suffixes(job: Mapping[str, Any]) -> list[str]:
    """Give the words that may end with a tail; a tuned model's name has further parts after it at OpenAI, set off by colons."""
    said = [job.get("user_provided_suffix"), job.get("suffix"), *str(job.get("fine_tuned_model") or "").split(":")]
    return [word.lower() for word in said if isinstance(word, str) and word]


def _ends(word: str, end: str) -> bool:
    return word == end or word.endswith(f"-{end}")


def _may_be_ours(job: Mapping[str, Any], order: Order, dialect: Dialect) -> bool:
    """Tell a job that looks as ours would without its tag: the same file and model, not made long before, and no other suffix.

    That happens at a host that drops the metadata. Nobody can say whose such a job is; one that has failed or was cancelled does no harm,
    as nothing runs beside what is sent again.
    """
    if status_of(job.get("status"), dialect) in {Status.FAILED, Status.CANCELLED}:
        return False
    tags = job.get("metadata")
    if isinstance(tags, dict) and tags.get(REF):
        return False
    file = order.files.get("train")
    if file is None or job.get("training_file") != file.id or job.get("model") != order.model:
        return False
    created = moment(job.get("created_at"))
    if created is not None and created < ULID.from_str(order.ref).datetime - _LONG_BEFORE:
        return False
    shown, sent = _suffixes(job), suffix(order.name, order.ref, dialect).lower()
    return not shown or sent in shown
