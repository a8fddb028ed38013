"""`anytune serve --backend memory --faults FILE`: a server that fails as it is told, for people's own tests.

```yaml
life: {words: [queued, running, running, failed], tick_s: 0.2, error: "The loss was NaN."}
faults: {calls: [{kind: rate_limit, on: submit, times: 2, retry_after: 1}]}
wire:
  - {kind: drop_reply, on: POST /fine_tuning/jobs}
  - {kind: error, on: "GET /files/{id}", status: 503, times: 3, headers: {retry-after: "1"}}
  - {kind: truncated, on: POST /chat/completions, cut_at: 300}
```

`life` and `faults` are the memory backend's own arguments; `wire` is what happens between this server and its clients, behind the guard.
"""

from __future__ import annotations

import asyncio
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, JsonValue, ValidationError

from anytune.errors import ConfigError
from anytune.profiles import configured, profiles
from anytune.server.errors import ApiError
from anytune.settings import Settings, read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["FaultFile", "WireFault", "WireFaults", "read"]

_PAGE = b"<!doctype html><title>Sign in</title><p>Your network asks for a password."


class WireFault(Settings):
    """Something that goes wrong with some requests."""

    kind: Literal["drop", "drop_reply", "late_commit", "error", "html", "truncated", "slow"]
    """`drop`: the connection closes before anything happens. `drop_reply`: it takes effect, then the connection closes. `late_commit`: the
    connection closes, and it takes effect `delay_s` later. `error`: an error of `status`, without effect. `html`: a page of HTML on 200,
    after the effect. `truncated`: the reply ends too early, after the effect. `slow`: it begins `delay_s` later."""
    on: str = Field(default="POST /fine_tuning/jobs", pattern=r"^(\*|[A-Z]+ /\S*)$")
    """Method and path below `/v1`, as in `GET /files/{id}`; `*` is every request."""
    times: int = Field(default=1, gt=0)
    """Requests that it concerns."""
    skip: int = Field(default=0, ge=0)
    """Requests of this kind that pass before."""
    status: int = Field(default=500, ge=400, le=599)
    """HTTP status, for `error`."""
    code: str | None = None
    """The error's code, for `error`: `insufficient_quota`, for instance."""
    message: str = "This server was told to fail."
    """The error's text, for `error`."""
    headers: dict[str, str] = Field(default_factory=dict)
    """More headers of the reply, for `error`: `retry-after`, `x-should-retry`."""
    cut_at: int | None = Field(default=None, ge=0)
    """Bytes of the body that still arrive, for `truncated`; None for half of it."""
    delay_s: float = Field(default=0.0, ge=0)
    """Seconds, for `late_commit` and `slow`."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the method and the path of a request must look like."""
        if self.on == "*":
            return re.compile(r".*", re.DOTALL)
        method, _, template = self.on.partition(" ")
        parts = (r"[^/]+" if index % 2 else re.escape(part) for index, part in enumerate(re.split(r"(\{[^{}/]+\})", template)))
        return re.compile(rf"{method} (?:(?:/openai)?/v1)?{''.join(parts)}")


class FaultFile(Settings):
    """Everything that goes wrong."""

    life: dict[str, JsonValue] | list[dict[str, JsonValue]] | None = None
    """What happens to jobs: the memory backend's `Life`, or one for each job in the order of creation."""
    faults: dict[str, JsonValue] | None = None
    """What goes wrong between this server and its backend: the memory backend's `Faults`."""
    wire: tuple[WireFault, ...] = ()
    """What goes wrong between this server and its clients; of several that hit a request the first is taken."""

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of the memory backend's constructor."""
        return {name: value for name, value in (("life", self.life), ("faults", self.faults)) if value is not None}


def read(path: Path, backend: str) -> FaultFile:
    """Read a file of faults.

    Args:
        path: The file, YAML.
        backend: The server's backend: only `memory`, or a profile of it, can be told to fail.

    Raises:
        ConfigError: The file is wrong, or the backend is another one.
    """
    if profiles().get(backend, {}).get("backend", backend) != "memory":
        raise ConfigError(f"Only the memory backend can be told to fail, not {backend!r}.", fix="Say `--backend memory`.")
    plan = FaultFile(**_worded(read_yaml(path, what="the faults", fix="docs/how-to/simulators.md shows what can go wrong.")))
    try:
        configured(backend, **plan.options).close()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"`{place}` in {path}: {first['msg']}.", fix="docs/how-to/simulators.md shows `life` and `faults`.") from None
    return plan


