"""How long to wait between two looks: short at first and after news, then longer and longer."""

from __future__ import annotations

import random as _random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Backend

__all__ = ["Rhythm", "growing", "host_pauses"]

_GROWTH = 1.5
_SPREAD = 0.25
_NEAR_END, _FAR_OFF = 4, 20
_LONGEST_OF_ALL_S = 120.0
_LONGEST_ASKED_S = 900.0
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


class Rhythm:
    """The pauses between the looks at one job, or at all jobs of an account.

    | what is known | the pause |
    |---|---|
    | news: another status | `first_s` |
    | nothing new | half as long again each time, to `longest_s` |
    | when it will end | up to a 20th of the time left (120 s at most), never more than a quarter of it, but `first_s` at least |
    | the provider asked for patience | as long as it asked, up to 15 minutes |

    Each is spread by a quarter to both sides, so that a thousand who began together do not ask together; what a provider asked for is
    stretched only.

    Args:
        first_s: The shortest pause.
        longest_s: The longest one where no end is known.
        random: Gives a float in [0, 1).

    Example:
        >>> rhythm = Rhythm(8.0, 15.0, random=lambda: 0.5)
        >>> [rhythm(), rhythm(), rhythm(), rhythm(news=True), rhythm(eta_s=3600.0), rhythm(asked_s=60.0)]
        [8.0, 12.0, 15.0, 8.0, 12.0, 67.5]
    """

    def __init__(self, first_s: float, longest_s: float, *, random: Callable[[], float] = _random.random) -> None:
        """Begin with the shortest pause."""
        self._first_s, self._longest_s, self._random = first_s, longest_s, random
        self._next_s = first_s

    def __call__(self, *, news: bool = False, eta_s: float | None = None, asked_s: float | None = None) -> float:
        """Give the seconds until the next look.

        Args:
            news: The look just made brought another status.
            eta_s: Seconds until the end, where the provider says so; an end that should have come counts as not known.
            asked_s: Seconds that the provider asked to be left alone.
        """
        if news:
            self._next_s = self._first_s
        longest_s = self._longest_s
        if eta_s:
            longest_s = min(max(longest_s, eta_s / _FAR_OFF), _LONGEST_OF_ALL_S, max(eta_s / _NEAR_END, self._first_s))
        pause_s = min(self._next_s, longest_s)
        self._next_s = min(_LONGEST_OF_ALL_S, max(longest_s, self._first_s), self._next_s * _GROWTH)
        spread = self._random()
        pause_s *= 1.0 + _SPREAD * (2.0 * spread - 1.0)
        asked_s = min(max(asked_s or 0.0, 0.0), _LONGEST_ASKED_S)
        return max(pause_s, asked_s * (1.0 + _SPREAD * spread)) if asked_s else pause_s


def host_pauses(backend: Backend) -> Callable[[], float]:
    """Give a function that says how many seconds to wait before the next look at a host: 0.5, at a hosted backend growing to 10."""
    return growing(_HOST_S, _HOST_S if backend.capabilities.local else _LONGEST_HOST_S)
