"""How questions are sent: connections that are kept, and the answer's bytes as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

__all__ = ["Lost", "Reply", "Slow", "Wire"]

_CONNECT_S, _ANSWER_S = 10.0, 600.0
_KEEP_S: Final = 3.0
"""Shorter than the 5 s for which uvicorn keeps an idle connection: a question is hardly ever sent on one that is being closed."""
_AHEAD_BYTES: Final = 256 * 2**10
"""So much of an answer is read before its client took it."""


class Lost(ConnectionError):
    """Nobody answered, or the answer broke off."""


class Slow(TimeoutError):
    """Nothing came for too long."""


class Wire:
    """Connections to engines. Made and closed on the loop that it is used on; it follows no redirect and no proxy of the environment."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_ANSWER_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("accept-encoding", "user-agent"),
            auto_decompress=False,
            read_bufsize=_AHEAD_BYTES,
            trust_env=False,
        )

    async def post(self, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """Send a question, once, and wait for the head of the answer.

        Raises:
            Lost: Nobody answered.
            Slow: Nobody answered in time.
        """
        try:
            return Reply(await self._session.post(url, data=content, headers=headers, allow_redirects=False))
        except aiohttp.SocketTimeoutError as error:
            raise Slow(type(error).__name__) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Lost(type(error).__name__) from None

    async def close(self) -> None:
        """End all connections."""
        await self._session.close()


class Reply:
    """An answer whose head has come.

    Attributes:
        status: HTTP status.
        headers: Headers, whatever the size of their letters.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        """Take it over: whoever has it closes it."""
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it comes.

        Raises:
            Lost: It broke off.
            Slow: Nothing came for too long.
        """
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except aiohttp.SocketTimeoutError as error:
            raise Slow(type(error).__name__) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Lost(type(error).__name__) from None

    async def close(self) -> None:
        """Give the connection back, or end it where the body was not read to its end: whoever computes there sees it."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
