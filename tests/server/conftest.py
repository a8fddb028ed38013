"""A server for a test: in a thread of this process, where that is enough, or a real process that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import openai
import pytest
import uvicorn

from anytune.deploy import Deployment
from anytune.errors import NotFound
from anytune.ledger import Ledger
from anytune.runtime import Runtime
from anytune.server.app import create_app
from anytune.server.config import ServeConfig
from anytune.server.guard.protocol import BoundedProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "sk-test-1f0c9a7be25d43c8b6e0d19c5a7f3e42"
"""What ANYTUNE_API_KEY holds in tests: long and without a pattern, as a real one."""

_START_S = 30.0


@dataclass
class Served:
    """A running server.

    Attributes:
        base_url: Up to and including `/v1`.
        key: The admin's.
        app: The application, where it runs in this process.
        process: The process, where it is one of its own.
    """

    base_url: str
    key: str
    app: Any = None
    process: subprocess.Popen[str] | None = None
    clients: list[openai.OpenAI] = field(default_factory=list)

    @property
    def root(self) -> str:
        return self.base_url.removesuffix("/v1")

    @property
    def house(self) -> Any:
        return self.app.state.house

    def client(self, key: str | None = None, **options: Any) -> openai.OpenAI:
        made = openai.OpenAI(base_url=self.base_url, api_key=key or self.key, **({"max_retries": 0} | options))
        self.clients.append(made)
        return made

    def key_of(self, owner: str, **limits: Any) -> str:
        """Make a key for an owner (in-process servers)."""
        return self.house.book.keys.add(owner, **limits)[1]

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger without rows, to be copied: a copy takes a tenth of the time (0.003 s against 0.03, 0.06 against 0.8 where many tests share the cores; 2026-11-23)."""
    path = tmp_path_factory.mktemp("migrated") / "ledger.db"
    Ledger.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated: Path) -> Path:
    """A state folder of the test's own, with a ledger without rows."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    shutil.copy(migrated, folder / "ledger.db")
    monkeypatch.setenv("ANYTUNE_HOME", str(folder))
    return folder


@pytest.fixture
def state(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, for a server whose owner has set a key."""
    monkeypatch.setenv("ANYTUNE_API_KEY", KEY)
    return home


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    with Ledger.open() as opened:
        yield opened


@pytest.fixture
def serve(state: Path) -> Iterator[Callable[..., Served]]:
    """Start a server in a thread: `serve(backend="memory", options={...}, models={...})`; `context=` for a runtime of one's own."""
    running: list[tuple[uvicorn.Server, threading.Thread, Served, Runtime]] = []

    def start(*, context: Runtime | None = None, **settings: Any) -> Served:
        context = context or Runtime()
        app = create_app(ServeConfig(**({"backend": "memory", "port": 0} | settings)), context=context)
        bound = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(
                app, http=BoundedProtocol, log_config=None, access_log=False, ws="none", lifespan="on", timeout_graceful_shutdown=1
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + _START_S
        while not server.started:
            assert thread.is_alive(), "the server ended"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        served = Served(f"http://127.0.0.1:{bound.getsockname()[1]}/v1", KEY, app=app)
        running.append((server, thread, served, context))
        return served

    yield start
    for server, thread, served, context in running:
        for client in served.clients:
            client.close()
        server.should_exit = True
        thread.join(20)
        _stop_engines(context)
        for backend in context.backends.values():
            backend.close()
        context.ledger.close()


@pytest.fixture
def launch(tmp_path: Path, state: Path) -> Iterator[Callable[..., Served]]:
    """Start a server as a person would: `launch("--backend", "memory")`; again after `kill()` on the same state."""
    running: list[Served] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> Served:
        with (tmp_path / "serve.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "anytune.cli", "serve", "--port", "0", "--json", *arguments],
                env={**os.environ, **(env or {})},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = process.stdout.readline()
        assert line, (tmp_path / "serve.log").read_text()[-3000:]
        served = Served(json.loads(line)["base_url"], KEY, process=process)
        running.append(served)
        return served

    yield start
    for served in running:
        for client in served.clients:
            client.close()
        if served.process.poll() is None:
            served.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                served.process.wait(15)
            served.process.kill()
        served.process.wait()
        served.process.stdout.close()
    context = Runtime()
    _stop_engines(context)
    context.ledger.close()


def _stop_engines(context: Runtime) -> None:
    """Stop what a server left to the next one, but for what a test has ended without a word."""
    for deployment in Deployment.list(context=context):
        with contextlib.suppress(NotFound):
            deployment.stop()
