"""A question on its way to an engine and the answer's way back: the bytes stay as they are, but for the model's name.

Nothing here touches the database or the disk. A client that leaves ends the engine's work.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any, Final, Self

import orjson
from starlette.responses import Response

from anytune.errors import Unreachable, redact
from anytune.local.bodies import BadBody, vetted
from anytune.server.engines import words
from anytune.server.engines.wire import Lost, Slow
from anytune.server.errors import ApiError

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from anytune.server.engines.engine import Held
    from anytune.server.engines.wire import Reply
    from anytune.server.house import Caller, House

__all__ = ["Answer"]

_MODEL = re.compile(rb'("model"\s*:\s*)"(?:[^"\\]|\\.)*"')
"""A key with its value: inside of a JSON string its quotes would be escaped, so that an answer's text never matches."""
_USAGE = re.compile(rb'"(prompt|completion)_tokens"\s*:\s*(\d{1,9})')
_ERROR_BYTES: Final = 64 * 2**10
_REPLY_BYTES: Final = 64 * 2**20
_NO_KEY = frozenset({401, 403, 407})
_PASSED = frozenset({400, 404, 409, 413, 415, 422, 429, 503})
_TRIES = 2


class Answer(Response):
    """The answer of an engine.

    Args:
        house: The server's parts.
        caller: Who asks.
        path: Where engines take such questions, below `/v1`.
    """

    def __init__(self, house: House, caller: Caller, path: str) -> None:
        """Keep the parts; everything happens when it is sent."""
        super().__init__()
        self.house, self.caller, self.path = house, caller, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Ask and answer.

        Raises:
            ApiError: Nothing was answered, and why.
        """
        body = _question(await _read(receive, self.house.config.limits.body_bytes))
        async with _Present(receive):
            await self._answered(body, send)

    async def _answered(self, body: dict[str, Any], send: Send) -> None:
        for attempt in range(1, _TRIES + 1):
            held = await self.house.pool.answer(self.caller, body["model"])
            try:
                reply = await self._sent(held, body)
                if reply is not None:
                    await self._pass(reply, orjson.dumps(body["model"]), send)
                    return
                again = attempt < _TRIES and await self.house.pool.doubt(held.engine)
            finally:
                held.release()
            if not again:
                break
        raise ApiError(502, "The model's engine did not answer. Ask again in a while.", code="engine_unreachable")

    async def _sent(self, held: Held, body: dict[str, Any]) -> Reply | None:
        """Send the question; None where nothing came back."""
        try:
            headers = await held.headers()
        except Unreachable:
            if held.own:
                return None  # its gate is gone, and the key is not shown to whoever has the port now
            raise
        content = orjson.dumps(body | {"model": held.model})
        try:
            return await self.house.pool.wire.post(held.base_url + self.path, headers, content)
        except Slow:
            raise ApiError(504, "The model's engine took too long.", code="engine_timeout") from None
        except Lost:
            return None

    async def _pass(self, reply: Reply, name: bytes, send: Send) -> None:
        try:
            if reply.status >= 400:  # noqa: PLR2004 - HTTP
                raise await _refusal(reply)
            kind = reply.headers.get("content-type", "application/json").encode("latin-1")
            if kind.startswith(b"text/event-stream"):
                await self._stream(reply, kind, name, send)
            else:
                await self._whole(reply, kind, name, send)
        finally:
            await reply.close()

    async def _whole(self, reply: Reply, kind: bytes, name: bytes, send: Send) -> None:
        try:
            content = await _content(reply, _REPLY_BYTES)
        except (Lost, Slow):
            raise ApiError(502, "The model's engine broke off its answer. Ask again.", code="engine_broke_off") from None
        self._count(content)
        content = _MODEL.sub(lambda found: found[1] + name, words.whole(content), count=1)
        await send({
            "type": "http.response.start",
            "status": reply.status,
            "headers": [(b"content-type", kind), (b"content-length", str(len(content)).encode())],
        })  # fmt: skip
        await send({"type": "http.response.body", "body": content})

    async def _stream(self, reply: Reply, kind: bytes, name: bytes, send: Send) -> None:
        await send({
            "type": "http.response.start",
            "status": reply.status,
            "headers": [(b"content-type", kind), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")],
        })  # fmt: skip
        rest, ended = b"", False
        try:
            async for chunk in reply.chunks():
                whole, _, rest = (rest + chunk).rpartition(b"\n")
                if whole:
                    lines = [
                        _MODEL.sub(lambda found: found[1] + name, words.line(line), count=1)
                        for line in (whole + b"\n").splitlines(keepends=True)
                    ]
                    ended = ended or any(words.ends(line) for line in lines)
                    await send({"type": "http.response.body", "body": b"".join(lines), "more_body": True})
                    if b'"usage"' in whole:
                        self._count(whole)
        except (Lost, Slow):
            broken = ApiError(502, "The model's engine broke off its answer. Ask again.", code="engine_broke_off")
            rest, ended = b"data: " + orjson.dumps(broken.body) + b"\n\n", True
        await send({"type": "http.response.body", "body": rest if ended or words.ends(rest) else (rest and rest + b"\n\n") + words.END})

    def _count(self, content: bytes) -> None:
        for kind, count in _USAGE.findall(content):
            self.house.metrics.tokens(kind.decode(), int(count))


class _Present:
    """Cancels the task that answers as soon as its client leaves: the engine's work is not needed any more."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        self._watch = asyncio.ensure_future(self._wait())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._watch.cancel()
        if not self._left or self._task is None:
            return False
        return self._task.uncancel() == 0 and kind is asyncio.CancelledError

    async def _wait(self) -> None:
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await self._receive()
        self._left = True
        if self._task is not None:
            self._task.cancel()


