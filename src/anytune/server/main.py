"""The process behind `anytune serve`: what must hold before it listens, and how it begins and ends."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from anytune.errors import ConfigError
from anytune.local import locks
from anytune.paths import home
from anytune.server.app import create_app
from anytune.server.guard.protocol import BoundedProtocol
from anytune.server.guard.start import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

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
        ConfigError: It may not start: the address is taken, open to all without a strong key, or another server has this state folder.
    """
    _log()
    os.environ.setdefault("ANYTUNE_SLOTS", str(config.slots))  # the agent's, where the server is the first to need it
    lock = _alone(config)
    try:
        app = create_app(config)
        os.environ.pop(VARIABLE, None)  # no child needs it
        key = app.state.house.first_key
        with _bound(config) as bound:
            settings = uvicorn.Config(
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
            found = Listening(_url(config, bound), key)
            with asyncio.Runner(loop_factory=_loop()) as runner:
                runner.run(_run(uvicorn.Server(settings), bound, lambda: tell(found)))
    finally:
        os.close(lock)


async def _run(server: uvicorn.Server, bound: socket.socket, begun: Callable[[], object]) -> None:
    serving = asyncio.ensure_future(server.serve(sockets=[bound]))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    if server.started:
        begun()
    await serving


def _log() -> None:
    """Write what the server says of itself to stderr, a line a request: no body, no key."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("anytune")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def _alone(config: ServeConfig) -> int:
    """Take the state folder: two servers would both look after the same orders."""
    folder = config.home or home() / "server"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = locks.take(folder / "server.lock")
    if lock is None:
        raise ConfigError(f"Another server runs on {folder}.", fix="Stop it first, or set ANYTUNE_HOME to another folder.")
    return lock


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
