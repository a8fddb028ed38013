"""How often one key may ask: a bucket of requests a minute, told in the headers that OpenAI's clients read."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anytune.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Rates"]

_MINUTE_S = 60.0


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """The buckets of all keys. A bucket begins full and fills evenly."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with no bucket; there will be one for each key that has a limit."""
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key_id: str, per_minute: int) -> list[tuple[bytes, bytes]]:
        """Take one request out of a key's bucket, and give the headers that tell what is left.

        Raises:
            ApiError: 429: nothing is left.
        """
        now = self._clock()
        bucket = self._buckets.setdefault(key_id, _Bucket(left=float(per_minute), at=now))
        rate = per_minute / _MINUTE_S
        bucket.left = min(per_minute, bucket.left + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.left >= 1:
            bucket.left -= 1
            return [(name.encode(), value.encode()) for name, value in _headers(per_minute, bucket.left, rate).items()]
        wait_s = (1 - bucket.left) / rate
        headers = _headers(per_minute, bucket.left, rate) | {
            "retry-after": str(math.ceil(wait_s)),
            "retry-after-ms": str(math.ceil(wait_s * 1000)),
        }
        message = f"Rate limit reached: this key may send {per_minute} requests a minute. Try again in {_span(wait_s)}."
        raise ApiError(429, message, code="rate_limit_exceeded", headers=headers)


def _headers(per_minute: int, left: float, rate: float) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": str(per_minute),
        "x-ratelimit-remaining-requests": str(math.floor(left)),
        "x-ratelimit-reset-requests": _span((per_minute - left) / rate),
    }


def _span(seconds: float) -> str:
    """Write seconds as OpenAI does: `6ms`, `1.5s`, `1m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds * 1000) / 1000, 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"
