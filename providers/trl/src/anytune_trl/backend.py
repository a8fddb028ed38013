"""The backend itself: it turns anytune's verbs into tasks of this machine's agent. Training and serving happen in children."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from anytune import local
from anytune.backend import Ability, Backend, Capabilities, Found, RemoteDeployment, RemoteFile, RemoteJob
from anytune.codes import finding
from anytune.errors import ConfigError, NotFound, Unsupported
from anytune.paths import home, host
from anytune.values import ModelRef, Quote, Snapshot, Status, now
from anytune_trl import checkpoints, defaults, files, serve, tasks
from anytune_trl.device import device
from anytune_trl.order import TrainOrder
from anytune_trl.plan import Plan, plan
from anytune_trl.probe import probe
from anytune_trl.settings import SETTINGS
from anytune_trl.shown import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from anytune.backend import DataStats, DeployOrder, LocalFile, Order
    from anytune.spec import TrainingSpec
    from anytune.values import Checkpoint, Event, Finding, Metric, Rendered

__all__ = ["TRLBackend", "status_of"]

_ABILITIES: frozenset[Ability] = frozenset(
    {"upload", "events", "metrics", "checkpoints", "pause", "resume", "deploy", "delete_model", "continue", "render", "probe", "adapters"}
)

_STATES: dict[str, Status] = {
    "queued": Status.QUEUED,
    "running": Status.RUNNING,
    "paused": Status.PAUSED,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
}

_HOSTS: dict[str, Literal["starting", "ready", "failed", "stopping", "gone", "unknown"]] = {
    "queued": "starting",
    "starting": "starting",
    "ready": "ready",
    "failed": "failed",
    "stopped": "gone",
    "cancelled": "gone",
}


def status_of(word: str) -> Status:
    """Map the agent's word for a training task."""
    return _STATES.get(word, Status.UNKNOWN)


