"""What every request must pass before any route sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from anytune.server.house import House

__all__ = ["Guard"]


class Guard:
    """ASGI middleware."""

    def __init__(self, inner: ASGIApp, house: House) -> None:
        """Keep the parts."""
        self.inner, self.house = inner, house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        await self.inner(scope, receive, send)
