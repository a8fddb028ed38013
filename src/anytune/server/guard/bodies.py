"""A body on its way in: counted while it comes, and given up when it stops coming."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from anytune.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive

__all__ = ["STALL_S", "Body"]

STALL_S: Final = 60.0
"""How long the next bytes of a body may take."""


class Body:
    """A body that is counted.

    Args:
        receive: The server's own.
        most: Bytes that it may have.
        refuse: Told why it is refused, so that the answer is right whatever the application makes of the exception.
    """

    def __init__(self, receive: Receive, most: int, refuse: Callable[[ApiError], None]) -> None:
        """Begin to count."""
        self._receive, self._most, self._refuse = receive, most, refuse
        self._count = 0
        self._complete = False

    async def receive(self) -> Message:
        """Give the next piece.

        Raises:
            ApiError: 413: it is too long. 408: it does not come.
        """
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(STALL_S):
                message = await self._receive()
        except TimeoutError:
            raise self._refused(ApiError(408, f"Nothing of the body came for {STALL_S:.0f} seconds. Send it again.")) from None
        if message["type"] == "http.request":
            self._count += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
        if self._count > self._most:
            raise self._refused(ApiError(413, f"The body has more than {self._most:,} bytes, which is the most that is taken here."))
        return message

    def _refused(self, error: ApiError) -> ApiError:
        self._complete = True
        self._refuse(error)
        return error
