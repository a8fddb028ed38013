"""The receiver of docs/how-to/webhooks.md, as a process of its own, between a real server and a wait."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from tests.server.hooks.test_server import ROWS
from tests.server.waiting import until

from anytune import FineTuneJob, Status, watch_many
from anytune.runtime import Runtime
from anytune_openai import OpenAIBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "webhooks.md"
TRAINING = {"words": ["queued", "running", "running", "running", "succeeded"], "tick_s": 0.6}
PAUSE_S = 120.0
"""Between two looks of those who wait here; without a webhook they would take as long."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Runtime]:
    """A ledger of the waiting side's own."""
    context = Runtime(ledger_url=f"sqlite:///{tmp_path}/desk.db")
    yield context
    for backend in context.backends.values():
        backend.close()
    context.ledger.close()


@pytest.fixture
def address(tmp_path: Path, desk: Runtime, secret: str) -> Iterator[str]:
    """Run the page's receiver on the waiting side's ledger, and give its address."""
    program = tmp_path / "receiver.py"
    shown = re.search(r'^```python title="receiver.py"\n(.*?)^```', PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert shown is not None
    program.write_text(shown[1], encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = os.environ | {"WEBHOOK_SECRET": secret, "ANYTUNE_LEDGER": str(desk.ledger_url)}
    with subprocess.Popen([sys.executable, str(program), str(port)], env=env, stderr=subprocess.PIPE) as process:
        until(lambda: _answers(port), within_s=60.0)
        yield f"http://127.0.0.1:{port}/tuned"
        process.terminate()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


@pytest.fixture
def order(serve: Any, address: str, secret: str, desk: Runtime, tmp_path: Path) -> Callable[[str], FineTuneJob]:
    """Send jobs that take some seconds to a server that calls the receiver."""
    hook = {"url": address, "secret": secret, "private": True}
    server = serve(webhooks={"desk": hook}, options={"life": TRAINING})
    backend = OpenAIBackend(base_url=server.base_url, api_key=server.key)
    train = tmp_path / "rows.jsonl"
    train.write_bytes(ROWS)
    return lambda name: FineTuneJob.create(backend=backend, model="starter", train=train, name=name, context=desk)


def test_a_wait_ends_when_the_webhook_calls(order: Callable[[str], FineTuneJob]) -> None:
    job = order("one")
    began = time.monotonic()
    job.wait(poll_s=PAUSE_S)
    assert job.status is Status.SUCCEEDED
    assert time.monotonic() - began < PAUSE_S / 2


def test_a_watch_of_many_ends_when_the_webhooks_call(order: Callable[[str], FineTuneJob], desk: Runtime) -> None:
    jobs = [order(name) for name in ("one", "two", "three")]
    began = time.monotonic()
    ended = {change.job.name for change in watch_many(jobs, poll_s=PAUSE_S, context=desk) if change.snapshot.status is Status.SUCCEEDED}
    assert ended == {"one", "two", "three"}
    assert time.monotonic() - began < PAUSE_S / 2


def test_the_receiver_refuses_what_is_not_signed_or_too_long(address: str) -> None:
    assert httpx2.post(address, content=b"{}").status_code == 401
    assert httpx2.post(address, content=b"x" * 70_000).status_code == 413
