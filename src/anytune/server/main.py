"""The process behind `anytune serve`: what must hold before it listens, and how it begins and ends."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import signal
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn

from anytune.errors import ConfigError, redact
from anytune.paths import home
from anytune.server.alone import folder_alone, ledger_alone
from anytune.server.app import create_app
from anytune.server.guard.protocol import BoundedProtocol
from anytune.server.guard.start import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from starlette.types import ASGIApp

    from anytune.server.config import ServeConfig

__all__ = ["Listening", "serve"]

_DRAIN_S = 5
_BACKLOG = 2048
_CONNECTIONS = 4096
_KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep idle connections, so that it is they who close them."""


@dataclass(frozen=True)
class Listening:
    """What a server says once it answers.

    Attributes:
        base_url: What clients set as `base_url`.
        key: The first key, shown this once; None where keys exist already.
    """

    base_url: str
    key: str | None


def serve(config: ServeConfig, *, tell: Callable[[Listening], object]) -> None:
    """Serve until SIGTERM or Ctrl-C. Answers that have begun are finished, for 5 seconds at most; jobs and engines go on.

    Args:
        config: What the owner decided.
        tell: Called once, when the server answers.

    Raises:
        ConfigError: It may not start: the address is taken, open to all without a strong key, or another server has this
            state folder or ledger.
    """
    _log()
    os.environ.setdefault("ANYTUNE_SLOTS", str(config.slots))  # the agent's, where the server is the first to need it
    with ExitStack() as stack:
        stack.enter_context(folder_alone(config.home or home() / "server"))
        bound = stack.enter_context(_bound(config))  # before the app: the first key is made with it, and must not be lost
        app = create_app(config)
        stack.enter_context(ledger_alone(app.state.house.context.ledger.database))
        os.environ.pop(VARIABLE, None)  # no child needs it
        found = Listening(_url(config, bound), app.state.house.first_key)
        runner = stack.enter_context(asyncio.Runner(loop_factory=_loop()))
        runner.run(_run(_Server(_settings(app)), bound, lambda: tell(found)))


class _Server(uvicorn.Server):
    """Uvicorn's, for which SIGTERM is the usual end and no failure: systemd and containers end services by it."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        if sig == signal.SIGTERM:
            self.force_exit = self.should_exit
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)


def _settings(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        backlog=_BACKLOG,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_DRAIN_S,
    )


async def _run(server: uvicorn.Server, bound: socket.socket, begun: Callable[[], object]) -> None:
    serving = asyncio.ensure_future(server.serve(sockets=[bound]))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    if server.started:
        gc.freeze()  # what stays until the end need not be looked through again: 0.34 → 0.27 ms of CPU a reply (2026-11-23)
        begun()
    await serving


def _log() -> None:
    """Write what the server says of itself to stderr, a line a request: no body, no key."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("anytune")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


class _Redacting(logging.Formatter):
    """Hides keys in tracebacks, which show what libraries were told; the lines themselves are ours."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Give the traceback without keys."""
        return redact(super().formatException(ei))


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def _bound(config: ServeConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((config.host, config.port))
    except OSError as error:
        bound.close()
        text = f"Cannot listen on {config.host} port {config.port}: {error.strerror}."
        raise ConfigError(text, fix="Choose another one with --host and --port, or stop who has it.") from error
    return bound


def _url(config: ServeConfig, bound: socket.socket) -> str:
    """Name an address that a client here can reach: one that means every interface is reached by the loopback."""
    host, port = config.host, bound.getsockname()[1]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}/v1"
    shown = {4: "127.0.0.1", 6: "::1"}[address.version] if address.is_unspecified else host
    return f"http://[{shown}]:{port}/v1" if ":" in shown else f"http://{shown}:{port}/v1"
