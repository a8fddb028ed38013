"""A ledger, a provider in memory, and time that only moves when somebody sleeps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from anytune import FineTuneJob
from anytune.errors import SubmitInDoubt
from anytune.ledger import Ledger
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Fault, Faults, Life, MemoryBackend

AWAY = Fault(kind="server_error", on="find", times=999)


class Desk:
    """Two ledgers (`other` is a second one) at one provider."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.seconds = 1000.0
        self.slept = 0.0
        self.context = self.ledger("ledger")
        self.other = self.ledger("other")
        self.backend = self.backends(self.memory())

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.seconds += max(seconds, 0.001)

    def ledger(self, name: str) -> Runtime:
        url = f"sqlite:///{self.folder / name}.db"
        retry = Retry(clock=self.clock, sleep=self.sleep, random=lambda: 1.0)
        context = Runtime(ledger_url=url, retry=retry, clock=self.clock, sleep=self.sleep)
        context.__dict__["ledger"] = Ledger.open(url, clock=self.now)
        return context

    def memory(self, *, faults=None, settle_s=0.0, store=None, **able) -> MemoryBackend:
        capabilities = MemoryBackend().capabilities.model_copy(update={"settle_s": settle_s, **able})
        life = Life.of(steps=50)
        return MemoryBackend(life=life, faults=faults, store=store, clock=self.clock, capabilities=capabilities)

    def backends(self, backend):
        """Let all ledgers see this backend under its name, from now on."""
        for context in (self.context, self.other):
            context.backends["memory"] = backend
        self.backend = backend
        return backend

    def faulty(self, *calls, **more):
        """Let the same provider go wrong."""
        settle_s = self.backend.capabilities.settle_s
        return self.backends(self.memory(faults=Faults(calls=calls, **more), store=self.backend.store, settle_s=settle_s))

    def mended(self, **able):
        """Let the same provider work again."""
        settle_s = self.backend.capabilities.settle_s
        return self.backends(self.memory(store=self.backend.store, **{"settle_s": settle_s} | able))

    def settles(self, seconds: float) -> None:
        self.backends(self.memory(store=self.backend.store, settle_s=seconds))

    def create(self, name="recipes", context=None, **more) -> FineTuneJob:
        train = self.folder / "train.jsonl"
        rows = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(12)]
        train.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return FineTuneJob.create(backend="memory", model="m", train=train, name=name, context=context or self.context, **more)

    def doubtful(self, kind="drop_reply", name="recipes"):
        """Leave a job in doubt: the reply was lost (`drop_reply`: it exists; `server_error`: it does not), and nobody could be asked."""
        able = self.backend.capabilities
        self.faulty(Fault(kind=kind, skip=self.backend.calls.get("submit", 0)), AWAY)
        with pytest.raises(SubmitInDoubt):
            self.create(name)
        self.backends(
            MemoryBackend(life=Life.of(steps=50), store=self.backend.store, clock=self.clock, capabilities=able),
        )
        return self.context.ledger.jobs(name=name)[0]

    @property
    def made(self):
        return list(self.backend.store.read().jobs.values())

    @property
    def live(self):
        return [job.id for job in self.made if not job.cancelled]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANYTUNE_CONFIG", str(tmp_path / "anytune.toml"))
    (tmp_path / "anytune.toml").write_text("")
    made = Desk(tmp_path)
    yield made
    made.context.ledger.close()
    made.other.ledger.close()
