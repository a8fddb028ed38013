"""A private Docker Space for each job: the same runner as on Jobs, in an image that is built from pinned parts.

The Space has the name of the job's record. The commit of its Dockerfile is what makes the job exist: all before it may be there already, so
that `submit` goes on where it was interrupted, and never makes a second Space. A Space that is PAUSED says nothing about success: the
record does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from anytune.backend import Found, RemoteJob
from anytune.errors import AnytuneError, ConfigError, NotFound, Rejected, Unsupported
from anytune.values import Snapshot, Status
from anytune_huggingface.compute import code, lines
from anytune_huggingface.compute import dockerfile as docker
from anytune_huggingface.compute.clear import clear
from anytune_huggingface.compute.cloud import CloudCompute, CloudSettings, figures
from anytune_huggingface.compute.logs import Logs, last_words
from anytune_huggingface.compute.place import Place
from anytune_huggingface.hub.changes import add
from anytune_huggingface.hub.errors import asking
from anytune_huggingface.hub.record import Record, State

if TYPE_CHECKING:
    from anytune.backend import Order
    from anytune.values import Checkpoint
    from anytune_huggingface.compute.lines import Said
    from anytune_huggingface.compute.place import Program
    from anytune_huggingface.compute.told import CloudOrder
    from anytune_huggingface.hub.client import Hub
    from anytune_huggingface.hub.prices import Sold

__all__ = ["SpaceCompute", "SpaceSettings", "status_of"]

_PLACE = Place(
    name="spaces",
    abilities=frozenset({"upload", "events", "metrics", "checkpoints", "pause", "resume", "delete_model", "deploy", "list_deployments"}),
    tag="key",
    settle_s=0,
)

_STAGES: dict[str, Status] = {
    "NO_APP_FILE": Status.QUEUED,
    "BUILDING": Status.QUEUED,
    "APP_STARTING": Status.QUEUED,
    "RUNNING": Status.RUNNING,
    "RUNNING_BUILDING": Status.RUNNING,
    "RUNNING_APP_STARTING": Status.RUNNING,
    "PAUSED": Status.PAUSED,
    "SLEEPING": Status.PAUSED,
    "STOPPED": Status.PAUSED,
    "BUILD_ERROR": Status.FAILED,
    "CONFIG_ERROR": Status.FAILED,
    "RUNTIME_ERROR": Status.FAILED,
    "DELETING": Status.CANCELLED,
}
"""The Hub's words (huggingface_hub 2.4.0, `SpaceStage`, and SLEEPING of its documentation). What the record says comes first."""

_GONE = "GONE"
_SLEEP_MARGIN_S = 1800.0


def status_of(word: str) -> Status:
    """Map the Hub's word for a Space, where its record says nothing."""
    return _STAGES.get(word, Status.UNKNOWN)


class SpaceSettings(CloudSettings):
    """Settings of the place `spaces`."""

    clean: bool = True
    """Delete the Space once the job has succeeded or was cancelled. One that failed or paused is kept, paused: it costs nothing."""

    clean_data: bool = False
    """Delete the job's data files with it, also where another job would read the same bytes."""


