"""How long to wait between two looks: short at first, then longer and longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Backend

__all__ = ["growing", "host_pauses"]

_GROWTH = 1.5
_HOST_S, _LONGEST_HOST_S = 0.5, 10.0


def growing(first_s: float, longest_s: float) -> Callable[[], float]:
    """Give a function whose seconds grow by half with each call, from `first_s` to `longest_s`.

    Example:
        >>> pause = growing(8.0, 15.0)
        >>> [pause(), pause(), pause()]
        [8.0, 12.0, 15.0]
    """
    following = first_s

    def grow() -> float:
        nonlocal following
        this, following = following, min(longest_s, following * _GROWTH)
        return this

    return grow


def host_pauses(backend: Backend) -> Callable[[], float]:
    """Give a function that says how many seconds to wait before the next look at a host: 0.5, at a hosted backend growing to 10."""
    return growing(_HOST_S, _HOST_S if backend.capabilities.local else _LONGEST_HOST_S)
