"""Routes: questions to models. They go to the engine as they came, and so do the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response
from starlette.routing import Route

from anytune.server.engines.relay import Answer

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["router", "shortcuts"]

router = APIRouter(tags=["completions"])

_PATHS: Final = ("/chat/completions", "/completions")
_MESSAGES: Final = {"messages": {"type": "array", "minItems": 1, "items": {"type": "object"}}}
_PROMPT: Final = {"prompt": {"type": ["string", "array"]}}


def _told(words: dict[str, Any]) -> dict[str, Any]:
    """Describe a question and its answer, for the schema."""
    needed = {"model": {"type": "string"}, **words}
    body = {
        "type": "object",
        "required": list(needed),
        "properties": {**needed, "stream": {"type": "boolean"}},
        "additionalProperties": True,
    }
    content = {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {"schema": {"type": "string"}}}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": {"description": "The engine's answer, whole or (`stream`) as server-sent events.", "content": content}},
    }


@router.post("/chat/completions", openapi_extra=_told(_MESSAGES), response_class=Response)
async def create_chat_completion(request: Request) -> Response:
    """Answer a chat, by a base model that is offered or by a tuned model of the caller's."""
    return _answer(request, "/chat/completions")


@router.post("/completions", openapi_extra=_told(_PROMPT), response_class=Response)
async def create_completion(request: Request) -> Response:
    """Go on with a text."""
    return _answer(request, "/completions")


def _answer(request: Request, path: str) -> Response:
    return Answer(request.app.state.house, request.scope["anytune.caller"], path)


def shortcuts(prefix: str) -> list[Route]:
    """Give the same routes to be asked before all others: the way through FastAPI's routers takes longer than all that is done here.

    Args:
        prefix: Where the API lies, such as `/v1`.
    """
    return [Route(prefix + path, _Shortcut(prefix, path), methods=["POST"], include_in_schema=False) for path in _PATHS]


class _Shortcut:
    """An ASGI application that answers one path."""

    def __init__(self, prefix: str, below: str) -> None:
        self.path, self._below = prefix + below, below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # its path goes into metrics and the log
        await Answer(scope["app"].state.house, scope["anytune.caller"], self._below)(scope, receive, send)
