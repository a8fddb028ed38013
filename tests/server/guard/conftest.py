"""Requests as no client library would send them, and an application that takes whatever the guard lets through."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import uvicorn
from fastapi import FastAPI, Request
from tests.server import raw

from anytune.server.app import _refused
from anytune.server.book.keys import Keys, digest
from anytune.server.book.rows import KeyRow
from anytune.server.config import ServeConfig
from anytune.server.errors import ApiError
from anytune.server.guard import Guard
from anytune.server.guard.protocol import BoundedProtocol
from anytune.server.metrics import Metrics
from anytune.values import now

KEY = "sk-test-1f0c9a7be25d43c8b6e0d19c5a7f3e42"


def ask(url, method="GET", path="/v1/echo", headers=(), body=b"", *, key=KEY, host=None):
    """Send exactly these headers, and a key."""
    held = [] if key is None else [("Authorization", f"Bearer {key}")]
    return raw.ask(url, method, path, [*held, *headers], body, host=host)


@pytest.fixture
def send():
    return ask


@pytest.fixture
def guarded(ledger):
    """Start a guard with a small application behind it: `guarded(limits={…}, host=…)` gives url, seen bodies, keys and metrics."""
    running = []

    def start(*, held=True, wrap=None, **settings):
        config = ServeConfig(**({"backend": "memory"} | settings))
        metrics, seen = Metrics(), []
        keys = Keys(ledger.database, now)
        house = SimpleNamespace(config=config, metrics=metrics, book=SimpleNamespace(keys=keys, clock=now))
        app = FastAPI(exception_handlers={ApiError: _refused})

        async def echo(request: Request):
            body = await request.body()
            seen.append(body)
            caller = request.scope["anytune.caller"]
            return {"length": len(body), "owner": caller.owner, "admin": caller.admin}

        async def broken(request: Request):
            raise RuntimeError(f"the prompt was: {(await request.body()).decode()}")

        app.get("/health")(lambda: {"status": "ok"})
        app.api_route("/v1/echo", methods=["GET", "POST", "DELETE"])(echo)
        app.post("/v1/files")(echo)
        app.post("/v1/broken")(broken)
        app.get("/v1/files/{file_id}")(lambda file_id: {"id": file_id})
        row = KeyRow(id="ANYTUNE_API_KEY", owner="admin", digest=digest(KEY), admin=True, created_at=datetime.now(UTC)) if held else None
        app.add_middleware(Guard, house=house, held=row)
        bound = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, http=BoundedProtocol, log_config=None, ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        running.append((server, thread))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        return SimpleNamespace(url=url, seen=seen, keys=keys, metrics=metrics, port=bound.getsockname()[1])

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)
