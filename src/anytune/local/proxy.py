"""What stands in front of an engine that has neither key nor Host check: an ASGI application that lets through what it knows.

Order of the checks: Host (421; DNS rebinding, MCP SDK CVE-2025-66416), Origin (403; no browser page has business here), token (401,
compared in constant time), route (404), content type (415; no CSRF by a simple request), size (413, counted while reading), JSON (400),
model (404), fields that would reach the engine's loader or template code (400; vLLM CVE-2026-115918, LiteLLM CVE-2024-6587).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
from typing import TYPE_CHECKING, Any

import httpx2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from anytune.local.bodies import BadBody, vetted

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from anytune.local.task import Served, ServeSettings

__all__ = ["application"]

BODY_BYTES = 16 * 2**20
_HOST = re.compile(rb"(?i)(?:127\.0\.0\.1|localhost)(?::\d{1,5})?")
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 502: "server_error"}


def application(client: httpx2.AsyncClient, settings: ServeSettings, token: str) -> ASGIApp:
    """Make the application.

    Args:
        client: Speaks to the engine.
        settings: Names of the models, here and at the engine.
        token: The bearer token that every request but `/health` needs.
    """
    created = int(time.time())
    served = settings.models

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_card(name, created) for name in served]})

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        _known(name, served)
        return JSONResponse(_card(name, created))

    async def forward(request: Request) -> Response:
        body = _checked(await _body(request), served, greedy_only=settings.greedy_only)
        return await _relay(client, request, body)

    routes = [Route("/health", health), Route("/v1/models", models), Route("/v1/models/{name:path}", model)]
    routes += [Route(path, forward, methods=["POST"]) for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses")]
    return _Guard(Starlette(routes=routes, exception_handlers={HTTPException: _shaped}), token)


class _Guard:
    """Looks at what every request must have, before any route does."""

    def __init__(self, inner: ASGIApp, token: str) -> None:
        self.inner, self.token = inner, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(scope["path"], scope["headers"])
            await (refusal or self.inner)(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.inner(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, path: str, headers: list[tuple[bytes, bytes]]) -> Response | None:
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            return _error(421, "This endpoint answers to 127.0.0.1 and localhost only.")
        if any(name == b"origin" for name, _ in headers):
            return _error(403, "This endpoint does not answer to web pages.")
        if path != "/health" and not self._authorised(headers):
            return _error(401, "The bearer token is missing or wrong.", headers={"www-authenticate": "Bearer"})
        return None

    def _authorised(self, headers: list[tuple[bytes, bytes]]) -> bool:
        given = [value for name, value in headers if name == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        return hmac.compare_digest(token.strip(), self.token) and scheme.lower() == b"bearer"


async def _body(request: Request) -> dict[str, Any]:
    """Read a JSON object, never more of it than is allowed."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" or request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "Send plain JSON with `Content-Type: application/json`.")
    too_long = HTTPException(413, f"A request has {BODY_BYTES} bytes at most.")
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or len(announced) > 12 or int(announced) > BODY_BYTES:  # noqa: PLR2004 - twelve digits are plenty
        raise too_long
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > BODY_BYTES:
            raise too_long
    try:
        body = json.loads(bytes(content), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "The body is not a JSON object.")
    return body


def _no_constant(word: str) -> None:
    raise ValueError(word)


def _checked(body: dict[str, Any], served: dict[str, Served], *, greedy_only: bool) -> dict[str, Any]:
    """Refuse what must not reach the engine, and give the model the name that the engine knows."""
    if "model" not in body:
        raise HTTPException(400, "`model` is missing.")
    meant = _known(body["model"], served)
    try:
        vetted(body)
    except BadBody as error:
        raise HTTPException(400, error.message) from None
    if greedy_only and body.get("temperature"):
        raise HTTPException(400, "This engine decodes greedily: leave `temperature` out, or set it to 0.")
    return body | {"model": meant.engine_model}


def _known(name: object, served: dict[str, Served]) -> Served:
    if not isinstance(name, str) or name not in served:
        names = ", ".join(repr(each) for each in served)
        raise HTTPException(404, f"The model {str(name)[:200]!r} does not exist here; this endpoint serves {names[:500]}.")
    return served[name]


async def _relay(client: httpx2.AsyncClient, request: Request, body: dict[str, Any]) -> Response:
    """Send the request on, and the reply back as it comes; a client that leaves ends the engine's work."""
    headers = {"accept": request.headers.get("accept", "*/*"), "accept-encoding": "identity"}
    outgoing = client.build_request("POST", request.url.path, json=body, headers=headers)
    answer = asyncio.ensure_future(client.send(outgoing, stream=True))
    left = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        left.cancel()
        if not answer.done():
            answer.cancel()
    try:
        reply = await answer
    except asyncio.CancelledError:
        return Response(status_code=499)
    except httpx2.HTTPError as error:
        raise HTTPException(502, f"The engine did not answer ({type(error).__name__}).") from None
    headers = {name: reply.headers[name] for name in ("content-type", "x-request-id") if name in reply.headers}
    return StreamingResponse(_chunks(reply), status_code=reply.status_code, headers=headers)


async def _chunks(reply: httpx2.Response) -> Any:
    try:
        async for chunk in reply.aiter_bytes():
            yield chunk
    finally:
        await reply.aclose()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _card(model: str, created: int) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": created, "owned_by": "anytune"}


async def _shaped(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _error(error.status_code, error.detail)
    raise error


def _error(status: int, message: str, *, headers: dict[str, str] | None = None) -> Response:
    """Give an error in the shape that OpenAI's clients read."""
    code = "model_not_found" if status == 404 and message.startswith("The model") else None  # noqa: PLR2004 - HTTP
    content = {"message": message, "type": _TYPES.get(status, "invalid_request_error"), "param": None, "code": code}
    return JSONResponse({"error": content}, status_code=status, headers=headers)