class TRLBackend(Backend):
    """Trains with TRL and serves with transformers or vLLM, on this machine.

    Args:
        compute: Where: `local` only, for now.

    Raises:
        Unsupported: Another `compute`.
    """

    name: ClassVar[str] = "trl"

    def __init__(self, *, compute: str = "local") -> None:
        """Keep where to compute; nothing is loaded or started."""
        if compute != "local":
            raise Unsupported(f"The trl backend computes locally only, not on {compute!r}.", fix="Leave `compute` out.", backend=self.name)
        self.compute = compute
        self._plans: dict[tuple[object, ...], Plan] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; QLoRA is named and refused by `check` where there is no GPU."""
        return Capabilities(
            methods=frozenset({"sft", "dpo"}),
            adapters=frozenset({"lora", "qlora", "full"}),
            settings=SETTINGS,
            abilities=_ABILITIES,
            tag="key",
            settle_s=0,
            local=True,
            keeps_ttl=True,
        )

    @property
    def account(self) -> str:
        """The machine: a name on another one is another job."""
        return host()

    def check(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> list[Finding]:
        """Resolve the model, render the rows, and look at the machine. Downloads of a Hub model's tokenizer may happen here."""
        offered = self.capabilities.methods
        if spec.method.type not in offered:
            message = f"{self.name} does not offer method {spec.method.type!r}."
            return [finding("method", message, f"It offers: {', '.join(sorted(offered))}.")]
        return list(self._plan(spec, {file.role: file.path for file in data}).findings)

    def quote(self, spec: TrainingSpec, stats: DataStats) -> Quote:  # noqa: ARG002 - it counts with the model's own tokenizer
        """Count tokens exactly; estimate minutes and memory, and say how."""
        data = {"train": spec.train} | ({"validation": spec.validation} if spec.validation else {})
        return self._plan(spec, data).quote() or Quote(basis="the rows or the model cannot be used")

    def _plan(self, spec: TrainingSpec, data: dict[str, Path]) -> Plan:
        marks = tuple((role, str(path.resolve()), path.stat().st_mtime_ns, path.stat().st_size) for role, path in sorted(data.items()))
        key = (spec.model_dump_json(), marks)
        if key not in self._plans:
            self._plans[key] = plan(spec, tasks.absolute(spec.model_for(spec.backend, self.name)), data)
        return self._plans[key]

    def render(self, spec: TrainingSpec, rows: Iterable[tuple[int, dict[str, Any]]], *, pieces: bool = True) -> Iterator[Rendered]:
        """Render rows as training does."""
        return render(spec, tasks.absolute(spec.model_for(spec.backend, self.name)), rows, pieces=pieces)

    def probe(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> Quote:
        """Train for three steps in a child, and keep nothing but the clock and the peak of its memory."""
        found = self._plan(spec, {file.role: file.path for file in data})
        return probe(spec, tasks.absolute(spec.model_for(spec.backend, self.name)), data, found)

    def upload(self, file: LocalFile) -> RemoteFile:
        """Keep a copy by its content: the job reads that, whatever becomes of the original."""
        return files.keep(file)

    def find_file(self, sha256: str) -> RemoteFile | None:
        """Look for a copy."""
        return files.kept(sha256)

    def submit(self, order: Order) -> RemoteJob:
        """Put one training task; its id is the job's."""
        resolved = defaults.resolve(order.spec, device()).model_dump(mode="json")
        task = tasks.training(order)
        local.put(task)
        return RemoteJob(id=order.ref, ref=order.ref, spec_hash=order.spec_hash, status=Status.QUEUED, resolved=resolved)

    def find(self, order: Order) -> Found:
        """Look for the task of that id; the view of one's own disk is complete."""
        try:
            local.progress(order.ref)
        except NotFound:
            return Found(jobs=(), complete=True)
        told = TrainOrder.read(tasks.run_dir(order.ref))
        return Found(
            jobs=(RemoteJob(id=order.ref, ref=order.ref, spec_hash=told.spec_hash, status=self.poll(order.ref).status),), complete=True
        )

    def poll(self, job_id: str) -> Snapshot:
        """Read how far the task is. A job of another host is not judged from here."""
        elsewhere = tasks.other_host(job_id)
        if elsewhere:
            return Snapshot(id=job_id, status=Status.UNKNOWN, host=elsewhere, error=f"The job runs on {elsewhere}: look there.")
        state = local.state(job_id)
        said = local.progress(job_id)
        return Snapshot(
            id=job_id,
            status=status_of(state.status),
            step=said.step if said else None,
            total_steps=said.total_steps if said else None,
            tokens_per_second=said.tokens_per_second if said else None,
            eta_s=said.eta_s if said else None,
            cost_usd=0.0,
            minutes=round(state.ran_s(now()) / 60, 3) if state.started_at else None,
            trained_tokens=said.trained_tokens if said else None,
            peak_memory_bytes=said.peak_memory_bytes if said else None,
            error=state.error,
            model=tasks.model(job_id) if state.status == "succeeded" else None,
            host=host(),
            raw={"task": state.status, "restarts": state.restarts},
        )

    def cancel(self, job_id: str) -> None:
        """Ask for the end; the agent ends the whole process group."""
        self._ask(job_id, "cancel")

    def pause(self, job_id: str) -> None:
        """Ask for a checkpoint and a stop."""
        self._ask(job_id, "pause")

    def resume(self, job_id: str) -> None:
        """Go on from the last good checkpoint."""
        self._ask(job_id, "resume")

    def _ask(self, job_id: str, wish: Literal["cancel", "pause", "resume", "stop"]) -> None:
        elsewhere = tasks.other_host(job_id)
        if elsewhere:
            raise ConfigError(f"Job {job_id} runs on {elsewhere}.", fix=f"Say `{wish}` there.", backend=self.name, job_id=job_id)
        local.ask(job_id, wish)

    def events(self, job_id: str, after: str | None = None) -> list[Event]:
        """Give what the child said."""
        return local.events(job_id, after)

    def metrics(self, job_id: str, after: int | None = None) -> list[Metric]:
        """Give the numbers of each logged step."""
        return local.metrics(job_id, after)

    def checkpoints(self, job_id: str) -> list[Checkpoint]:
        """Give the finished checkpoints."""
        local.progress(job_id)  # NotFound where there is no such task
        return checkpoints.listed(tasks.run_dir(job_id) / "checkpoints")

    def delete_model(self, model: ModelRef) -> None:
        """Delete the folder of a run, and nothing outside of `runs`."""
        folder = Path(model.id)
        run = folder.parent if folder.name == "merged" else folder
        if run.resolve().parent != (home() / "runs").resolve():
            raise ConfigError(f"{model.id} was not made by a job here, so it is not deleted.", fix="Delete it yourself.", backend=self.name)
        tasks.delete(run.resolve())

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Put one serving task; the gate tells when parity held."""
        chosen = serve.settings(order)
        local.put(
            local.Task(
                id=order.ref,
                kind="serve",
                name=order.name,
                run_dir=home() / "runs" / order.ref,
                serve=chosen,
                ttl_s=order.ttl_s,
                env=tasks.environment(serve.ENV),
            )
        )
        return self.poll_deployment(order.ref)

    def poll_deployment(self, deployment_id: str) -> RemoteDeployment:
        """Read how the gate is."""
        try:
            state = local.state(deployment_id)
        except NotFound:
            return RemoteDeployment(id=deployment_id, state="gone", hourly_usd=0.0)
        ready = state.status == "ready"
        address = local.address(deployment_id) if ready else None
        where = "starting" if ready and address is None else _HOSTS.get(state.status, "unknown")
        return RemoteDeployment(
            id=deployment_id,
            state=where,
            address=address,
            hourly_usd=0.0,
            error=state.error,
            raw={"task": state.status, "pid": state.pid or 0},
        )

    def undeploy(self, deployment_id: str) -> None:
        """Ask the gate to end; a host that is not known is gone already."""
        try:
            local.ask(deployment_id, "stop")
        except NotFound:
            return
