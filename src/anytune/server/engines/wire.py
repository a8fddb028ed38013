"""How questions are sent: kept connections on HTTP/1.1, and the answer's bytes as they come.

Engines speak plain HTTP on this machine, and there a general client costs more than all the rest of the way: httpx2 takes 0.6 to 0.9 ms
of this process for a question, this module 0.05 (measured 2026-11-23 on 2 shared cores). Hosts behind TLS are asked with httpx2.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Final, Protocol, cast
from urllib.parse import urlsplit

import httptools
import httpx2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

__all__ = ["Lost", "Reply", "Slow", "Wire"]

_CONNECT_S, _ANSWER_S = 10.0, 600.0
_KEEP_S: Final = 3.0
"""Shorter than the 5 s for which uvicorn keeps an idle connection: a question is hardly ever sent on one that is being closed."""
_KEPT: Final = 128
_HEAD_BYTES: Final = 64 * 2**10
_AHEAD_BYTES: Final = 256 * 2**10
"""So much of an answer is read before its client took it."""


class Lost(ConnectionError):
    """Nobody answered, or the answer broke off."""


class Slow(TimeoutError):
    """Nothing came for too long."""


class Reply(Protocol):
    """An answer whose head has come."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, by their names in small letters."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it comes."""

    async def close(self) -> None:
        """Give the connection back, or end it where the body was not read to its end."""


class Wire:
    """Connections to engines."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._idle: dict[tuple[str, int], deque[_Connection]] = defaultdict(deque)
        timeout = httpx2.Timeout(_ANSWER_S, connect=_CONNECT_S, pool=None)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=_KEPT, keepalive_expiry=_KEEP_S)
        self._client = httpx2.AsyncClient(timeout=timeout, limits=limits, trust_env=False, follow_redirects=False)

    async def post(self, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """Send a question and wait for the head of the answer.

        Raises:
            Lost: Nobody answered.
            Slow: Nobody answered in time.
        """
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            return await self._posted(url, headers, content)
        place = (parts.hostname, parts.port or 80)
        said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n{said}content-length: {len(content)}\r\n\r\n".encode("latin-1")
        while True:
            connection, kept = await self._connection(place)
            try:
                await connection.ask(head + content)
            except Lost:
                if kept and not connection.begun:
                    continue
                raise
            except BaseException:
                connection.end()
                raise
            return connection

    async def close(self) -> None:
        """End all connections."""
        for kept in self._idle.values():
            for connection in kept:
                connection.end()
        self._idle.clear()
        await self._client.aclose()

    def keep(self, connection: _Connection) -> None:
        """Take a connection back for the next question."""
        kept = self._idle[connection.place]
        if len(kept) < _KEPT:
            connection.kept_at = time.monotonic()
            kept.append(connection)
        else:
            connection.end()

    async def _connection(self, place: tuple[str, int]) -> tuple[_Connection, bool]:
        kept = self._idle[place]
        oldest = time.monotonic() - _KEEP_S
        while kept:
            connection = kept.pop()
            if connection.open and connection.kept_at > oldest:
                return connection, True
            connection.end()
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, made = await asyncio.get_running_loop().create_connection(lambda: _Connection(self, place), *place)
        except (OSError, TimeoutError) as error:
            raise Lost(f"Nobody answers on {place[0]} port {place[1]}.") from error
        return made, False

    async def _posted(self, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        request = self._client.build_request("POST", url, content=content, headers=dict(headers))
        try:
            return _Fetched(await self._client.send(request, stream=True))
        except httpx2.ReadTimeout as error:
            raise Slow(type(error).__name__) from None
        except httpx2.HTTPError as error:
            raise Lost(type(error).__name__) from None


class _Connection(asyncio.Protocol):
    """One connection, and the answer that comes over it."""

    def __init__(self, wire: Wire, place: tuple[str, int]) -> None:
        self.wire, self.place = wire, place
        self.kept_at = 0.0
        self.open = self.begun = False
        self._transport: asyncio.Transport | None = None
        self._news: asyncio.Future[None] | None = None
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._head_bytes = self._waiting_bytes = 0
        self._body: deque[bytes] = deque()
        self._headed = self._complete = self._lasting = self.begun = False
        self._parser = httptools.HttpResponseParser(self)

    async def ask(self, question: bytes) -> None:
        """Send a question and wait for the head of the answer."""
        if self._transport is None:
            raise Lost("The connection is closed.")
        self._reset()
        self._transport.write(question)
        while not self._headed:
            await self._change()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it comes."""
        while True:
            while self._body:
                chunk = self._body.popleft()
                self._waiting_bytes -= len(chunk)
                if self._transport is not None and self.open:
                    self._transport.resume_reading()
                yield chunk
            if self._complete:
                return
            await self._change()

    async def close(self) -> None:
        """Give the connection back where its answer came to an end."""
        if self._complete and self._lasting and self.open:
            self.wire.keep(self)
        else:
            self.end()

    def end(self) -> None:
        """Close the connection; whoever computes at the other end sees it."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    async def _change(self) -> None:
        if not self.open:
            raise Lost("The connection broke off.")
        loop = asyncio.get_running_loop()
        self._news = loop.create_future()
        alarm = loop.call_later(_ANSWER_S, self._tell)
        began = loop.time()
        try:
            await self._news
        finally:
            self._news = None
            alarm.cancel()
        if loop.time() - began >= _ANSWER_S:
            raise Slow(f"Nothing came for {_ANSWER_S:.0f} s.")

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: it is open."""
        self._transport, self.open = cast("asyncio.Transport", transport), True  # uvloop's are no subclass of it

    def connection_lost(self, _: Exception | None) -> None:
        """Asyncio: it is closed, which ends an answer that announced no length."""
        self.open = False
        if self._headed and not {"content-length", "transfer-encoding"} & self.headers.keys():
            self._complete = True
        self._tell()

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes came."""
        self.begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.end()
        if not self._headed:
            self._head_bytes += len(data)
        if self._head_bytes > _HEAD_BYTES:
            self.end()
        elif self._waiting_bytes > _AHEAD_BYTES and self._transport is not None:
            self._transport.pause_reading()
        self._tell()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser: a header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Parser: the head is complete."""
        self.status = self._parser.get_status_code()
        self._headed = True

    def on_body(self, body: bytes) -> None:
        """Parser: a piece of the body."""
        self._body.append(body)
        self._waiting_bytes += len(body)

    def on_message_complete(self) -> None:
        """Parser: the answer is complete."""
        self._complete, self._lasting = True, self._parser.should_keep_alive()


class _Fetched:
    """An answer that httpx2 got."""

    def __init__(self, reply: httpx2.Response) -> None:
        self._reply = reply
        self.status = reply.status_code
        self.headers: Mapping[str, str] = reply.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it comes."""
        try:
            async for chunk in self._reply.aiter_raw():
                yield chunk
        except httpx2.ReadTimeout as error:
            raise Slow(type(error).__name__) from None
        except httpx2.HTTPError as error:
            raise Lost(type(error).__name__) from None

    async def close(self) -> None:
        """Give the connection back."""
        await self._reply.aclose()
