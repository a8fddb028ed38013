"""A proxy on loopback between a real client and the server: it passes everything on, keeps a record, and finds what breaks the contract.

Clients in any language go through it: it is an address, no hook in a client.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.clients.contract import Contract, Operation

__all__ = ["Exchange", "Recorder", "recording"]

_HOPS = {"connection", "host", "transfer-encoding", "keep-alive"}
_PREFIX = re.compile(r"^/(openai/)?(v1/|v1$|deployments/[^/]+/)?")
_ERRORS = {400, 401, 403, 404, 405, 409, 413, 415, 421, 422, 429, 431, 501, 503}


@dataclass(frozen=True)
class Exchange:
    """One request and its reply."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: bytes
    operation: Operation | None

    @property
    def name(self) -> str:
        return self.operation.name if self.operation else f"{self.method} {self.path}"


@dataclass
class Recorder:
    """What went through, in order, and what of it was odd."""

    upstream: str
    contract: Contract
    base_url: str = ""
    exchanges: list[Exchange] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    @property
    def answered(self) -> set[str]:
        """Operations of the contract that were answered with 200."""
        return {each.name for each in self.exchanges if each.operation and each.status == 200}

    def take(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        self.odd += [f"{exchange.name} → {exchange.status}: {fault}" for fault in self.faults(exchange)]

    def faults(self, exchange: Exchange) -> Iterator[str]:
        kind = exchange.headers.get("content-type", "").partition(";")[0]
        if not exchange.headers.get("x-request-id"):
            yield "no x-request-id"
        if "access-control-allow-origin" in exchange.headers:
            yield "an Access-Control-Allow-Origin"
        if exchange.status >= 400:
            yield from self._refusal(exchange, kind)
        elif exchange.status != 200:
            yield "a status that OpenAI does not give"
        elif exchange.operation is None:
            return
        elif not exchange.operation.served:
            yield "an answer, where 501 belongs"
        elif kind == "text/event-stream":
            yield from self._stream(exchange, exchange.operation.stream)
        elif exchange.operation.json:
            yield from self._invalid(exchange.operation.json, exchange.body)

    def _refusal(self, exchange: Exchange, kind: str) -> Iterator[str]:
        if exchange.status not in _ERRORS:
            yield f"a status that clients do not expect: {exchange.body[:300]!r}"
        if exchange.operation and not exchange.operation.served and exchange.status not in {401, 501}:
            yield "a refusal, where 501 belongs"
        if kind != "application/json":
            yield f"an error of {kind or 'no'} type"
        else:
            yield from self._invalid("ErrorResponse", exchange.body)

    def _stream(self, exchange: Exchange, schema: str | None) -> Iterator[str]:
        pieces = [line.removeprefix("data: ") for line in exchange.body.decode().splitlines() if line.startswith("data: ")]
        if not pieces or pieces[-1] != "[DONE]":
            yield "a stream without its end"
        for piece in pieces:
            if schema and piece != "[DONE]":
                yield from self._invalid(schema, piece)

    def _invalid(self, schema: str, body: bytes | str) -> Iterator[str]:
        try:
            value = json.loads(body)
        except ValueError:
            yield f"no JSON: {body[:200]!r}"
            return
        for place, found in self.contract.faults(schema, value):
            yield f"{schema} at {place or 'the top'}: {json.dumps(found)[:200]}"


@contextmanager
def recording(upstream: str, contract: Contract) -> Iterator[Recorder]:
    """Stand before a server's `base_url` (with its `/v1`, if it has one) on a port of one's own."""
    recorder = Recorder(upstream, contract)
    settings = uvicorn.Config(_Proxy(recorder), host="127.0.0.1", port=0, log_config=None, lifespan="on", timeout_graceful_shutdown=2)
    server = uvicorn.Server(settings)
    listening = socket.create_server(("127.0.0.1", 0))
    recorder.base_url = f"http://127.0.0.1:{listening.getsockname()[1]}{urlsplit(upstream).path}"
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


class _Proxy:
    """The ASGI application: one upstream client for all."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        parts = urlsplit(recorder.upstream)
        self.origin = f"{parts.scheme}://{parts.netloc}"

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._pass(scope, receive, send)

    async def _live(self, receive, send) -> None:
        async with httpx2.AsyncClient(timeout=120, trust_env=False) as self.client:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _pass(self, scope, receive, send) -> None:
        content = b""
        while True:
            event = await receive()
            content += event.get("body", b"")
            if not event.get("more_body"):
                break
        target = (scope.get("raw_path") or scope["path"].encode()).decode()
        query = f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
        headers = [(name, value) for name, value in scope["headers"] if name.decode() not in _HOPS]
        asked = self.client.build_request(scope["method"], f"{self.origin}{target}{query}", headers=headers, content=content)
        try:
            reply = await self.client.send(asked, stream=True)
        except httpx2.TransportError:
            return  # uvicorn answers 500 where an application says nothing: the client sees that something broke
        await send({"type": "http.response.start", "status": reply.status_code, "headers": _passed(reply)})
        pieces: list[bytes] = []
        async for piece in reply.aiter_raw():
            pieces.append(piece)
            if "content-length" not in reply.headers:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        kept = b"".join(pieces)
        self._keep(scope, reply, kept)  # before the client can know that this was all
        await send({"type": "http.response.body", "body": kept if "content-length" in reply.headers else b""})

    def _keep(self, scope, reply, kept: bytes) -> None:
        path = "/" + _PREFIX.sub("", scope["path"])
        operation = self.recorder.contract.operation(scope["method"], path)
        self.recorder.take(Exchange(scope["method"], path, reply.status_code, dict(reply.headers), kept, operation))


def _passed(reply) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in reply.headers.raw if name.lower().decode() not in _HOPS]
