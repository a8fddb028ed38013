"""Backends over real HTTP, each with the calls that core makes of it, the layer that retries them, and every request counted."""

from __future__ import annotations

import time
from collections import Counter
from types import SimpleNamespace

import pytest

from anytune.backend import DeployOrder
from anytune.retry import Retry
from anytune.testing import AzureSimulator, BackendKit, OpenAISimulator, WireFault, WireFaults
from anytune.testing.simulators.hub import HubSimulator
from anytune.values import ModelRef
from anytune_azure import AzureBackend
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.hub.endpoints import Endpoints
from anytune_openai import OpenAIBackend
from anytune_trl import TRLBackend

MODEL = "gpt-4.1-mini-2025-04-14"
WEIGHTS = {"config.json": '{"model_type": "llama"}', "tokenizer.json": "{}", "model.safetensors": b"\x02" + bytes(7) + b"{}"}
REF = "01KAPV5T6GZ0M3R8D9YQ4W7XCE"


class Wire:
    """One provider, what is asked of it, and what arrived there."""

    def __init__(self, sim, backend, *, reads, writes, creates):
        self.sim, self.backend = sim, backend
        self.reads, self.writes, self.creates = reads, writes, creates
        self.now, self.waits = 1000.0, []

    def retry(self, **settings):
        return Retry(sleep=self._sleep, clock=lambda: self.now, random=lambda: 1.0, **settings)

    def _sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def breaks(self, on="*", kind="error", **more):
        self.sim.faults = WireFaults(calls=(WireFault(kind=kind, on=on, times=10**6, **more),))
        self.sim.requests.clear()

    @property
    def counts(self):
        return Counter(asked.route for asked in self.sim.requests)


@pytest.fixture
def openai_wire(tmp_path):
    with OpenAISimulator() as sim:
        backend = OpenAIBackend(base_url=sim.base_url, api_key=sim.api_key, timeout_s=2.0)
        yield tuned_wire(sim, backend, tmp_path)
        backend.close()


@pytest.fixture
def azure_wire(tmp_path):
    with AzureSimulator() as sim:
        backend = AzureBackend(
            endpoint=sim.endpoint, api_key=sim.api_key, subscription_id=sim.subscription_id, resource_group=sim.resource_group,
            account_name=sim.resource, arm_url=sim.arm_url, arm_token=sim.entra_token, timeout_s=2.0,
        )  # fmt: skip
        wire = tuned_wire(sim, backend, tmp_path)
        sim.add_model("tuned")
        order = DeployOrder(ref=REF, ledger="here", model=ModelRef(id="tuned"), name="tuned", ttl_s=600.0, options={"sku": "developertier"})
        wire.reads |= {"poll_deployment": lambda: backend.poll_deployment("anytune-x"), "list_deployments": backend.list_deployments}
        wire.writes |= {"deploy": lambda: backend.deploy(order), "undeploy": lambda: backend.undeploy("anytune-x")}
        yield wire
        backend.close()


def tuned_wire(sim, backend, folder):
    """Give the calls of a host that fine-tunes in OpenAI's words."""
    kit = BackendKit(lambda: backend, folder=folder, model=MODEL, drive=lambda: None)
    order, job = kit.order(), kit.submitted()[1]
    file = kit.file("other.jsonl", rows=kit.rows[::-1])
    return Wire(
        sim,
        backend,
        reads={
            "poll": lambda: backend.poll(job.id),
            "events": lambda: backend.events(job.id),
            "metrics": lambda: backend.metrics(job.id),
            "checkpoints": lambda: backend.checkpoints(job.id),
            "list_jobs": lambda: backend.list_jobs(10),
            "find": lambda: backend.find(order),
            "find_file": lambda: backend.find_file(file.sha256),
            "file_ready": lambda: backend.file_ready(order.files["train"]),
        },
        writes={
            "cancel": lambda: backend.cancel(job.id),
            "pause": lambda: backend.pause(job.id),
            "resume": lambda: backend.resume(job.id),
            "delete_model": lambda: backend.delete_model(ModelRef(id="tuned")),
        },
        creates={
            "submit": (lambda: backend.submit(order), "POST /fine_tuning/jobs"),
            "upload": (lambda: backend.upload(file), "POST /files"),
        },
    )


@pytest.fixture
def hub_sim(tmp_path, monkeypatch):
    """A Hub that is switched on, and whose library does not sleep between its own tries."""
    from huggingface_hub import close_session, constants, utils

    (tmp_path / "agents.json").write_text('{"standardEnvVars": [], "harnesses": {}}')
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(tmp_path / "agents.json"))
    monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=lambda _: None, time=time.time))
    monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda _: None, time=time.time))
    utils.disable_progress_bars()
    with HubSimulator(user="acme", orgs=(), scheduling_s=3600.0) as sim:
        monkeypatch.setattr(constants, "INFERENCE_ENDPOINTS_ENDPOINT", sim.endpoints_url)
        for name, value in sim.environment().items():
            monkeypatch.setenv(name, value)
        sim.add("model", "acme/tiny", WEIGHTS)
        yield sim
    utils.enable_progress_bars()
    close_session()


@pytest.fixture
def jobs_wire(hub_sim, tmp_path):
    """Hugging Face Jobs."""
    backend = TRLBackend(compute={"type": "hf_jobs", "flavor": "cpu-basic"})
    kit = BackendKit(
        lambda: backend, folder=tmp_path, model="acme/tiny", method={"max_steps": 2}, adapter={"type": "lora", "r": 4}, drive=lambda: None
    )
    order, job = kit.order(), kit.submitted()[1]
    file = kit.file("other.jsonl", rows=kit.rows[::-1])
    yield Wire(
        hub_sim,
        backend,
        reads={
            "poll": lambda: backend.poll(job.id),
            "events": lambda: backend.events(job.id),
            "metrics": lambda: backend.metrics(job.id),
            "list_jobs": lambda: backend.list_jobs(10),
            "find": lambda: backend.find(order),
            "find_file": lambda: backend.find_file(file.sha256),
        },
        writes={"cancel": lambda: backend.cancel(job.id), "pause": lambda: backend.pause(job.id)},
        creates={"submit": (lambda: backend.submit(order), "POST /api/jobs/{namespace}")},
    )
    backend.close()


@pytest.fixture
def endpoints_wire(hub_sim):
    """Inference Endpoints."""
    endpoints = Endpoints(Hub(token=hub_sim.token, endpoint=hub_sim.url, namespace="acme"))
    order = DeployOrder(ref=REF, ledger="here", model=ModelRef(id="acme/tiny"), name="tuned", ttl_s=600.0)
    return Wire(
        hub_sim,
        None,
        reads={"poll": lambda: endpoints.poll("anytune-x"), "list": endpoints.list},
        writes={
            "undeploy": lambda: endpoints.undeploy("anytune-x"),
            "pause": lambda: endpoints.pause("anytune-x"),
            "resume": lambda: endpoints.resume("anytune-x"),
        },
        creates={"deploy": (lambda: endpoints.deploy(order), "POST /endpoints/v2/endpoint/{namespace}")},
    )


@pytest.fixture(params=["openai", "azure", "jobs", "endpoints"])
def wire(request):
    """Each provider in turn."""
    return request.getfixturevalue(f"{request.param}_wire")
