"""A resource of Azure on loopback, who may use it, and what to train there."""

from __future__ import annotations

import hashlib
import json
import time

import pytest
from pydantic import SecretStr
from ulid import ULID

from anytune import FineTuneJob
from anytune.backend import DeployOrder, Order
from anytune.errors import NotFound
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.spec import TrainingSpec, spec_hash
from anytune.testing import AzureSimulator, Life, WireFault
from anytune.values import Address, LocalFile, ModelRef
from anytune_azure import AzureBackend
from anytune_azure.arm import Arm
from anytune_azure.deployments import Hosts
from anytune_azure.identity import identity
from anytune_azure.settings import Target

BASE, CREATE = "gpt-4.1-mini-2025-04-14", "POST /fine_tuning/jobs"
LIFE = Life(words=("pending", "running", "running", "running", "succeeded"), tick_s=10.0)
"""By the clock, as real jobs run: what is as observed shows its suffix only in the tuned model's name, so only once it has succeeded."""

MODEL = "gpt-4.1-mini-2025-04-14.ft-0123456789abcdef0123456789abcdef"
SCOPE = "https://management.azure.com/.default"

_NAMES = (
    "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ACCOUNT", "AZURE_SUBSCRIPTION_ID",
    "AZURE_RESOURCE_GROUP", "AZURE_ARM_URL", "AZURE_ARM_TOKEN", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET",
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_settings_of_the_persons_own(monkeypatch):
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sim():
    with AzureSimulator() as one:
        yield one


@pytest.fixture
def target(sim):
    return Target(sim.subscription_id, sim.resource_group, sim.resource)


@pytest.fixture
def arm_for(sim, target):
    """Make a client of the management plane; closed at the end."""
    made = []

    def make(token=None, timeout_s=5.0, **changes):
        who = identity(SCOPE, setting="arm_token", token=token or sim.entra_token)
        made.append(Arm(sim.arm_url, who, target._replace(**changes), timeout_s=timeout_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def arm(arm_for):
    return arm_for()


class Probe:
    """Asks nobody: it says what it was told to, and counts."""

    def __init__(self):
        self.asked = []
        self.answers = True

    def __call__(self, name):
        self.asked.append(name)
        if not self.answers:
            raise NotFound("The API deployment for this resource does not exist.")


@pytest.fixture
def probe():
    return Probe()


@pytest.fixture
def hosts_for(sim, arm_for, probe):
    def make(**options):
        address = lambda name: Address(base_url=sim.base_url, model=name, credential=SecretStr(sim.api_key))  # noqa: E731 - a line
        return Hosts(arm_for(), address=address, **{"probe": probe, **options})

    return make


@pytest.fixture
def hosts(hosts_for):
    return hosts_for()


@pytest.fixture
def order(sim):
    """Make an order to host a model; without one, one that is there already."""

    def make(model=None, name="recipes", ref=None, **options):
        if model is None:
            sim.add_model(model := MODEL)
        return DeployOrder(ref=ref or str(ULID()), model=ModelRef(id=model), name=name, ttl_s=600.0, options=options)

    return make


@pytest.fixture
def until():
    """Poll a deployment until it is in one of the states."""

    def wait(backend, deployment_id, *states, polls=50):
        for _ in range(polls):
            seen = getattr(backend, "poll_deployment", None) or backend.poll
            found = seen(deployment_id)
            if found.state in states:
                return found
            time.sleep(0.01)
        raise AssertionError(f"{deployment_id} is {found.state} ({found.error}), not {states}")

    return wait


@pytest.fixture
def rows():
    """Write a number of rows that Azure takes."""

    def write(path, count=12):
        chats = [
            {"messages": [{"role": "user", "content": f"{number} cups of rice"}, {"role": "assistant", "content": f"rice {number}"}]}
            for number in range(count)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in chats), encoding="utf-8")
        return path

    return write


@pytest.fixture
def described():
    """Describe a file as core does it."""

    def describe(path):
        content = path.read_bytes()
        return LocalFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content), role="train")

    return describe


@pytest.fixture
def train(rows, described, tmp_path):
    return described(rows(tmp_path / "train.jsonl"))


@pytest.fixture
def settings(sim):
    """Everything that a backend needs to train and host at the simulator."""
    return {
        "endpoint": sim.endpoint, "api_key": sim.api_key, "arm_url": sim.arm_url, "arm_token": sim.entra_token,
        "subscription_id": sim.subscription_id, "resource_group": sim.resource_group, "account_name": sim.resource,
    }  # fmt: skip


@pytest.fixture
def backend_for(settings):
    made = []

    def make(**changes):
        made.append(AzureBackend(**(settings | changes)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def submitted(train):
    """Upload, wait for the file as core does, and create a job."""

    def submit(backend, name="recipes"):
        file = backend.upload(train)
        while not backend.file_ready(file):
            pass
        model = "gpt-4.1-mini-2025-04-14"
        spec = TrainingSpec(backend="azure", model=model, train=train.path)
        order = Order(
            ref=str(ULID()),
            ledger="tests",
            sequence=1,
            name=name,
            spec=spec,
            spec_hash=spec_hash(spec, model=model, data={"train": train.sha256}),
            model=model,
            files={"train": file},
            data={"train": train},
        )
        return order, backend.submit(order)

    return submit


@pytest.fixture
def trained(submitted):
    """Give a model that was trained."""

    def train_one(backend, **more):
        _, job = submitted(backend, **more)
        while not (seen := backend.poll(job.id)).status.terminal:
            pass
        assert seen.model is not None, seen.error
        return seen.model

    return train_one


class Bench:
    """A simulated resource, a ledger, and a clock that only sleeping moves: for both of them."""

    def __init__(self, folder, train, profile, *, tick_s=10.0, shows_suffix=True):
        self.folder = folder
        self.train = train
        self.began = time.time()
        self.now = 1000.0
        life = LIFE.model_copy(update={"tick_s": tick_s})
        self.sim = AzureSimulator(profile=profile, life=life, shows_suffix=shows_suffix, clock=lambda: self.began + self.now - 1000.0)
        self.context = self.fresh()

    def fresh(self, ledger="ledger"):
        """Give a runtime as another process would have it."""
        retry = Retry(sleep=self.sleep, clock=lambda: self.now, random=lambda: 1.0)
        return Runtime(ledger_url=f"sqlite:///{self.folder}/{ledger}.db", retry=retry, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds):
        self.now += max(seconds, 0.001)

    def backend(self, **settings):
        return AzureBackend(
            endpoint=self.sim.endpoint,
            api_key=self.sim.api_key,
            arm_url=self.sim.arm_url,
            arm_token=self.sim.entra_token,
            subscription_id=self.sim.subscription_id,
            resource_group=self.sim.resource_group,
            account_name=self.sim.resource,
            **settings,
        )

    def create(self, *, context=None, name="recipes", **settings):
        return FineTuneJob.create(
            backend=self.backend(**settings), model=BASE, train=self.train, name=name, context=context or self.context
        )

    def break_call(self, kind, on=CREATE, **more):
        self.sim.faults = self.sim.faults.with_calls(WireFault(kind=kind, on=on, **more))

    @property
    def live(self):
        """Names of the deployments that the resource has."""
        return [one.name for one in self.sim.deployments.values()]


@pytest.fixture
def bench_of(tmp_path, train, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    made = []

    def make(profile, **more):
        made.append(Bench(tmp_path, train.path, profile, **more))
        return made[-1]

    yield make
    for one in made:
        one.sim.close()
