"""The backend runs anytune's conformance suite: real children under a real agent, on the tiny model. Models are published on a simulated Hub."""

from __future__ import annotations

import pytest

from anytune.testing import BackendConformance, BackendKit
from anytune.values import Status
from anytune_huggingface.compute.local import status_of
from anytune_trl import TRLBackend

WORDS = {
    "queued": Status.QUEUED,
    "running": Status.RUNNING,
    "paused": Status.PAUSED,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
}


@pytest.fixture(scope="module", autouse=True)
def anytune_home(tmp_path_factory):
    """Give the module one home: the kit's jobs are shared by its scenarios."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANYTUNE_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def kit(anytune_home, simulated_hub, tiny_model, tmp_path_factory):
    kit = BackendKit(
        TRLBackend,
        folder=tmp_path_factory.mktemp("data"),
        model=str(tiny_model),
        method={"max_steps": 2},
        long={"max_steps": 600, "save_steps": 600},
        poll_s=0.2,
        timeout_s=240,
        statuses=WORDS,
        map_status=status_of,
        secrets=[simulated_hub.token],
        owner="acme",
        repos=lambda: len(simulated_hub.store.all("model")),
        repo_files=lambda repo: simulated_hub.store.get("model", repo).files(),
    )
    yield kit
    kit.close()


class TestTRL(BackendConformance):
    """All scenarios."""
