"""How many engines a machine has room for, and who leaves when another one comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from anytune.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anytune.server.config import ServeConfig
    from anytune.server.engines.engine import Engine

__all__ = ["Rooms"]

_DRAIN_S = 60.0


class Rooms:
    """The places of a server's own engines.

    Args:
        config: Says how many there are, and how long a question waits.
        end: Ends an engine.
        told: Called when an engine comes or goes.
    """

    def __init__(self, config: ServeConfig, end: Callable[[Engine], Awaitable[None]], told: Callable[[], object]) -> None:
        """Begin with all of them empty."""
        self.config, self._end, self._told = config, end, told
        self.taken: set[Engine] = set()
        self._news = asyncio.Event()

    async def enter(self, engine: Engine, former: Engine | None) -> None:
        """Take a place; the engine that was idle longest makes room. The former one of the same model goes first.

        Raises:
            ApiError: 503: all engines are in use.
        """
        try:
            async with asyncio.timeout(self.config.answer_wait_s):
                while len(self.taken) >= self.config.engines:
                    await self._one_less(former)
        except TimeoutError:
            text = f"All {self.config.engines} engines of this server are answering others. Ask again in a while."
            raise ApiError(503, text, code="engines_busy", headers={"Retry-After": "10"}) from None
        self.take(engine)

    def take(self, engine: Engine) -> None:
        """Take a place, whether or not there is one: an engine that runs already is not sent away."""
        self.taken.add(engine)
        self._told()

    def leave(self, engine: Engine) -> None:
        """Give a place back."""
        self.taken.discard(engine)
        self._told()
        self.changed()

    def changed(self) -> None:
        """Wake whoever waits: an engine answers one question less."""
        self._news.set()

    async def drained(self, engine: Engine) -> None:
        """Wait until an engine answers nobody.

        Raises:
            TimeoutError: It still does after a minute.
        """
        async with asyncio.timeout(_DRAIN_S):
            while engine.questions:
                await self._change()

    async def _one_less(self, former: Engine | None) -> None:
        if former is not None and former in self.taken:
            await self._end(former)
            return
        idle = [engine for engine in self.taken if engine.ready and not engine.questions]
        if idle:
            await self._end(min(idle, key=lambda engine: engine.used_at))
        else:
            await self._change()

    async def _change(self) -> None:
        self._news.clear()
        await self._news.wait()
