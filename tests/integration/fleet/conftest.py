"""Many jobs over the real ledger and the memory backend, with a clock that only sleeping moves."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from anytune import FineTuneJob
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import MemoryBackend

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


class Yard:
    """A ledger, a clock that only sleeping moves, and jobs by the dozen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train = folder / "train.jsonl"
        self.train.write_text((json.dumps(ROW) + "\n") * 2, encoding="utf-8")
        self.now = 1000.0
        self.numbers = count()
        self.slept: list[float] = []
        self.context = self.fresh()

    def fresh(self) -> Runtime:
        """Give a runtime as another process would have it."""
        retry = Retry(sleep=self.sleep, clock=lambda: self.now, random=lambda: 1.0)
        return Runtime(ledger_url=f"sqlite:///{self.folder}/ledger.db", retry=retry, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def backend(self, **settings: Any) -> MemoryBackend:
        return MemoryBackend(clock=lambda: self.now, **settings)

    def jobs(self, backend: MemoryBackend, number: int, **settings: Any) -> list[FineTuneJob]:
        """Send some jobs."""
        given = {"model": "base", "train": self.train} | settings
        return [FineTuneJob.create(backend=backend, context=self.context, name=f"job-{next(self.numbers)}", **given) for _ in range(number)]


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return Yard(tmp_path)
