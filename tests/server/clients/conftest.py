"""Real clients before a real server, with a recorder between them that holds every reply against the contract."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.server.clients.contract import contract as read
from tests.server.clients.recorder import recording
from tests.server.clients.rows import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.clients.contract import Contract
    from tests.server.clients.recorder import Recorder

NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def contract() -> Contract:
    return read()


@pytest.fixture
def recorded(contract: Contract) -> Iterator[Callable[[str], Recorder]]:
    """Stand between clients and a server: `recorded(served.base_url).base_url`. In the end nothing may have been odd but pauses' words."""
    recorders: list[Recorder] = []
    with ExitStack() as stack:

        def start(upstream: str) -> Recorder:
            recorders.append(stack.enter_context(recording(upstream, contract)))
            return recorders[-1]

        yield start
    assert [fault for each in recorders for fault in each.odd if '"paus' not in fault] == []


@pytest.fixture(scope="session")
def node() -> Callable[..., str]:
    """Run one of the programs in node/ with npm's clients."""
    missing = [what for what, there in (("node", shutil.which("node")), ("node_modules", (NODE / "node_modules").is_dir())) if not there]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {missing[0]}: `make test` brings npm's clients where npm is there")

    def run(program: str, **env: str) -> str:
        told = {"PATH": os.environ["PATH"], **env}
        done = subprocess.run(["node", program], cwd=NODE, env=told, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


class Hooked:
    """An address for webhooks that keeps what it is sent."""

    def __init__(self) -> None:
        hooked = self
        self.taken: list[tuple[dict[str, str], bytes]] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hooked.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def wait(self, count: int = 1) -> list[tuple[dict[str, str], bytes]]:
        return until(lambda: self.taken, lambda taken: len(taken) >= count)

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join(5)
        self.server.server_close()


@pytest.fixture
def hooked() -> Iterator[Hooked]:
    receiver = Hooked()
    yield receiver
    receiver.close()
