"""What a place to compute offers a backend: the verbs of the contract, with the program that trains given from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import Field

from anytune.backend import Ability
from anytune.values import Value

if TYPE_CHECKING:
    from anytune.backend import DeployOrder, Found, LocalFile, Order, RemoteDeployment, RemoteFile, RemoteJob
    from anytune.spec import TrainingSpec
    from anytune.values import Checkpoint, Event, Finding, Metric, ModelRef, Quote, Snapshot
    from anytune_huggingface.device import Device
    from anytune_huggingface.hub.client import Hub

__all__ = ["Compute", "Place", "Program"]


class Program(Value):
    """What trains, wherever it runs: `python -m MODULE RUN_DIR` reads `order.json` there and speaks through `anytune.local.Reporter`.

    Attributes:
        backend: The backend that it belongs to.
        module: The module.
        distributions: Our own distributions that it needs: their code goes along into the cloud.
        requirements: What pip has to install for it in the cloud, as requirement lines.
        environment: Additions to its environment.
        passed_env: Further names of the caller's environment that it gets on this machine: no secrets.
        image_commands: What is run while the image of a Space is built, our code on PYTHONPATH: an environment of its own, made beforehand.
    """

    backend: str
    module: str
    distributions: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    passed_env: tuple[str, ...] = ()
    image_commands: tuple[tuple[str, ...], ...] = ()


class Place(Value):
    """What is true of a place, in the words of `anytune.Capabilities`.

    Attributes:
        name: `local`, `hf_jobs` or `spaces`.
        abilities: What it can do with any program.
        tag: Where it keeps the order's ref.
        settle_s: Seconds that its listing may lag behind a create.
        local: It is this machine.
        keeps_ttl: It ends hosts by itself at their time.
    """

    name: str
    abilities: frozenset[Ability]
    tag: Literal["metadata", "suffix", "label", "key"]
    settle_s: float
    local: bool = False
    keeps_ttl: bool = False


class Compute(Protocol):
    """A place to compute. Each verb means what the same verb of `anytune.Backend` means, and raises the same."""

    @property
    def place(self) -> Place:
        """What is true of it."""

    @property
    def account(self) -> str:
        """Whose jobs these are."""

    @property
    def hub(self) -> Hub:
        """The account of the Hub that models are published with."""

    @property
    def device(self) -> Device:
        """What a program computes with there."""

    def check(self, spec: TrainingSpec, model: str) -> list[Finding]:
        """Find what speaks against a run there, beside what the program itself finds."""

    def quote(self, found: Quote) -> Quote:
        """Put the place's prices to a quote."""

    def upload(self, file: LocalFile) -> RemoteFile:
        """Bring a data file there, once for its bytes."""

    def find_file(self, sha256: str) -> RemoteFile | None:
        """Look for a data file."""

    def submit(self, order: Order, program: Program, resolved: dict[str, Any]) -> RemoteJob:
        """Make exactly one job."""

    def find(self, order: Order) -> Found:
        """Look for the jobs of an order."""

    def list_jobs(self, limit: int) -> list[RemoteJob]:
        """List the jobs of the account, newest first."""

    def poll(self, job_id: str) -> Snapshot:
        """Observe a job once."""

    def cancel(self, job_id: str) -> None:
        """Ask for its end."""

    def pause(self, job_id: str) -> None:
        """Ask for a checkpoint and a stop."""

    def resume(self, job_id: str) -> None:
        """Go on from the last checkpoint."""

    def events(self, job_id: str, after: str | None) -> list[Event]:
        """Give what happened after a cursor."""

    def metrics(self, job_id: str, after: int | None) -> list[Metric]:
        """Give the numbers of the steps after one."""

    def checkpoints(self, job_id: str) -> list[Checkpoint]:
        """Give the checkpoints that can be used."""

    def delete_model(self, model: ModelRef) -> None:
        """Delete what a run produced."""

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Start a host."""

    def poll_deployment(self, deployment_id: str) -> RemoteDeployment:
        """Observe a host once."""

    def undeploy(self, deployment_id: str) -> None:
        """Ask for its end."""

    def list_deployments(self) -> list[RemoteDeployment]:
        """List the hosts that carry anytune's mark."""
