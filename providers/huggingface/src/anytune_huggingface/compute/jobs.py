"""Hugging Face Jobs: each part of a run is a Job with our labels; checkpoints and the model lie in the job's own private repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from anytune.backend import Found, RemoteJob
from anytune.errors import AnytuneError, ConfigError, NotFound
from anytune.values import Snapshot, Status, now
from anytune_huggingface.compute import claims, code, lines, parts
from anytune_huggingface.compute.cloud import CloudCompute, CloudSettings, figures
from anytune_huggingface.compute.logs import Logs, last_words
from anytune_huggingface.compute.place import Place
from anytune_huggingface.compute.told import TIME_UP, told_in
from anytune_huggingface.hub.errors import asking
from anytune_huggingface.hub.record import Record, State

if TYPE_CHECKING:
    from huggingface_hub import JobInfo

    from anytune.backend import Order
    from anytune.values import Checkpoint
    from anytune_huggingface.compute.lines import Said
    from anytune_huggingface.compute.place import Program
    from anytune_huggingface.hub.client import Hub
    from anytune_huggingface.hub.prices import Sold

__all__ = ["JobsCompute", "JobsSettings", "status_of"]

_PLACE = Place(
    name="hf_jobs",
    abilities=frozenset(
        {"upload", "events", "metrics", "checkpoints", "pause", "resume", "delete_model", "deploy", "list_jobs", "list_deployments"}
    ),
    tag="label",
    settle_s=claims.SETTLE_S,
)

_STAGES: dict[str, Status] = {
    "SCHEDULING": Status.QUEUED,
    "RUNNING": Status.RUNNING,
    "COMPLETED": Status.SUCCEEDED,
    "ERROR": Status.FAILED,
    "CANCELED": Status.CANCELLED,
    "DELETED": Status.CANCELLED,
}
"""The Hub's words (huggingface_hub 2.4.0, `JobStage`). Of a job of ours, what the record says comes before COMPLETED and ERROR."""

_GOES_ON = "`anytune jobs resume` goes on from there"

_WRITTEN_S = 60.0
"""Seconds after a Job's end in which what it wrote last may not be seen yet."""


def status_of(word: str) -> Status:
    """Map the Hub's word for a Job."""
    return _STAGES.get(word, Status.UNKNOWN)


class JobsSettings(CloudSettings):
    """Settings of the place `hf_jobs`."""

    resumes: int = 0
    """How many further Jobs may follow by themselves where the time of one is up; each costs up to the timeout again."""


