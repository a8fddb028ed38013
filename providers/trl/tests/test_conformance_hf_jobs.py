"""The backend runs anytune's conformance suite on Hugging Face Jobs: real training on a simulated Hub, whose Jobs really run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from anytune.testing import BackendConformance, BackendKit
from anytune.testing.simulators.hub import HubSimulator
from anytune.values import Status
from anytune_huggingface.compute.jobs import status_of
from anytune_trl import TRLBackend

pytestmark = pytest.mark.slow

WORDS = {
    "SCHEDULING": Status.QUEUED,
    "RUNNING": Status.RUNNING,
    "COMPLETED": Status.SUCCEEDED,
    "ERROR": Status.FAILED,
    "CANCELED": Status.CANCELLED,
    "DELETED": Status.CANCELLED,
}
COMPUTE = {"type": "hf_jobs", "flavor": "cpu-basic", "timeout": "10m", "look_s": 0.5, "push_s": 0, "quiet_s": 0.3}


@pytest.fixture(scope="module", autouse=True)
def anytune_home(tmp_path_factory):
    """Give the module one home, and switch the Hub on."""
    from huggingface_hub import constants, utils

    home = tmp_path_factory.mktemp("home")
    (home / "agents.json").write_text('{"standardEnvVars": [], "harnesses": {}}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANYTUNE_HOME", str(home))
        patch.setenv("GOMP_SPINCOUNT", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub-cache"))
        patch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        patch.setattr(constants, "AGENT_HARNESSES_PATH", str(home / "agents.json"))
        utils.disable_progress_bars()
        yield home


def served(folder, port):
    """Give the command that serves a model, as an endpoint's container would."""
    return [sys.executable, str(Path(__file__).parent / "programs" / "hosted_engine.py"), str(folder), str(port), "tuned"]


@pytest.fixture(scope="module")
def sim(anytune_home, tiny_model):
    with HubSimulator(user="acme", orgs=(), serve=served) as sim, pytest.MonkeyPatch.context() as patch:
        sim.add("model", "acme/tiny", tiny_model)
        patch.setattr("huggingface_hub.constants.INFERENCE_ENDPOINTS_ENDPOINT", sim.endpoints_url)
        for name, value in sim.environment().items():
            patch.setenv(name, value)
        yield sim


@pytest.fixture(scope="module")
def kit(sim, tmp_path_factory):
    kit = BackendKit(
        lambda: TRLBackend(compute=COMPUTE),
        folder=tmp_path_factory.mktemp("data"),
        model="acme/tiny",
        method={"max_steps": 2},
        long={"max_steps": 300, "save_steps": 300},
        poll_s=0.3,
        timeout_s=240,
        statuses=WORDS,
        map_status=status_of,
        jobs=lambda: len(sim.jobs),
        secrets=[sim.token],
        owner="acme",
        repo_files=lambda repo: sim.store.get("model", repo).files(),
    )
    yield kit
    kit.close()


class TestTRLOnJobs(BackendConformance):
    """All scenarios."""


def over(seen):
    return seen.status.terminal or seen.status is Status.PAUSED


def started(kit, backend, **method):
    order = kit.order(method=kit.method | method)
    return backend.submit(order)


class TestInterrupted:
    """Real training that is cut off."""

    def test_a_killed_job_goes_on_from_the_checkpoint_that_was_pushed(self, sim, kit, until):
        backend = kit.backend
        job = started(kit, backend, max_steps=400, save_steps=20, logging_steps=1)
        until(lambda: backend.checkpoints(job.id), 180)
        sim.crash(job.id)
        until(lambda: over(backend.poll(job.id)), 60)
        held = backend.poll(job.id)
        assert held.status is Status.PAUSED, held.error
        kept = backend.checkpoints(job.id)[-1].step
        backend.resume(job.id)
        until(lambda: over(backend.poll(job.id)), 240)
        last = backend.poll(job.id)
        assert last.status is Status.SUCCEEDED, last.error
        assert f"Going on from checkpoint-{kept}." in [event.message for event in backend.events(job.id)]
        assert [metric.step for metric in backend.metrics(job.id)] == list(range(1, 401))
        assert not [line for each in sim.jobs.values() for line in each.log.lines if sim.token in line.text]

    def test_a_space_trains_the_same(self, sim, kit, until):
        backend = TRLBackend(compute=COMPUTE | {"type": "spaces"})
        job = started(kit, backend)
        until(lambda: over(backend.poll(job.id)), 240)
        last = backend.poll(job.id)
        assert last.status is Status.SUCCEEDED, last.error
        assert last.model.id.startswith(f"acme/{job.id}@")
        assert [metric.step for metric in backend.metrics(job.id)]
