"""Who asks: a key's SHA-256, looked up in the book and remembered for some seconds."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from anyio import CapacityLimiter, to_thread

from anytune.errors import LedgerError
from anytune.server.book.keys import digest, issued
from anytune.server.errors import ApiError
from anytune.server.house import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.server.book import Book
    from anytune.server.book.rows import KeyRow
    from anytune.server.config import Limits
    from anytune.server.guard.heads import Head

__all__ = ["Keyring", "Known"]

FRESH_S: Final = 5.0
"""A key that was revoked is refused after this at the latest."""

_MOST = 1024
_USED_EVERY_S = 60.0
_LOOKUPS = 4
_KEY_BYTES = 512


class Known(NamedTuple):
    """A key that is in force.

    Attributes:
        caller: Whose it is.
        requests_per_minute: Its limit; None for none.
    """

    caller: Caller
    requests_per_minute: int | None


class Keyring:
    """The keys of one server.

    Args:
        book: Where keys are kept.
        limits: What holds where a key has no limit of its own.
        held: A key that is in force as long as the server runs.
        clock: Gives monotonic seconds.
    """

    def __init__(self, book: Book, limits: Limits, held: KeyRow | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep the parts; nothing is read."""
        self._book, self._limits, self._clock = book, limits, clock
        self._held = None if held is None else (held.digest, self._known(held))
        self._seen: OrderedDict[str, tuple[float, Known | None]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Known | None]] = {}
        self._noting: set[asyncio.Task[None]] = set()
        self._limiter = CapacityLimiter(_LOOKUPS)

    async def known(self, head: Head) -> Known:
        """Give whose key a request has, from `Authorization: Bearer` or `api-key`.

        Raises:
            ApiError: 401: there is none, or it is not in force. 503: the book cannot be read.
        """
        key = _given(head)
        if key is None:
            raise _refusal("No key was given.")
        hashed = digest(key)
        if self._held is not None and hmac.compare_digest(hashed, self._held[0]):
            return self._held[1]
        found = await self._looked_up(hashed) if issued(key) else None
        if found is None:
            raise _refusal("This key is not in force.")
        return found

    async def _looked_up(self, hashed: str) -> Known | None:
        until, found = self._seen.get(hashed, (0.0, None))
        if self._clock() < until:
            return found
        task = self._asking.get(hashed)  # of many requests at once only one asks
        if task is None:
            task = self._asking[hashed] = asyncio.create_task(self._ask(hashed))
            task.add_done_callback(lambda _: self._asking.pop(hashed, None))
        try:
            return await asyncio.shield(task)
        except LedgerError:
            raise ApiError(
                503, "Keys cannot be looked up right now. Try again.", code="unavailable", headers={"retry-after": "1"}
            ) from None

    async def _ask(self, hashed: str) -> Known | None:
        row = await to_thread.run_sync(self._book.keys.by_digest, hashed, limiter=self._limiter)
        found = None if row is None or not hmac.compare_digest(row.digest, hashed) else self._known(row)
        self._seen[hashed] = (self._clock() + FRESH_S, found)
        self._seen.move_to_end(hashed)
        while len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        if row is not None and (row.used_at is None or (self._book.clock() - row.used_at).total_seconds() > _USED_EVERY_S):
            task = asyncio.create_task(self._note(row.id))
            self._noting.add(task)
            task.add_done_callback(self._noting.discard)
        return found

    async def _note(self, key_id: str) -> None:
        with suppress(LedgerError):  # the next lookup notes it
            await to_thread.run_sync(self._book.keys.used, key_id, limiter=self._limiter)

    def _known(self, row: KeyRow) -> Known:
        limits = self._limits
        caller = Caller(
            owner=row.owner,
            admin=row.admin,
            key_id=row.id,
            live_jobs=row.live_jobs or limits.live_jobs,
            storage_bytes=row.storage_bytes or limits.storage_bytes,
        )
        return Known(caller, row.requests_per_minute or limits.requests_per_minute)


def _given(head: Head) -> str | None:
    """Give the one key of a request; None where there is none, or where there are different ones."""
    found = set(head.keys)
    for value in head.bearers:
        scheme, _, key = value.partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        found.add(key.strip())
    key = found.pop() if len(found) == 1 else b""
    return key.decode() if key and len(key) <= _KEY_BYTES and key.isascii() else None


def _refusal(message: str) -> ApiError:
    fix = "Send a key as `Authorization: Bearer KEY`; `anytune serve keys add OWNER` makes one."
    return ApiError(401, f"{message} {fix}", code="invalid_api_key", headers={"www-authenticate": "Bearer"})
