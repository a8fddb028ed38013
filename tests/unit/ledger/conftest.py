"""A ledger in a home of its own, once in SQLite and once in PostgreSQL; a backend in memory; and time that only moves when somebody sleeps."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from anytune.backend import Capabilities, LocalFile
from anytune.ledger import Ledger, submit
from anytune.ledger.server_tables import metadata
from anytune.retry import Retry
from anytune.spec import SFT, TrainingSpec, spec_hash
from anytune.testing import MemoryBackend

CLIENT = Path(__file__).with_name("client.py")


class Time:
    """Monotonic seconds, and a wall clock beside them that a test may set."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.wall = datetime(2026, 11, 22, 12, tzinfo=UTC)
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.wall + timedelta(seconds=self.seconds - 1000.0)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += max(seconds, 0.001)


@pytest.fixture
def home(database, tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("ANYTUNE_HOME", str(folder))
    return folder


@pytest.fixture
def kept(home):
    """Give everything that the ledger keeps, as bytes: its file, or what PostgreSQL would dump."""

    def contents(ledger):
        if ledger.database.engine.dialect.name == "sqlite":
            return b"".join(path.read_bytes() for path in home.glob("ledger.db*"))
        with ledger.database.read() as connection:
            return "".join(str(connection.execute(select(table)).all()) for table in metadata.sorted_tables).encode()

    return contents


@pytest.fixture
def sound():
    """Check a ledger's integrity."""

    def checked(ledger):
        with ledger.database.read() as connection:
            if connection.dialect.name == "sqlite":
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
                assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []

    return checked


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
def ledger(home, clock):
    with Ledger.open(clock=clock.now) as opened:
        yield opened


@pytest.fixture
def train(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_bytes(b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n')
    return LocalFile(path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), size_bytes=path.stat().st_size, role="train")


@pytest.fixture
def claim(ledger, train):
    """Claim a job; keywords change the spec or the key."""

    def claimed(
        *, new_attempt=False, name="recipes", backend="memory", account="default", model="m", file=train, host=None, estimate=None, **fields
    ):
        spec = TrainingSpec(**{"backend": backend, "model": model, "train": file.path, "method": SFT(num_train_epochs=1)} | fields)
        data = {"train": file}
        digest = spec_hash(spec, model=model, data={"train": file.sha256})
        row, _ = ledger.claim(
            backend=backend,
            account=account,
            name=name,
            profile=None,
            spec=spec,
            spec_hash=digest,
            model=model,
            data=data,
            host=host,
            new_attempt=new_attempt,
            estimate=estimate,
        )
        return row

    return claimed


@pytest.fixture
def memory(clock):
    """Make a memory backend on the test's clock."""

    def made(*, settle_s=0.0, tag="metadata", local=False, cls=MemoryBackend, **options):
        base = MemoryBackend().capabilities
        capabilities = base.model_copy(update={"settle_s": settle_s, "tag": tag, "local": local})
        assert isinstance(capabilities, Capabilities)
        return cls(capabilities=capabilities, clock=clock.monotonic, **options)

    return made


@pytest.fixture
def send(ledger, clock):
    """Submit a row on the test's clock."""

    def sent(row, backend, **options):
        retry = Retry(clock=clock.monotonic, sleep=clock.sleep, random=lambda: 1.0)
        return submit(ledger, backend, row, retry=retry, clock=clock.monotonic, sleep=clock.sleep, **options)

    return sent


@pytest.fixture
def client(home, tmp_path, train):
    """Start real processes that claim and submit one job at a backend in a file; see client.py."""
    started = []
    state = tmp_path / "provider.json"

    def start(*arguments, **settings):
        given = {"state": str(state), "train": str(train.path), "name": "recipes"} | settings
        command = [sys.executable, str(CLIENT), json.dumps(given), *arguments]
        child = subprocess.Popen(
            command, env=os.environ | {"ANYTUNE_HOME": str(home)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(child)
        return child

    def finish(child):
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
        return json.loads(out.splitlines()[-1])

    yield SimpleNamespace(start=start, finish=finish, state=state, provider=lambda: MemoryBackend(state_file=state))
    for child in started:
        child.kill()
        child.communicate()


def until(condition, *, within_s=30.0):
    """Poll a condition with a deadline."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


@pytest.fixture(name="until")
def _until():
    return until