class SpaceCompute(CloudCompute):
    """Runs programs in private Spaces, and serves on Inference Endpoints.

    A job's id is the name of its Space and of its record, without the owner.

    Args:
        settings: Flavor, timeout and so on.
        hub: The account; None: of this environment.
    """

    place = _PLACE
    sold: ClassVar[Sold] = "spaces"

    def __init__(self, settings: SpaceSettings, hub: Hub | None = None) -> None:
        """Keep what is given; nothing is asked."""
        super().__init__(settings, hub)
        self.settings = settings
        self._logs = Logs(self.hub, quiet_s=settings.quiet_s)

    def submit(self, order: Order, program: Program, resolved: dict[str, Any]) -> RemoteJob:
        """Make the record and the Space where they are not there yet, and at last let the Space build."""
        packed = code.bundle(program.distributions)
        self.hub.create(self.data.repo, kind="dataset")  # it may have been made public since the data was sent
        record, told = self.ordered(order, program, resolved, packed)
        if not self._built(record):
            self._make(record, told)  # a change of its variables would start a Space that runs anew
            self._build(record, told, packed)
        return RemoteJob(
            id=_id(record),
            ref=order.ref,
            ledger=order.ledger,
            name=order.name,
            spec_hash=order.spec_hash,
            status=Status.QUEUED,
            base_model=told.model,
            resolved=resolved,
            raw={"url": f"{self.hub.endpoint}/spaces/{record.repo}", "repository": record.url},
        )

    def _make(self, record: Record, order: CloudOrder) -> None:
        """Make the empty Space, with its secret and its variables."""
        told = self.told(record, order.sha256, place="spaces", clean=self.settings.clean, clean_data=self.settings.clean_data)
        free = (price := self.price(told.flavor)) is not None and price.usd_per_hour == 0
        api, token = self.hub.api, self.hub.bearer
        with asking(record.repo):
            api.create_repo(
                record.repo,
                repo_type="space",
                space_sdk="docker",
                private=True,
                exist_ok=True,
                space_hardware=told.flavor,  # type: ignore[arg-type]  # a word that the Hub listed
                space_sleep_time=None if free else int(told.timeout_s + _SLEEP_MARGIN_S),
                token=token,
            )
            if not api.repo_info(record.repo, repo_type="space").private:
                raise Rejected(f"The Space {record.repo} is public.", fix="Delete it, or rename the job.")
            api.add_space_secret(record.repo, "HF_TOKEN", token, token=token)
            for name, value in (told.environment() | self.hub.environment).items():
                api.add_space_variable(record.repo, name, value, token=token)

    def _build(self, record: Record, told: CloudOrder, packed: code.Bundle) -> None:
        """Commit all files of the Space at once: from here on the job exists."""

        def put(sha: str) -> list[Any] | None:
            if self.hub.read(record.repo, docker.DOCKERFILE, kind="space", revision=sha) is not None:
                return None
            return [
                add("README.md", docker.readme(told).encode()),
                add(docker.CODE, packed.content),
                add(docker.REQUIREMENTS, docker.requirements(told).encode()),
                add(docker.DOCKERFILE, docker.dockerfile(self.settings.image, told.program).encode()),
            ]

        self.hub.commit(record.repo, put, f"Job {told.ref}", kind="space")

    def find(self, order: Order) -> Found:
        """Look for the Space of that name; one that is gone has left its record's state."""
        record = Record.of(self.hub, order.name, order.ref)
        try:
            told = record.order()
        except NotFound:
            return Found(jobs=(), complete=True)
        if told.get("ref") != order.ref or (not self._built(record) and record.state() is None):
            return Found(jobs=(), complete=True)
        job = RemoteJob(id=_id(record), ref=order.ref, spec_hash=str(told["spec_hash"]), status=self.poll(_id(record)).status)
        return Found(jobs=(job,), complete=True)

    def list_jobs(self, limit: int) -> list[RemoteJob]:  # noqa: ARG002 - refused
        """Refuse: Spaces of jobs are named in the ledger.

        Raises:
            Unsupported: Always.
        """
        raise Unsupported("Jobs on Spaces are in the ledger.", fix="`anytune jobs list` shows them.")

    # What is seen.

    def poll(self, job_id: str) -> Snapshot:
        """Observe the Space, then the record, whose word comes first."""
        record = self._record(job_id)
        stage, hardware, message = self._runtime(record)
        state = record.state()  # after the Space: one that finished in between is gone, and has left its last word here
        if state is None and not record.exists():
            raise NotFound(f"There is no job {job_id} in {self.hub.namespace}.", fix="Check the id and the namespace.", job_id=job_id)
        status, error = self._status(record, state, stage, message)
        progress = lines.progress(lines.read(self._log(record))) if status is Status.RUNNING else None
        ran_s = state.ran_s if state is not None else None
        return Snapshot(
            id=job_id,
            status=status,
            **figures(progress or state, running=status is Status.RUNNING),
            cost_usd=self._cost(ran_s),
            minutes=round(ran_s / 60, 3) if ran_s else None,
            error=error,
            model=record.model() if status is Status.SUCCEEDED else None,
            raw={"stage": stage, "hardware": hardware or "", "message": message, "url": f"{self.hub.endpoint}/spaces/{record.repo}"},
        )

    def _status(self, record: Record, state: State | None, stage: str, message: str) -> tuple[Status, str]:
        """Give status and why: the record's final word, else what the Space does."""
        if state is not None and state.final:
            return {"finished": Status.SUCCEEDED, "failed": Status.FAILED, "cancelled": Status.CANCELLED}[state.status], state.error
        asked = record.asked()
        if asked is not None and asked.wish == "cancel":
            return Status.CANCELLED, ""
        status = status_of(stage)
        if stage == _GONE:
            return Status.CANCELLED, "Its Space was deleted before the job had ended."
        if status in {Status.QUEUED, Status.RUNNING, Status.UNKNOWN}:
            return status, ""
        held = state is not None and state.status == "paused" and asked is not None and asked.wish == "hold"
        if held and status is Status.PAUSED:
            return Status.PAUSED, ""
        points = record.checkpoints()
        if points or state is not None or status is Status.PAUSED:  # its runner began, and would have said that it failed
            where = f"from {points[-1].id}" if points else "from the start"
            return Status.PAUSED, f"The Space is {stage}{f' ({message})' if message else ''}; `anytune jobs resume` goes on {where}."
        return Status.FAILED, f"The Space is {stage}. {message}\n{self._last_words(record, stage)}".strip()

    def _last_words(self, record: Record, stage: str) -> str:
        try:
            return last_words(self._log(record, "build" if stage == "BUILD_ERROR" else "run"))
        except AnytuneError:
            return ""

    def _runtime(self, record: Record) -> tuple[str, str | None, str]:
        """Give stage, hardware and message of the Space."""
        try:
            with asking(record.repo):
                found = self.hub.api.get_space_runtime(record.repo, token=self.hub.bearer)
        except NotFound:
            return _GONE, None, ""
        return str(getattr(found.stage, "value", found.stage)), found.hardware, str((found.raw or {}).get("errorMessage") or "")

    def _cost(self, ran_s: float | None) -> float | None:
        flavor = self.price(self.settings.flavor)
        return None if flavor is None or ran_s is None else round(ran_s / 3600 * flavor.usd_per_hour, 6)

    def _said(self, job_id: str) -> list[Said]:
        record = self._record(job_id)
        record.order()  # NotFound where there is no such job
        state = record.state()
        over = state is not None and state.final
        try:
            logs = [] if over else [self._log(record)]
        except NotFound:
            logs = []
        return self.said(record, logs)

    def checkpoints(self, job_id: str) -> list[Checkpoint]:
        """Give the checkpoints that are in the record."""
        return self._record(job_id).checkpoints()

    # What is asked.

    def cancel(self, job_id: str) -> None:
        """End the Space; what was pushed stays in the record."""
        record = self._record(job_id)
        record.order()  # NotFound where there is no such job
        state = record.state()
        if state is not None and state.final:
            self._clear(record)
            return
        record.ask("cancel")
        record.put_state(State.cancelled(state))
        self._clear(record)

    def _clear(self, record: Record) -> None:
        clear(record, space=self.settings.clean, data=self.settings.clean_data)

    def pause(self, job_id: str) -> None:
        """Ask for a checkpoint and an end; the runner then pauses its Space."""
        record = self._record(job_id)
        state = record.state()
        if state is None or not (state.final or state.status == "paused"):
            record.ask("hold")

    def resume(self, job_id: str) -> None:
        """Start the Space anew: it goes on from the last checkpoint."""
        record = self._record(job_id)
        state = record.state()
        if state is not None and state.final:
            raise ConfigError(f"Job {job_id} has ended as {state.status}.", fix="Start a new attempt.", job_id=job_id)
        record.ask("resume")
        state = record.state()
        ending = state is not None and state.status == "paused"  # its container looks at no wish any more
        if ending or status_of(self._runtime(record)[0]) in {Status.PAUSED, Status.FAILED}:
            with asking(record.repo):
                self.hub.api.restart_space(record.repo, token=self.hub.bearer)

    # Its parts.

    def _record(self, job_id: str) -> Record:
        return Record(self.hub, f"{self.hub.namespace}/{job_id}")

    def _built(self, record: Record) -> bool:
        try:
            return self.hub.read(record.repo, docker.DOCKERFILE, kind="space") is not None
        except NotFound:
            return False

    def _log(self, record: Record, kind: str = "run") -> list[str]:
        return self._logs.lines(f"/api/spaces/{record.repo}/logs/{kind}")


def _id(record: Record) -> str:
    return record.repo.partition("/")[2]