class JobsCompute(CloudCompute):
    """Runs programs on Hugging Face Jobs, and serves on Inference Endpoints.

    A job's id is that of its first Job; the Jobs after it are found by their labels.

    Args:
        settings: Flavor, timeout and so on.
        hub: The account; None: of this environment.
    """

    place = _PLACE
    sold: ClassVar[Sold] = "jobs"

    def __init__(self, settings: JobsSettings, hub: Hub | None = None) -> None:
        """Keep what is given; nothing is asked."""
        super().__init__(settings, hub)
        self.settings = settings
        self._logs = Logs(self.hub, quiet_s=settings.quiet_s)

    def submit(self, order: Order, program: Program, resolved: dict[str, Any]) -> RemoteJob:
        """Prepare the record, which may be there already, then order exactly one Job."""
        packed = code.bundle(program.distributions)
        code.send(self.hub, self.data.repo, packed)
        record, told = self.ordered(order, program, resolved, packed)
        info = parts.start(self.hub, told, self.told(record, told.sha256, resumes=self.settings.resumes))
        return RemoteJob(
            id=info.id,
            ref=order.ref,
            ledger=order.ledger,
            name=order.name,
            spec_hash=order.spec_hash,
            status=Status.QUEUED,
            created_at=info.created_at,
            base_model=told.model,
            resolved=resolved,
            raw={"url": info.url, "repository": record.url},
        )

    def find(self, order: Order) -> Found:
        """Look for the first Jobs that carry the order's ref."""
        listed = parts.labelled(self.hub, order.ref)
        jobs = [self._job(info, parts.of(info, listed)) for info in listed if parts.number(info) == 1]
        return Found(jobs=tuple(jobs), complete=True)

    def list_jobs(self, limit: int) -> list[RemoteJob]:
        """List the namespace's Jobs, whoever made them; a job of several parts is one."""
        listed = parts.labelled(self.hub, firsts=limit)
        return [self._job(info, parts.of(info, listed)) for info in listed if parts.number(info) == 1]

    def _job(self, first: JobInfo, mine: list[JobInfo]) -> RemoteJob:
        record = self._record(first)
        return RemoteJob(
            id=first.id,
            ref=(first.labels or {}).get(parts.REF),
            ledger=parts.ledger(first),
            name=parts.name(first),
            spec_hash=parts.spec_hash(first),
            status=self._status(mine, record)[0],
            created_at=first.created_at,
            raw={"url": first.url, "parts": len(mine)},
        )

    # What is seen.

    def poll(self, job_id: str) -> Snapshot:
        """Observe the newest part, and what the record says once it has ended."""
        mine = self._parts(job_id)
        record = self._record(mine[0])
        status, state, error = self._status(mine, record)
        progress = lines.progress(lines.read(self._log(mine[-1]))) if status is Status.RUNNING else None
        if record is not None and state is None and progress is None and status is not Status.QUEUED:
            state = _readable(record)
        running = sum(_running_s(info) for info in mine)
        return Snapshot(
            id=job_id,
            status=status,
            **figures(progress or state, running=status is Status.RUNNING),
            cost_usd=self._cost(mine),
            minutes=round(running / 60, 3) if running else None,
            error=error,
            model=record.model() if record is not None and status is Status.SUCCEEDED else None,
            raw={
                "stage": parts.stage(mine[-1]),
                "message": mine[-1].status.message or "",
                "job": mine[-1].id,
                "url": mine[-1].url,
                "part": parts.number(mine[-1]),
                "flavor": str(getattr(mine[-1].flavor, "value", mine[-1].flavor)),
            },
        )

    def _status(self, mine: list[JobInfo], record: Record | None) -> tuple[Status, State | None, str]:
        """Give status, state of the record where it was read, and why."""
        last = mine[-1]
        word = parts.stage(last)
        status = status_of(word)
        if word not in parts.ENDED or record is None:
            return status, None, self._why(last) if status is Status.FAILED else ""
        state = _readable(record)
        if state is not None and state.status == "finished":
            return Status.SUCCEEDED, state, ""
        if status is Status.CANCELLED or (state is not None and state.status == "cancelled"):
            return Status.CANCELLED, state, ""
        if state is not None and state.status == "failed":
            return Status.FAILED, state, state.error
        if state is not None and state.status == "paused" and state.part == parts.number(last):
            ended = last.finished_at
            follows = state.error == TIME_UP and state.part <= self.settings.resumes
            if follows and ended is not None and (now() - ended).total_seconds() < _PLACE.settle_s:
                return Status.QUEUED, state, ""  # its runner orders the next part
            return Status.PAUSED, state, f"{state.error} at step {state.step or 0}; {_GOES_ON}." if state.error else ""
        return self._broken(last, record, state)

    def _broken(self, last: JobInfo, record: Record, state: State | None) -> tuple[Status, State | None, str]:
        """Judge a Job that ended without the record's last word."""
        ended = last.finished_at
        if parts.stage(last) == "COMPLETED" and ended is not None and (now() - ended).total_seconds() < _WRITTEN_S:
            return Status.UNKNOWN, state, "The Job has ended, and its repository does not say how yet."
        try:
            points = record.checkpoints()
        except NotFound:
            return Status.UNKNOWN, state, "The Job has ended, and its repository is gone: whether there was a model is not known."
        if points or state is not None:  # its runner began, and would have said that it failed
            why = last.status.message or "it was interrupted"
            where = points[-1].id if points else "the start"
            return Status.PAUSED, state, f"It stopped ({why}); `anytune jobs resume` goes on from {where}."
        return Status.FAILED, state, self._why(last)

    def _why(self, info: JobInfo) -> str:
        message = info.status.message or f"The Job ended as {parts.stage(info)}."
        try:
            words = last_words(self._log(info))
        except AnytuneError:
            words = ""
        return f"{message}\n{words}".strip()

    def _cost(self, mine: list[JobInfo]) -> float | None:
        """Add up the parts: seconds of running by the price of a minute, as it is today."""
        total = 0.0
        for info in mine:
            flavor = self.price(str(getattr(info.flavor, "value", info.flavor)))
            if flavor is None:
                return None
            total += _running_s(info) / 3600 * flavor.usd_per_hour
        return round(total, 6)

    def _said(self, job_id: str) -> list[Said]:
        mine = self._parts(job_id)
        record = self._record(mine[0])
        cut = [info for info in mine if parts.stage(info) != "COMPLETED" and parts.stage(info) != "SCHEDULING"]
        logs = [self._log_if_there(info) for info in cut]
        return self.said(record, logs) if record is not None else lines.joined(*(lines.read(log) for log in logs))

    def checkpoints(self, job_id: str) -> list[Checkpoint]:
        """Give the checkpoints that are in the record."""
        record = self._record(self._first(job_id))
        return record.checkpoints() if record is not None else []

    # What is asked.

    def cancel(self, job_id: str) -> None:
        """End all parts; what was pushed stays. Of two Jobs of one order, whose record is the same, the other one goes on."""
        mine = self._parts(job_id)
        record = self._record(mine[0])
        if not any(map(_live, mine)) and self._status(mine, record)[0].terminal:
            return
        if record is not None and self._shared(mine, record):
            record = None
        if record is not None:
            record.ask("cancel")  # first: a part that is about to order the next one sees it, and so does that one
            mine = self._parts(job_id)
        for info in filter(_live, mine):
            self._end(info)
        if record is not None:
            record.put_state(State.cancelled(_readable(record), part=parts.number(mine[-1])))

    def _shared(self, mine: list[JobInfo], record: Record) -> bool:
        """Tell whether the record is another Job's too, which has not ended: of two after a late create, core has one cancelled.

        The other one runs, or is paused while this one runs: then this is the one too many, and the record must stay as it is, for the
        other one to go on from. Of two that are both paused the record says nothing of whose it is, and either ends it.
        """
        first = mine[0]
        ref = (first.labels or {}).get(parts.REF)
        if ref is None:
            return False
        listed = parts.labelled(self.hub, ref)
        others = [parts.of(info, listed) for info in listed if parts.number(info) == 1 and info.id != first.id]
        if any(_live(info) for other in others for info in other):
            return True
        return any(map(_live, mine)) and any(not self._status(other, record)[0].terminal for other in others)

    def _end(self, info: JobInfo) -> None:
        try:
            with asking(f"Job {info.id}"):
                self.hub.api.cancel_job(job_id=info.id, namespace=self.hub.namespace, token=self.hub.bearer)
        except AnytuneError:
            if _live(self._first(info.id)):
                raise

    def pause(self, job_id: str) -> None:
        """Ask for a checkpoint and an end."""
        mine = self._parts(job_id)
        if _live(mine[-1]):
            self._ours(mine[0]).ask("hold")

    def resume(self, job_id: str) -> None:
        """Order the next part, once; one that runs goes on."""
        mine = self._parts(job_id)
        record = self._ours(mine[0])
        live = any(map(_live, mine))
        if not live and (status := self._status(mine, record)[0]).terminal:
            raise ConfigError(f"Job {job_id} has ended as {status}.", fix="Start a new attempt.", job_id=job_id)
        record.ask("resume")
        state = _readable(record)  # a container that has said so is about to end, and looks at no wish any more
        if live and not (state is not None and state.status == "paused" and state.part == parts.number(mine[-1])):
            return
        told = self.told(record, told_in(mine[0].environment), part=parts.number(mine[-1]), first=mine[0].id)
        order = told.admitted(record.order())  # the record is where somebody else may write, the first Job's variables are not
        parts.start_next(self.hub, order, told, resumes=self.settings.resumes)

    # Its parts.

    def _first(self, job_id: str) -> JobInfo:
        with asking(f"Job {job_id}"):
            return self.hub.api.inspect_job(job_id=job_id, namespace=self.hub.namespace, token=self.hub.bearer)

    def _parts(self, job_id: str) -> list[JobInfo]:
        """Give a job's parts, oldest first. While the first one runs there is no other."""
        first = self._first(job_id)
        ref = (first.labels or {}).get(parts.REF)
        if ref is None or parts.stage(first) not in parts.ENDED:
            return [first]
        return parts.of(first, parts.labelled(self.hub, ref))

    def _record(self, info: JobInfo) -> Record | None:
        repo = parts.record_of(info)
        return Record(self.hub, repo) if repo else None

    def _ours(self, info: JobInfo) -> Record:
        record = self._record(info)
        if record is None:
            raise ConfigError(f"Job {info.id} was not made by anytune: it cannot pause.", fix="Cancel it instead.", job_id=info.id)
        return record

    def _log_if_there(self, info: JobInfo) -> list[str]:
        """Give the log of a part; an old one may be gone, and the record tells all that was before its last push."""
        try:
            return self._log(info)
        except NotFound:
            return []

    def _log(self, info: JobInfo) -> list[str]:
        path = f"/api/jobs/{self.hub.namespace}/{info.id}/logs"
        return self._logs.lines(path, ended=parts.stage(info) in parts.ENDED)


def _live(info: JobInfo) -> bool:
    return parts.stage(info) not in parts.ENDED


def _readable(record: Record) -> State | None:
    """Give the state of a record; None where it says nothing, or is gone."""
    try:
        return record.state()
    except NotFound:
        return None


def _running_s(info: JobInfo) -> float:
    """Give the seconds that a Job has run."""
    if info.durations is not None and info.durations.running_secs is not None:
        return float(info.durations.running_secs)
    if info.started_at is None:
        return 0.0
    return max(0.0, ((info.finished_at or now()) - info.started_at).total_seconds())
