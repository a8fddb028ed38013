"""Sends what is owed, for as long as three days, and gives up then."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from datetime import timedelta
from typing import TYPE_CHECKING

from anyio import to_thread

from anytune.errors import AnytuneError
from anytune.server.hooks import signature
from anytune.server.hooks.post import Gone, Post, Untaken

if TYPE_CHECKING:
    from datetime import datetime

    from anytune.server.book import Book
    from anytune.server.book.rows import DeliveryRow
    from anytune.server.config import ServeConfig, Webhook
    from anytune.server.metrics import Metrics

__all__ = ["Hooks"]

_LOOK_S = 1.0
"""Seconds between two looks at what is due: one indexed question to the database."""
_TROUBLE_S = 30.0
"""Seconds to wait after the book could not be read or written: without it, a receiver would be called again each second."""
_AT_ONCE = 8
"""Calls to one address at the same time."""
_PAUSES_S = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800)
"""Seconds before the second, third, … attempt; the last one holds from then on."""
_FOR = timedelta(hours=72)
"""How long a call is tried, as OpenAI does (platform.openai.com/docs/guides/webhooks, read 2026-11-22)."""

_log = logging.getLogger(__name__)


class Hooks:
    """The loops behind webhooks, one an address: a receiver that hangs holds up nobody else's calls.

    Args:
        config: The server's; its webhooks are the only addresses there are.
        book: What is owed.
        metrics: Counts how calls went.
        post: How a call is made.
        look_s: Seconds between two looks at what is due.
    """

    def __init__(self, config: ServeConfig, book: Book, metrics: Metrics, *, post: Post | None = None, look_s: float = _LOOK_S) -> None:
        """Keep the parts; nothing runs yet."""
        self.config, self.book, self.metrics = config, book, metrics
        self._post, self._look_s = post or Post(), look_s
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to send."""
        self._loops = [
            asyncio.create_task(self._serve(name, webhook), name=f"webhook {name}") for name, webhook in self.config.webhooks.items()
        ]

    async def stop(self) -> None:
        """Leave; what is owed stays owed, and a call that is cut short is made again."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops = []
        await self._post.close()

    async def _serve(self, name: str, webhook: Webhook) -> None:
        while True:
            try:
                await self._round(name, webhook)
            except AnytuneError as error:  # the database is away: what is owed is owed still
                _log.warning("Webhook %s waits: %s", name, error.message)
                await asyncio.sleep(_TROUBLE_S)
            except Exception:  # noqa: BLE001 - a loop that ended would keep no promise any more
                _log.exception("Webhook %s waits.", name)
                await asyncio.sleep(_TROUBLE_S)
            await asyncio.sleep(self._look_s)

    async def _round(self, name: str, webhook: Webhook) -> None:
        while due := await to_thread.run_sync(lambda: self.book.deliveries.due(name, limit=_AT_ONCE)):
            ends = await asyncio.gather(*(self._deliver(name, webhook, row) for row in due), return_exceptions=True)
            for end in ends:
                if end is not None:
                    raise end

    async def _deliver(self, name: str, webhook: Webhook, row: DeliveryRow) -> None:
        body = json.dumps(
            {"id": row.id, "object": "event", "created_at": int(row.created_at.timestamp()), "type": row.type, "data": {"id": row.job_id}}
        ).encode()
        now = self.book.clock()
        key = signature.key_of(webhook.secret.get_secret_value())
        try:
            await self._post.send(webhook, signature.headers(key, row.id, int(now.timestamp()), body), body)
        except Untaken as why:
            again = None if isinstance(why, Gone) else _again(row, self.book.clock())
            await to_thread.run_sync(self.book.deliveries.failed, row.id, str(why), again)
            self.metrics.hook("given_up" if again is None else "failed")
            _log.warning(
                "Webhook %s did not take %s of job %s: %s; %s.",
                name, row.type, row.job_id, why, "it is given up" if again is None else f"again at {again:%Y-%m-%d %H:%M:%S} UTC",
            )  # fmt: skip
        else:
            await to_thread.run_sync(self.book.deliveries.done, row.id)
            self.metrics.hook("delivered")


def _again(row: DeliveryRow, now: datetime) -> datetime | None:
    pause = _PAUSES_S[min(row.attempts, len(_PAUSES_S) - 1)] * random.uniform(1.0, 1.1)  # noqa: S311 - spreads load, keeps no secret
    due = now + timedelta(seconds=pause)
    return due if due - row.created_at <= _FOR else None
