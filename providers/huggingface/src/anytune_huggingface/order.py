"""What a training child is told: one file in its run folder, written before it starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anytune.spec import TrainingSpec
from anytune.values import Value

__all__ = ["DataFile", "TrainOrder"]

_FILE = "order.json"


class DataFile(Value):
    """A data file and the hash that it had when the job was made."""

    path: Path
    sha256: str


class TrainOrder(Value):
    """One run.

    Attributes:
        ref: The job's id.
        name: The job's name.
        attempt: 1, 2, … for one name.
        model: `starter`, an absolute folder or a Hub id.
        spec: The spec, as JSON.
        spec_hash: Its hash.
        data: Files by role.
        host: The machine that it runs on.
        ledger: The ledger that ordered it; only that one may clear it away.
    """

    ref: str
    name: str
    attempt: int = 1
    model: str
    spec: dict[str, Any]
    spec_hash: str
    data: dict[str, DataFile]
    host: str
    ledger: str | None = None

    def training_spec(self) -> TrainingSpec:
        """Give the spec as the user wrote it."""
        return TrainingSpec(**self.spec)

    def write(self, run_dir: Path) -> None:
        """Put the order into a run folder; where one is, it stays."""
        if (run_dir / _FILE).exists():
            return
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = run_dir / f"{_FILE}.tmp"
        scratch.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        scratch.rename(run_dir / _FILE)

    @classmethod
    def read(cls, run_dir: Path) -> TrainOrder:
        """Read the order of a run folder."""
        return cls.model_validate(json.loads((run_dir / _FILE).read_text(encoding="utf-8")))
