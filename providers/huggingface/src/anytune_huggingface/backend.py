"""A backend whose training program runs on a place of the user's choice. What is trained, and how, its subclasses say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from anytune.backend import Ability, Backend, Capabilities
from anytune.codes import finding
from anytune.errors import ConfigError
from anytune.values import Finding, Quote
from anytune_huggingface.compute import tasks
from anytune_huggingface.compute.choice import chosen
from anytune_huggingface.hub.errors import translate
from anytune_huggingface.models.push import push

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from anytune.backend import DataStats, DeployOrder, Found, LocalFile, Order, Pushed, PushOrder, RemoteDeployment, RemoteFile, RemoteJob
    from anytune.errors import AnytuneError
    from anytune.spec import TrainingSpec
    from anytune.values import Checkpoint, Event, Metric, ModelRef, Snapshot
    from anytune_huggingface.compute.place import Program

__all__ = ["ComputeBackend", "Planned"]


class Planned(Protocol):
    """What is known of a run before it is ordered."""

    @property
    def findings(self) -> Sequence[Finding]:
        """What was found in its rows, its settings and on the machine."""

    def quote(self) -> Quote | None:
        """Give tokens, minutes and memory; None where the rows or the model cannot be used."""


P = TypeVar("P", bound=Planned)

_EVERYWHERE: frozenset[Ability] = frozenset({"push"})


class ComputeBackend(Backend, Generic[P]):
    """Runs `program` on a place, and leaves the job's life to the place.

    Attributes:
        program: What trains.
        methods: Types of methods that it trains.
        adapters: Types of adapters that it trains.
        settings: Dotted names of the settings that it knows.
        abilities: What it can do wherever it runs.
        abilities_here: What it can do on this machine only.
        learns: What of a conversation its loss is on.

    Args:
        compute: Where: `local`, `hf_jobs:FLAVOR`, `spaces:FLAVOR`, or a mapping with `type` and the place's settings.

    Raises:
        ConfigError: There is no such place, or a setting of it is wrong.
    """

    program: ClassVar[Program]
    methods: ClassVar[frozenset[str]]
    adapters: ClassVar[frozenset[str]]
    settings: ClassVar[frozenset[str]]
    abilities: ClassVar[frozenset[Ability]] = frozenset()
    abilities_here: ClassVar[frozenset[Ability]] = frozenset()
    learns: ClassVar[Literal["answers", "all"]] = "answers"

    def __init__(self, *, compute: str | Mapping[str, Any] = "local") -> None:
        """Choose where to compute; nothing is loaded, sent or started."""
        self.compute = chosen(compute)
        self._plans: dict[tuple[object, ...], P] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What it can do on its place."""
        place = self.compute.place
        return Capabilities(
            methods=self.methods,
            adapters=self.adapters,
            settings=self.settings,
            abilities=_EVERYWHERE | self.abilities | place.abilities | (self.abilities_here if place.local else frozenset()),
            tag=place.tag,
            settle_s=place.settle_s,
            local=place.local,
            keeps_ttl=place.keeps_ttl,
            learns=self.learns,
        )

    @property
    def account(self) -> str:
        """Whose jobs these are: this machine's, or those of an account of the Hub."""
        return self.compute.account

    def check(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> list[Finding]:
        """Resolve the model, render the rows, and look at the machine. Downloads of a Hub model's tokenizer may happen here."""
        if spec.method.type not in self.methods:
            message = f"{self.name} does not offer method {spec.method.type!r}."
            return [finding("method", message, f"It offers: {', '.join(sorted(self.methods))}.")]
        elsewhere = self.compute.check(spec, self.model(spec))
        try:
            return [*elsewhere, *self.planned(spec, {file.role: file.path for file in data}).findings]
        except ConfigError as error:
            return [*elsewhere, Finding(severity="error", code="options", message=error.message, fix=error.fix)]

    def quote(self, spec: TrainingSpec, stats: DataStats) -> Quote:  # noqa: ARG002 - it counts with the model's own tokenizer
        """Count tokens exactly; estimate minutes and memory, and say how."""
        data = {"train": spec.train} | ({"validation": spec.validation} if spec.validation else {})
        found = self.planned(spec, data).quote()
        return self.compute.quote(found) if found else Quote(basis="the rows or the model cannot be used")

    def model(self, spec: TrainingSpec) -> str:
        """Give the model of a spec, a folder by its absolute path."""
        return tasks.absolute(spec.model_for(spec.backend, self.name))

    def planned(self, spec: TrainingSpec, data: dict[str, Path]) -> P:
        """Give what is known of a run; rows are read once, until a file changes."""
        marks = tuple((role, str(path.resolve()), path.stat().st_mtime_ns, path.stat().st_size) for role, path in sorted(data.items()))
        key = (spec.model_dump_json(), marks)
        if key not in self._plans:
            self._plans[key] = self.plan(spec, self.model(spec), data)
        return self._plans[key]

    def plan(self, spec: TrainingSpec, model: str, data: dict[str, Path]) -> P:
        """Look at a run: its model, its rows, and this machine where it computes here."""
        raise NotImplementedError

    def resolved(self, spec: TrainingSpec) -> dict[str, Any]:
        """Give every setting as the program will take it."""
        raise NotImplementedError

    def upload(self, file: LocalFile) -> RemoteFile:
        """Bring a data file to where the job reads it."""
        return self.compute.upload(file)

    def find_file(self, sha256: str) -> RemoteFile | None:
        """Look for a data file there."""
        return self.compute.find_file(sha256)

    def submit(self, order: Order) -> RemoteJob:
        """Make one job that runs the program."""
        return self.compute.submit(order, self.program, self.resolved(order.spec))

    def find(self, order: Order) -> Found:
        """Look for the jobs of an order."""
        return self.compute.find(order)

    def list_jobs(self, limit: int = 100) -> list[RemoteJob]:
        """List the account's jobs, where the place can."""
        return self.compute.list_jobs(limit)

    def poll(self, job_id: str) -> Snapshot:
        """Observe a job once."""
        return self.compute.poll(job_id)

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job."""
        self.compute.cancel(job_id)

    def pause(self, job_id: str) -> None:
        """Ask for a checkpoint and a stop."""
        self.compute.pause(job_id)

    def resume(self, job_id: str) -> None:
        """Go on from the last good checkpoint."""
        self.compute.resume(job_id)

    def events(self, job_id: str, after: str | None = None) -> list[Event]:
        """Give what the program said."""
        return self.compute.events(job_id, after)

    def metrics(self, job_id: str, after: int | None = None) -> list[Metric]:
        """Give the numbers of each logged step."""
        return self.compute.metrics(job_id, after)

    def checkpoints(self, job_id: str) -> list[Checkpoint]:
        """Give the finished checkpoints."""
        return self.compute.checkpoints(job_id)

    def delete_model(self, model: ModelRef) -> None:
        """Delete what a run produced."""
        self.compute.delete_model(model)

    def push(self, model: ModelRef, to: PushOrder) -> Pushed:
        """Publish a tuned model in a repository of the Hub."""
        return push(self.compute.hub, model, to)

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Start a host."""
        return self.compute.deploy(order)

    def poll_deployment(self, deployment_id: str) -> RemoteDeployment:
        """Observe a host once."""
        return self.compute.poll_deployment(deployment_id)

    def undeploy(self, deployment_id: str) -> None:
        """Ask for the end of a host."""
        self.compute.undeploy(deployment_id)

    def list_deployments(self) -> list[RemoteDeployment]:
        """List the hosts that carry anytune's mark, where the place can."""
        return self.compute.list_deployments()

    def translate(self, error: Exception) -> AnytuneError | None:
        """Turn an exception of the Hub's library into ours."""
        return translate(error)
