"""A receiver of webhooks on the loopback, and a book with an order that has ended."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy import select

from anytune.ledger.server_tables import deliveries
from anytune.server.book import Book
from anytune.server.config import ServeConfig
from anytune.server.hooks.sender import Hooks
from anytune.server.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Row

    from anytune.ledger import Ledger

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class Call(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Answers with the statuses of `script` in turn, and 200 after that."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.script: list[int] = []
        self.location = ""
        self.hold = threading.Event()
        self.hold.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.calls.append(Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                receiver.hold.wait(20)
                status = receiver.script.pop(0) if receiver.script else 200
                self.send_response(status)
                if receiver.location:
                    self.send_header("location", receiver.location)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/tuned?team=a"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


class Clock:
    """The real time, and leaps."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def leap(self, **spans: float) -> None:
        self.ahead += timedelta(**spans)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(ledger: Ledger, clock: Clock) -> Book:
    return Book(ledger.database, clock=clock)


@pytest.fixture
def order(book: Book) -> str:
    """An order that runs."""
    row, _ = book.jobs.add("ann", {"model": "starter", "training_file": "file-1"}, "starter", {"backend": "memory", "model": "starter"})
    return book.jobs.change(row.id, stage="submitted", status="running").id


@pytest.fixture
def ended(book: Book, order: str) -> str:
    """An order that succeeded, with one call owed to `team`."""
    book.deliveries.owe(order, "fine_tuning.job.succeeded", "team")
    return book.jobs.change(order, stage="ended", status="succeeded").id


@pytest.fixture
def owed(ledger: Ledger) -> Callable[[], list[Row[Any]]]:
    """Give the rows of calls that are still to be made, due or not."""

    def look() -> list[Row[Any]]:
        with ledger.database.read() as connection:
            return list(connection.execute(select(deliveries).where(deliveries.c.due_at.is_not(None)).order_by(deliveries.c.due_at)))

    return look


@pytest.fixture
def secret() -> str:
    return SECRET


@pytest.fixture
def run_until(book: Book, owed: Callable[[], list[Row[Any]]]) -> Callable[..., None]:
    """Let a sender work until something is so, or nothing is owed, for 10 seconds at most: `run_until(so, team={"url": …})`."""

    def run(so: Callable[[], object] = lambda: not owed(), **webhooks: dict) -> None:
        given = {name: {"secret": SECRET, "private": True} | values for name, values in webhooks.items()}
        sender = Hooks(ServeConfig(backend="memory", webhooks=given), book, Metrics(), look_s=0.02)

        async def story() -> None:
            await sender.start()
            deadline = time.monotonic() + 10
            while not await asyncio.to_thread(so):
                assert time.monotonic() < deadline, "it did not come"
                await asyncio.sleep(0.01)
            await sender.stop()

        asyncio.run(story())

    return run
