"""Whose turn it is. Pure: the same question gets the same answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anytune.server.book.jobs import Waiting

__all__ = ["pick"]

_NEVER = datetime.min.replace(tzinfo=UTC)


def pick(waiting: Sequence[Waiting], running: Mapping[str, int], served: Mapping[str, datetime]) -> Waiting | None:
    """Choose the order that goes next: of the owner with the fewest running, then of the one unserved for longest, then the oldest.

    Somebody who orders a thousand jobs keeps nobody else waiting for more than one of them.

    Args:
        waiting: Orders that wait.
        running: How many jobs of each owner have a slot.
        served: When each owner got a slot last.

    Example:
        >>> from anytune.server.book.jobs import Waiting
        >>> pick([Waiting(1, "a", "ann"), Waiting(2, "b", "bob")], {"ann": 1}, {}).id
        'b'
    """
    return min(waiting, key=lambda one: (running.get(one.owner, 0), served.get(one.owner, _NEVER), one.sequence), default=None)
