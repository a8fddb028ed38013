"""The paths of Azure OpenAI's earlier API, by which its own client class (`AzureOpenAI`) asks: led to the same routes as `/openai/v1`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["EarlierPaths", "later"]

_BEFORE, _AFTER = "/openai/", "/openai/v1/"
_DEPLOYMENT = re.compile(r"deployments/.{1,512}?/(?=(?:chat/)?completions$)")
"""A deployment stands in the path and, as `model`, in the body, which is what counts here."""


class EarlierPaths:
    """ASGI middleware.

    Args:
        inner: The application behind it.
    """

    def __init__(self, inner: ASGIApp) -> None:
        """Keep the application."""
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, by its later path."""
        if scope["type"] == "http" and (path := later(scope["path"])) != scope["path"]:
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._inner(scope, receive, send)


def later(path: str) -> str:
    """Give the path below `/openai/v1` for one of the earlier API; any other stays.

    Example:
        >>> later("/openai/deployments/ft:gpt-4o:shop/chat/completions")
        '/openai/v1/chat/completions'
    """
    if not path.startswith(_BEFORE) or path.startswith(_AFTER):
        return path
    return _AFTER + _DEPLOYMENT.sub("", path.removeprefix(_BEFORE), count=1)
