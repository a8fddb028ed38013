"""What every request must pass before any route sees it.

The order of the checks: size of the head (414, 431), Host (421; DNS rebinding, MCP SDK CVE-2025-66416), Origin (403; no browser page has
business here), key (401, compared in constant time; LiteLLM CVE-2026-42208), rate (429), content encoding and type (415; no CSRF by a
simple request, FastAPI CVE-2021-32677), size of the body (413, before a parser sees it, and counted while it comes). Only `/health`
needs no key.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from anytune.server.errors import ApiError
from anytune.server.guard import heads
from anytune.server.guard.answers import Answer, told
from anytune.server.guard.bodies import Body
from anytune.server.guard.keyring import Keyring
from anytune.server.guard.rates import Rates

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from anytune.server.book.rows import KeyRow
    from anytune.server.house import House

__all__ = ["Guard"]

_OPEN = frozenset({"/health"})
"""Paths that need no key."""


class Guard:
    """ASGI middleware.

    Args:
        inner: The application behind it.
        house: The server's parts.
        held: A key that is in force as long as the server runs.
    """

    def __init__(self, inner: ASGIApp, house: House, *, held: KeyRow | None = None) -> None:
        """Keep the parts."""
        self._inner, self._limits, self._metrics = inner, house.config.limits, house.metrics
        self._hosts = heads.Hosts(house.config)
        self._keyring = Keyring(house.book, house.config.limits, held)
        self._rates = Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        since = time.perf_counter()
        request_id = scope["anytune.request_id"] = f"req_{secrets.token_hex(16)}"
        answer = Answer(send, request_id, since)
        unexpected: Exception | None = None
        passed = False
        try:
            receive = await self._admitted(scope, receive, answer)
            passed = True
            await self._inner(scope, receive, answer.send)
        except ApiError as error:
            if not answer.begun:
                await answer.refuse(answer.refusal or error)
        except ClientDisconnect:
            pass
        except Exception as error:  # noqa: BLE001 - the last stop: whatever it is, the client learns the id, and the log the place
            unexpected = error
            if not answer.begun:
                await answer.refuse(answer.refusal or ApiError(500, f"The server failed. Its log says more about {request_id}."))
        finally:
            seconds = time.perf_counter() - since
            route = _template(scope) if passed else "(refused)"
            self._metrics.request(route, scope["method"], answer.status, seconds)
            told(scope, request_id, route, answer.status, seconds, unexpected)

    async def _admitted(self, scope: Scope, receive: Receive, answer: Answer) -> Receive:
        """Check a request, write down who asks, and give its body."""
        head = heads.read(scope)
        answer.brings = head.brings
        self._hosts.check(head)
        if scope["path"] not in _OPEN:
            known = await self._keyring.known(head)
            scope["anytune.caller"] = known.caller
            if known.requests_per_minute is not None:
                answer.headers += self._rates.take(known.caller.key_id, known.requests_per_minute)
        most = heads.body_limit(scope, head, self._limits)
        return Body(receive, most, answer.refuse_with).receive if head.brings else receive


def _template(scope: Scope) -> str:
    """Give the path of the route that took a request, without what stood in its place holders, the same for both prefixes."""
    path = str(getattr(scope.get("route"), "path", "(none)"))
    return path.removeprefix("/openai").removeprefix("/v1")