async def _read(receive: Receive, limit_bytes: int) -> bytes:
    """Read a body, never more of it than is allowed."""
    content, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError(400, "The client left before its request was complete.")
        content += message.get("body", b"")
        if len(content) > limit_bytes:
            raise ApiError(413, f"A request has {limit_bytes} bytes at most.", code="request_too_large")
        more = message.get("more_body", False)
    return content


def _question(content: bytes) -> dict[str, Any]:
    """Take a body apart, and refuse what no engine shall see."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise ApiError(400, "The body is not JSON.", code="invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The body is not a JSON object.", code="invalid_json")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise ApiError(400, "You must provide a model parameter.", param="model")
    try:
        vetted(body)
    except BadBody as error:
        raise ApiError(400, error.message, param=error.param) from None
    return body


async def _content(reply: Reply, limit_bytes: int) -> bytes:
    pieces, size = [], 0
    async for piece in reply.chunks():
        pieces.append(piece)
        size += len(piece)
        if size > limit_bytes:
            raise ApiError(502, "The model's engine answered with too much.", code="engine_broke_off")
    return b"".join(pieces)


async def _refusal(reply: Reply) -> ApiError:
    """Turn an engine's refusal into ours: its words, without keys; a key of the server's that does not work is the server's fault."""
    status = reply.status
    said: dict[str, Any] = {}
    with contextlib.suppress(Lost, Slow, ApiError, ValueError):
        body = orjson.loads(await _content(reply, _ERROR_BYTES))
        found = body.get("error", body) if isinstance(body, dict) else {}
        said = found if isinstance(found, dict) else {"message": found}
    if status in _NO_KEY:
        return ApiError(
            502, "The model's host refuses this server. Its owner finds the reason with `anytune doctor`.", code="engine_refused"
        )
    text = said.get("message") if isinstance(said.get("message"), str) else f"The model's engine answered with HTTP {status}."
    code, param = (said.get(word) if isinstance(said.get(word), str) else None for word in ("code", "param"))
    headers = {"Retry-After": reply.headers["retry-after"]} if "retry-after" in reply.headers else {}
    return ApiError(status if status in _PASSED else 502, redact(str(text)), code=code, param=param, headers=headers)
