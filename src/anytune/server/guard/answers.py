"""An answer on its way out: every one has the request's id, and none has more than its owner may know."""

from __future__ import annotations

import json
import logging
import time
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Scope, Send

    from anytune.server.errors import ApiError

__all__ = ["Answer", "told"]

_log = logging.getLogger("anytune.server")
_access = logging.getLogger("anytune.server.access")
_OURS = frozenset({b"x-request-id", b"openai-processing-ms", b"server"})


class Answer:
    """One answer.

    Attributes:
        status: Its HTTP status once it has begun; 499 where the client left before.
        begun: Whether its head was sent.
        refusal: Why the body was refused on its way in: this is what is answered, whatever the application says.
        headers: More headers for its head.
    """

    def __init__(self, send: Send, request_id: str, since: float, *, brings: bool = True) -> None:
        """Take the server's own `send`."""
        self._send = send
        self._since = since
        self.brings = brings
        self.status = 499
        self.begun = False
        self.refusal: ApiError | None = None
        self.headers: list[tuple[bytes, bytes]] = [(b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff")]
        self._mute = False

    def refuse_with(self, error: ApiError) -> None:
        """Remember why the body was refused."""
        self.refusal = error

    async def send(self, message: Message) -> None:
        """Send on what the application says."""
        if self._mute:
            return
        if message["type"] != "http.response.start":
            await self._send(message)
            return
        if self.refusal is not None:
            self._mute = True
            await self.refuse(self.refusal)
            return
        await self._begin(message["status"], [header for header in message.get("headers", ()) if header[0].lower() not in _OURS])

    async def refuse(self, error: ApiError) -> None:
        """Answer with an error. A connection whose body was not read is closed: the rest of it would be read for nothing."""
        content = json.dumps(error.body).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        if self.brings:
            headers.append((b"connection", b"close"))
        await self._begin(error.status, headers)
        await self._send({"type": "http.response.body", "body": content})

    async def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.begun, self.status = True, status
        spent_ms = f"{(time.perf_counter() - self._since) * 1000:.0f}".encode()
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*headers, *self.headers, (b"openai-processing-ms", spent_ms)]}
        )


def told(scope: Scope, request_id: str, route: str, status: int, seconds: float, error: Exception | None) -> None:
    """Write the line of the access log, and where an unexpected error came from.

    An error's own text is left out, for it may quote what a client sent.
    """
    caller = scope.get("anytune.caller")
    key_id = "-" if caller is None else caller.key_id
    _access.info("%s %s %d %.1f ms key=%s request=%s", scope["method"], route, status, seconds * 1000, key_id, request_id)
    if error is not None:
        _log.error("%s: unexpected %s", request_id, _trail(error))


def _trail(error: BaseException) -> str:
    frames = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(traceback.extract_tb(error.__traceback__)))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{type(error).__name__} at {frames}" + ("" if cause is None else f", after {_trail(cause)}")
