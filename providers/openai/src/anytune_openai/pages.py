"""Listings, page by page to their end, and whether what was seen was everything.

A page that says that it is the last one is not believed: pages that end early are how a job is overlooked and paid twice. The end is
where one more request brings nothing new.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.errors import MalformedReply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["PAGE", "Listing", "confirmed", "listing", "picked"]

PAGE = 100
"""Records asked for at a time: the most that OpenAI's API reference allows for jobs (read 2026-11-22)."""

_MOST_PAGES = 1000
"""A host that never comes to an end is odd; nobody has 100,000 jobs."""


class Listing(NamedTuple):
    """What a listing gave.

    Attributes:
        items: The records, in the host's order.
        complete: False where something may have been left out.
        pages: Pages that had a new record.
    """

    items: list[dict[str, Any]]
    complete: bool
    pages: int = 0


def listing(
    fetch: Callable[[str | None], dict[str, Any]],
    *,
    until: Callable[[dict[str, Any]], bool] | None = None,
    most: int | None = None,
) -> Listing:
    """Read pages, newest first, until the end, until a record that is wanted no more, or until enough were read.

    Args:
        fetch: Gives the page after a record's id, or the first one: `{"data": [...], "has_more": ...}`.
        until: Tells a record that, with all that follow it, is not wanted; believed only while the records come newest first.
        most: Records that are enough.

    Returns:
        The records without the one that ended the listing. Incomplete: a page that is empty and says that there is more or was said to
        come, records that come twice, or an order that is neither newest nor oldest first, so that the place in it means nothing.

    Raises:
        MalformedReply: A page holds no list of records with ids.
    """
    items: list[dict[str, Any]] = []
    seen: set[str] = set()
    sound = True
    after: str | None = None
    promised = False
    for read in range(_MOST_PAGES):
        page = fetch(after)
        records = _records(page)
        more = page.get("has_more") is True
        new = [one for one in records if one["id"] not in seen]
        if not new:
            return Listing(items, sound and not more and not promised and _ordered(items), read)
        sound = sound and len(new) == len(records)
        for one in new:
            if until is not None and until(one) and _newest_first(items):
                return Listing(items, sound, read + 1)
            items.append(one)
            seen.add(one["id"])
        if most is not None and len(items) >= most:
            return Listing(items[:most], sound, read + 1)
        after, promised = str(new[-1]["id"]), more
    return Listing(items, complete=False, pages=_MOST_PAGES)


def confirmed(fetch: Callable[[str | None], dict[str, Any]], *, until: Callable[[dict[str, Any]], bool] | None = None) -> Listing:
    """Read a listing of several pages twice: one that changes its order between two requests can hide a record and look sound.

    Arguments as for `listing`. The records are those of both readings; complete only where these agree.
    """
    first = listing(fetch, until=until)
    if first.pages <= 1:
        return first
    second = listing(fetch, until=until)
    known = [one["id"] for one in first.items]
    same = known == [one["id"] for one in second.items]
    new = [one for one in second.items if one["id"] not in set(known)]
    return Listing([*first.items, *new], first.complete and second.complete and same, first.pages + second.pages)


def picked(fetch: Callable[[str | None], dict[str, Any]], wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read pages until each wanted record was seen, and give those that were, by their ids.

    The reading ends early once as many pages showed nothing that was wanted as records are still missing: each of these costs one request
    when it is asked for alone, so that an old job behind thousands of younger ones never costs more than twice that.

    Args:
        fetch: As for `listing`.
        wanted: Ids; one that is not in the answer was not seen, which says nothing of it.

    Raises:
        MalformedReply: A page holds no list of records with ids.
    """
    missing = set(wanted)
    found: dict[str, dict[str, Any]] = {}
    after: str | None = None
    fruitless = 0
    while missing and fruitless < len(missing):
        records = _records(fetch(after))
        new = {one["id"]: one for one in records if one["id"] in missing}
        found |= new
        missing -= set(new)
        fruitless += not new
        if not records or records[-1]["id"] == after:
            break
        after = str(records[-1]["id"])
    return found


def _records(page: dict[str, Any]) -> list[dict[str, Any]]:
    records = page.get("data")
    if not isinstance(records, list) or not all(isinstance(one, dict) and isinstance(one.get("id"), str) for one in records):
        raise MalformedReply("A page of a listing holds no records.", fix="Check that the base URL is the provider's own.")
    return records


def _times(items: list[dict[str, Any]]) -> list[float]:
    return [time for one in items if isinstance(time := one.get("created_at"), (int, float))]


def _newest_first(items: list[dict[str, Any]]) -> bool:
    times = _times(items)
    return all(one >= two for one, two in pairwise(times))


def _ordered(items: list[dict[str, Any]]) -> bool:
    times = _times(items)
    return _newest_first(items) or all(one <= two for one, two in pairwise(times))
