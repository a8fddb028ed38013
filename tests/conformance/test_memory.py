"""The memory backend runs the conformance suite: in one process, over a file, and with few abilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anytune.backend import Capabilities
from anytune.errors import Unreachable
from anytune.testing import BackendConformance, BackendKit, Faults, MemoryBackend
from anytune.testing.life import status_of
from anytune.testing.store import Store
from anytune.values import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-memory-canary-7f3a9c1e"
STATUSES = {
    "validating_files": Status.QUEUED,
    "queued": Status.QUEUED,
    "running": Status.RUNNING,
    "cancelling": Status.RUNNING,
    "paused": Status.PAUSED,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
}
BARE = Capabilities(methods=frozenset({"sft"}), tag="key", settle_s=0.0)
PLACES = {
    "process": lambda folder: {"store": Store()},
    "file": lambda folder: {"store": Store(folder / "memory.json"), "faults": Faults(ready_polls=1, file_polls=2, ignored_filter=True)},
    "bare": lambda folder: {"store": Store(), "capabilities": BARE, "served": True},
}


@pytest.fixture(scope="module", params=PLACES)
def kit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendKit]:
    folder: Path = tmp_path_factory.mktemp("memory")
    settings = PLACES[request.param](folder)
    store = settings["store"]
    refusing = settings | {"faults": Faults(file_polls=1, file_refused="Line 3 is no JSON.")}
    kit = BackendKit(
        lambda: MemoryBackend(api_key=KEY, **settings),
        folder=folder,
        model="base",
        drive=(lambda: None) if store.path is None else None,
        poll_s=0.02,
        timeout_s=20.0,
        statuses=STATUSES,
        map_status=status_of,
        jobs=lambda: store.read().counts.get("jobs", 0),
        secrets=[KEY],
        vendor_errors=[(ConnectionResetError("reset"), Unreachable)],
        repos=lambda: len(store.read().repos),
        repo_files=lambda repo: store.read().repos[repo].branches["main"][-1].files,
        refused=lambda: MemoryBackend(api_key=KEY, **refusing).upload(kit.file("bad.jsonl", rows=[{"line": 3}])),
    )
    yield kit
    kit.close()
    for engine in store.engines.values():
        engine.close()


class TestMemory(BackendConformance):
    """All scenarios."""
