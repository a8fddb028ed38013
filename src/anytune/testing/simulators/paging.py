"""Listings by cursor, with what may be odd about them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from anytune.testing.simulators.errors import Refusal, error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from werkzeug.wrappers import Request

    from anytune.testing.simulators.faults import WireFaults

__all__ = ["Page", "page"]

T = TypeVar("T")


class Page(NamedTuple):
    """A part of a listing."""

    data: list[Any]
    has_more: bool


def page(
    request: Request,
    items: Sequence[T],
    name: Callable[[T], str],
    *,
    default: int,
    most: int = 100,
    faults: WireFaults | None = None,
    nth: int = 0,
) -> Page:
    """Cut a page out of a listing.

    Args:
        request: With `after` (an id) and `limit` in its query.
        items: All of the listing, in order.
        name: Gives an item's id.
        default: How many items, where the request does not say.
        most: The largest page.
        faults: `reordered_pages`, `short_pages` and `empty_pages` are obeyed; None: the listing is sound.
        nth: Which request of this listing it is; `reordered_pages` shuffles by it.

    Raises:
        Refusal: `limit` is no such number, or `after` names nothing.
    """
    limit = _limit(request, default, most)
    found = list(items)
    if faults is not None and faults.reordered_pages:
        random.Random(nth).shuffle(found)  # noqa: S311 - an order, not a secret
    start = _start(request, [name(item) for item in found])
    cut, more = found[start : start + limit], len(found) > start + limit
    if faults is not None and faults.empty_pages:
        return Page([], has_more=True)
    if faults is not None and faults.short_pages:
        return Page(cut[: (len(cut) + 1) // 2], has_more=False)
    return Page(cut, more)


def _limit(request: Request, default: int, most: int) -> int:
    given = request.args.get("limit", str(default))
    if not given.isdecimal() or not given.isascii() or not 1 <= int(given[:9]) <= most:
        raise Refusal(error_of("bad_field", param="limit", reason=f"expected a whole number from 1 to {most}."))
    return int(given)


def _start(request: Request, names: list[str]) -> int:
    after = request.args.get("after")
    if not after:
        return 0
    if after not in names:
        raise Refusal(error_of("bad_field", param="after", reason=f"there is no {after!r} in this listing. (simulated)"))
    return names.index(after) + 1
