"""A program that claims and submits one job, run by the tests as a process of its own; it can stop for good at a named point."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

from anytune.backend import LocalFile
from anytune.ledger import Ledger, submit
from anytune.retry import Retry
from anytune.spec import TrainingSpec, spec_hash
from anytune.testing import MemoryBackend

settings = json.loads(sys.argv[1])


def stop_at(point: str) -> None:
    if settings.get("stop") == point:
        print(f"at {point}", flush=True)
        time.sleep(600)


class Stopping(MemoryBackend):
    def upload(self, file):
        stop_at("upload")
        return super().upload(file)

    def submit(self, order):
        stop_at("before create")
        job = super().submit(order)
        stop_at("after create")
        return job


if "go" in settings:
    Path(settings["go"] + f".{settings['number']}").touch()
    while not Path(settings["go"]).exists():
        time.sleep(0.001)

path = Path(settings["train"])
train = LocalFile(path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), size_bytes=path.stat().st_size, role="train")
spec = TrainingSpec(backend="memory", model="m", train=path)
with Ledger.open() as ledger:
    row, created = ledger.claim(
        backend="memory",
        account="default",
        name=settings["name"],
        profile=None,
        spec=spec,
        spec_hash=spec_hash(spec, model="m", data={"train": train.sha256}),
        model="m",
        data={"train": train},
        host=None,
    )
    print("claimed", flush=True)
    stop_at("intent")
    row = submit(ledger, Stopping(state_file=settings["state"], faults=settings.get("faults")), row, retry=Retry())
    stop_at("submitted")
    print(json.dumps({"id": row.id, "remote_id": row.remote_id, "created": created, "submit_state": row.submit_state}))
