"""A ledger whose clock only sleeping moves, for tests in which hours and days go by."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from anytune import FineTuneJob
from anytune.ledger import Ledger
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import MemoryBackend

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Desk"]

ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


class Desk:
    """A ledger whose clock only sleeping moves, and a training file."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.ahead = 0.0
        """Seconds that somebody set the wall clock forward."""
        self.train = folder / "train.jsonl"
        self.train.write_text("".join(json.dumps(ROW) + "\n" for _ in range(12)))
        self.context = Runtime(retry=Retry(sleep=self.sleep, clock=self.clock, random=lambda: 1.0), clock=self.clock, sleep=self.sleep)
        self.context.__dict__["ledger"] = Ledger.open(f"sqlite:///{folder}/ledger.db", clock=self.wall)

    def clock(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return datetime(2026, 11, 23, 9, tzinfo=UTC) + timedelta(seconds=self.now + self.ahead)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def backend(self, cls: type[MemoryBackend] = MemoryBackend, without: tuple[str, ...] = (), **settings: Any) -> MemoryBackend:
        able = MemoryBackend().capabilities
        able = able.model_copy(update={"abilities": able.abilities - set(without)})
        return cls(clock=self.clock, capabilities=able, **settings)

    def create(self, backend: MemoryBackend, **settings: Any) -> FineTuneJob:
        given: dict[str, Any] = {"model": "base", "train": self.train, "name": "recipes"} | settings
        return FineTuneJob.create(backend=backend, context=self.context, **given)
