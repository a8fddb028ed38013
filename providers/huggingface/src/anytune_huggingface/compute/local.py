"""This machine: programs and engines are children of its agent."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anytune import local
from anytune.backend import Found, RemoteDeployment, RemoteFile, RemoteJob
from anytune.errors import ConfigError, NotFound, Unsupported
from anytune.paths import home, host
from anytune.values import ModelRef, Snapshot, Status, now
from anytune_huggingface import checkpoints, files
from anytune_huggingface.compute import tasks
from anytune_huggingface.compute.place import Place
from anytune_huggingface.device import Device, device
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.order import TrainOrder
from anytune_huggingface.serving import options

if TYPE_CHECKING:
    from anytune.backend import DeployOrder, LocalFile, Order
    from anytune.spec import TrainingSpec
    from anytune.values import Checkpoint, Event, Finding, Metric, Quote
    from anytune_huggingface.compute.place import Program

__all__ = ["LocalCompute", "status_of"]

_PLACE = Place(
    name="local",
    abilities=frozenset({"upload", "events", "metrics", "checkpoints", "pause", "resume", "deploy", "delete_model", "adapters"}),
    tag="key",
    settle_s=0,
    local=True,
    keeps_ttl=True,
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


class LocalCompute:
    """Runs programs under this machine's agent, and serves with transformers or vLLM."""

    place = _PLACE

    @property
    def account(self) -> str:
        """The machine: a name on another one is another job."""
        return host()

    @cached_property
    def hub(self) -> Hub:
        """The account whose token the environment holds; asked when it is needed."""
        return Hub()

    @property
    def device(self) -> Device:
        """What this machine has."""
        return device()

    def check(self, spec: TrainingSpec, model: str) -> list[Finding]:  # noqa: ARG002 - a program knows its own machine
        """Find nothing: programs look at the machine themselves."""
        return []

    def quote(self, found: Quote) -> Quote:
        """Leave a quote as it is: the machine's own price is its owner's."""
        return found

    def upload(self, file: LocalFile) -> RemoteFile:
        """Keep a copy by its content: the job reads that, whatever becomes of the original."""
        return files.keep(file)

    def find_file(self, sha256: str) -> RemoteFile | None:
        """Look for a copy."""
        return files.kept(sha256)

    def submit(self, order: Order, program: Program, resolved: dict[str, Any]) -> RemoteJob:
        """Put one training task; its id is the job's."""
        local.put(tasks.training(order, program))
        base = TrainOrder.read(tasks.run_dir(order.ref)).model  # of the Hub's, with its commit
        return RemoteJob(id=order.ref, ref=order.ref, spec_hash=order.spec_hash, status=Status.QUEUED, base_model=base, resolved=resolved)

    def find(self, order: Order) -> Found:
        """Look for the task of that id; the view of one's own disk is complete."""
        try:
            local.progress(order.ref)
        except NotFound:
            return Found(jobs=(), complete=True)
        told = TrainOrder.read(tasks.run_dir(order.ref))
        job = RemoteJob(id=order.ref, ref=order.ref, spec_hash=told.spec_hash, status=self.poll(order.ref).status)
        return Found(jobs=(job,), complete=True)

    def list_jobs(self, limit: int) -> list[RemoteJob]:  # noqa: ARG002 - refused
        """Refuse: the ledger lists this machine's jobs.

        Raises:
            Unsupported: Always.
        """
        raise Unsupported("This machine cannot list jobs: they are in the ledger.", fix="`anytune jobs list` shows them.")

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
            raise ConfigError(f"Job {job_id} runs on {elsewhere}.", fix=f"Say `{wish}` there.", job_id=job_id)
        local.ask(job_id, wish)

    def events(self, job_id: str, after: str | None) -> list[Event]:
        """Give what the child said."""
        return local.events(job_id, after)

    def metrics(self, job_id: str, after: int | None) -> list[Metric]:
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
            raise ConfigError(f"{model.id} was not made by a job here, so it is not deleted.", fix="Delete it yourself.")
        tasks.delete(run.resolve())

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Put one serving task; the gate tells when parity held."""
        chosen = options.settings(order)
        local.put(
            local.Task(
                id=order.ref,
                kind="serve",
                name=order.name,
                run_dir=home() / "runs" / order.ref,
                serve=chosen,
                ttl_s=order.ttl_s,
                env=tasks.environment(options.ENV),
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

    def list_deployments(self) -> list[RemoteDeployment]:
        """Refuse: the ledger lists this machine's hosts, and their time ends them.

        Raises:
            Unsupported: Always.
        """
        raise Unsupported("This machine cannot list hosts: they are in the ledger.", fix="`anytune deployments list` shows them.")
