"""uvicorn's HTTP protocol with bounds on a request's head: uvicorn's own reads heads of any length, for any time (0.54, 2026-11-22)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from anytune.server.guard.heads import HEAD_BYTES

if TYPE_CHECKING:
    import asyncio

__all__ = ["BoundedProtocol"]

HEAD_S: Final = 20.0
"""How long a head may take, from the connection's or its own first byte."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose head is too long or too slow, before anything is made of it."""

    _pending = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Wait for a head."""
        super().connection_made(transport)
        self._in_head = True
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._arrived()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Count a new head, and let the application close the connection (`anytune.close`), which ASGI has no word for."""
        super().on_message_begin()
        self.scope["extensions"] = {"anytune.close": self.transport.close}  # type: ignore[dict-item]  # its values are said to be mappings
        self._in_head, self._pending = True, 0

    def on_headers_complete(self) -> None:
        """Stop counting: the guard looks at the rest."""
        self._in_head = False
        self._arrived()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that is not complete."""
        begun = self._in_head
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        if begun:
            self._pending += len(data)
        if self._pending > HEAD_BYTES:
            self.send_400_response("The head of the request is too long.")
        elif self._timer is None:
            self._wait()

    def _wait(self) -> None:
        self._timer = self.loop.call_later(HEAD_S, self._late)

    def _arrived(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if not self.transport.is_closing():
            self.send_400_response("The head of the request did not come in time.")