def _worded(value: Any) -> Any:
    """Give mappings whose keys are words: YAML 1.1 takes `on` for true."""
    if isinstance(value, dict):
        return {"on" if key is True else str(key): _worded(item) for key, item in value.items()}
    return [_worded(item) for item in value] if isinstance(value, list) else value


class WireFaults:
    """ASGI middleware: lets the faults happen.

    Args:
        inner: The application behind it.
        faults: What goes wrong.
    """

    def __init__(self, inner: ASGIApp, faults: Sequence[WireFault]) -> None:
        """Count from zero."""
        self._inner, self._faults = inner, tuple(faults)
        self._seen = [0] * len(self._faults)
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or let its fault happen."""
        fault = self._of(scope) if scope["type"] == "http" else None
        match None if fault is None else fault.kind:
            case "drop":
                await _close(scope, receive, send)
            case "drop_reply":
                await self._inner(scope, receive, _Kept())
                await _close(scope, receive, send)
            case "late_commit":
                await self._commit_late(scope, receive, send, 0.0 if fault is None else fault.delay_s)
            case "error" if fault is not None:
                raise ApiError(fault.status, fault.message, code=fault.code, headers=fault.headers)
            case "html":
                await self._inner(scope, receive, _Kept())
                await _answer(send, 200, [(b"content-type", b"text/html")], _PAGE)
            case "truncated":
                await self._truncate(scope, receive, send, None if fault is None else fault.cut_at)
            case "slow" if fault is not None:
                await asyncio.sleep(fault.delay_s)
                await self._inner(scope, receive, send)
            case _:
                await self._inner(scope, receive, send)

    def _of(self, scope: Scope) -> WireFault | None:
        asked = f"{scope['method']} {scope['path']}"
        hit: WireFault | None = None
        for place, fault in enumerate(self._faults):
            if fault.pattern.fullmatch(asked) is None:
                continue
            nth = self._seen[place]
            self._seen[place] += 1
            if hit is None and fault.skip <= nth < fault.skip + fault.times:
                hit = fault
        return hit

    async def _commit_late(self, scope: Scope, receive: Receive, send: Send, delay_s: float) -> None:
        pieces = []
        more = True
        while more:
            message = await receive()
            pieces.append(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
        body: list[Message] = [{"type": "http.request", "body": b"".join(pieces), "more_body": False}]

        async def again() -> Message:
            return body.pop() if body else {"type": "http.disconnect"}

        async def work() -> None:
            await asyncio.sleep(delay_s)
            await self._inner(dict(scope), again, _Kept())

        task = asyncio.create_task(work())
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        await _close(scope, receive, send)

    async def _truncate(self, scope: Scope, receive: Receive, send: Send, cut_at: int | None) -> None:
        kept = _Kept()
        await self._inner(scope, receive, kept)
        headers = [header for header in kept.headers if header[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(kept.body)).encode()))
        await send({"type": "http.response.start", "status": kept.status, "headers": headers})
        most = len(kept.body) // 2 if cut_at is None else min(cut_at, max(len(kept.body) - 1, 0))
        await send({"type": "http.response.body", "body": bytes(kept.body[:most]), "more_body": True})
        await _close(scope, receive, send, begun=True)


class _Kept:
    """An answer that is kept instead of sent."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 500, list[tuple[bytes, bytes]](), bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


async def _close(scope: Scope, receive: Receive, send: Send, *, begun: bool = False) -> None:
    """Close the connection. Without the server's own protocol a head has to be sent first: an answer that never ends is cut by uvicorn."""
    close = scope.get("extensions", {}).get("anytune.close")
    if close is not None:
        close()
        while (await receive())["type"] != "http.disconnect":
            pass
    elif not begun:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
