"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def until(so: Callable[[], _T], what: str = "it", *, within_s: float = 30.0) -> _T:
    """Ask again and again until the answer is true, and give it."""
    deadline = time.monotonic() + within_s
    while not (found := so()):
        assert time.monotonic() < deadline, f"{what} did not come to pass"
        time.sleep(0.01)
    return found
