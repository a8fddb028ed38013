"""Jobs of the simulated Hub: the command of each really runs, in a process of this machine.

What is not known of the real ones, and decided here (2026-11-23): the words of `status.message`; that `cancel` of a Job that has ended is
refused; that a Job is cancelled with SIGKILL at once; that a time-out ends a Job whatever attempts are left; that secrets are not listed.
Images and volumes are kept and shown but not used: a command finds what this machine has. A command that is not there ends with 127.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from anytune.testing.simulators.hub.cloud import CloudRoutes, Declined, demand, new_id
from anytune.testing.simulators.hub.errors import Refused
from anytune.testing.simulators.hub.machines import Log, Machine, surroundings
from anytune.testing.simulators.hub.prices import JOB_FLAVORS
from anytune.testing.simulators.hub.repos import body_of
from anytune.testing.simulators.hub.shapes import job_shape, metrics_event
from anytune.testing.simulators.service import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Request

__all__ = ["Job", "JobRoutes"]

_TIMEOUT_S = 30 * 60
"""Where an order names none (docs/hub/jobs-pricing.md, read 2026-11-23)."""

_LABEL = re.compile(r"[A-Za-z0-9_-]{0,100}\Z")
_NAME = re.compile(r"[A-Za-z0-9._-]{0,100}\Z")
_ENDED = {"COMPLETED", "CANCELED", "ERROR"}
_SPEC = ("dockerImage", "spaceId", "command", "arguments", "environment", "flavor", "timeoutSeconds", "attempts", "volumes", "expose")


@dataclass
class Job:
    """A Job.

    Attributes:
        id: 24 hex digits.
        owner: The namespace.
        spec: The order, without secrets and labels.
        secrets: Variables that nobody is shown.
        labels: May be replaced.
        at_s: When it was ordered; this and the other times in seconds since 1970.
        initiator: What it was ordered by: `user`, or `duplicated-job` with the id of that one.
        log: What it printed, all attempts together.
        stage: `SCHEDULING`, `RUNNING`, `COMPLETED`, `ERROR` or `CANCELED`.
        machine: The one of the last attempt.
        over: Set when it has ended.
    """

    id: str
    owner: str
    spec: dict[str, Any]
    secrets: dict[str, str] = field(repr=False)
    labels: dict[str, str]
    at_s: float
    initiator: dict[str, Any]
    log: Log
    stage: str = "SCHEDULING"
    message: str | None = None
    started_s: float | None = None
    finished_s: float | None = None
    machine: Machine | None = None
    over: threading.Event = field(default_factory=threading.Event, repr=False)


class JobRoutes(CloudRoutes):
    """The verbs of Jobs.

    Args:
        scheduling_s: Seconds before a Job runs.
        listing_lag_s: Seconds before a listing shows a new Job.
        settings: As for the parts below.

    Attributes:
        jobs: By id, oldest first.
    """

    job_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("GET", "/api/jobs/hardware", "list_job_hardware"),
        ("POST", "/api/jobs/{namespace}", "run_job"),
        ("GET", "/api/jobs/{namespace}", "list_jobs"),
        ("GET", "/api/jobs/{namespace}/{job_id}", "inspect_job"),
        ("GET", "/api/jobs/{namespace}/{job_id}/logs", "job_logs"),
        ("GET", "/api/jobs/{namespace}/{job_id}/metrics", "job_metrics"),
        ("POST", "/api/jobs/{namespace}/{job_id}/cancel", "cancel_job"),
        ("POST", "/api/jobs/{namespace}/{job_id}/duplicate", "rerun_job"),
        ("PUT", "/api/jobs/{namespace}/{job_id}/labels", "update_job_labels"),
    )

    def __init__(self, *, scheduling_s: float = 0.2, listing_lag_s: float = 0.0, **settings: Any) -> None:
        """Have no Jobs."""
        self.scheduling_s = scheduling_s
        self.listing_lag_s = listing_lag_s
        self.jobs: dict[str, Job] = {}
        super().__init__(**settings)

    # What a test does to a Job.

    def preempt(self, job_id: str) -> None:
        """Take the machine away from a Job: killed at once, `ERROR`, whatever attempts are left."""
        with self.lock:
            self._end_job(self.jobs[job_id], "ERROR", "The machine was taken away (simulated)")

    def crash(self, job_id: str) -> None:
        """Let the container of a running Job die, as without memory: exit code 137, and the next attempt if there is one."""
        machine = self.jobs[job_id].machine
        if machine is not None:
            machine.kill()

    # The verbs.

    def run_job(self, request: Request, namespace: str) -> Reply:
        """Take an order."""
        body = body_of(request)
        account = self.acting_for(request, namespace)
        _check(body)
        self.ordering(request, namespace, usd_per_hour=JOB_FLAVORS[body["flavor"]].usd_per_hour)
        if "spaceId" in body:
            self.repo_of(request, body["spaceId"], kind="space")
        initiator = {"type": "user", "id": f"user-{account.user}", "name": account.user}
        spec = {name: body[name] for name in _SPEC if name in body}
        return Reply(self._job_shape(self._begin_job(namespace, spec, body.get("secrets") or {}, body.get("labels") or {}, initiator)))

    def list_jobs(self, request: Request, namespace: str) -> Reply:
        """List Jobs, newest first; `stage` (one of several) and `label` (all of several, `key=value`) filter."""
        self.watching(request, namespace)
        stages, labels = request.args.getlist("stage"), [each.partition("=")[::2] for each in request.args.getlist("label")]
        shown_before = self.clock() - max(self.listing_lag_s, self.faults.list_lag_s)
        found = [
            job
            for job in reversed(self.jobs.values())
            if job.owner == namespace
            and job.at_s <= shown_before
            and (not stages or job.stage in stages)
            and all(job.labels.get(key) == value for key, value in labels)
        ]
        start = request.args.get("cursor", 0, int)
        end = start + self.page_size
        headers = {}
        if end < len(found):
            query = [*((name, value) for name, value in request.args.items(multi=True) if name != "cursor"), ("cursor", str(end))]
            headers["Link"] = f'<{self.url}{request.path}?{urlencode(query)}>; rel="next"'
        return Reply([self._job_shape(job) for job in found[start:end]], headers=headers)

    def inspect_job(self, request: Request, namespace: str, job_id: str) -> Reply:
        """Give a Job."""
        return Reply(self._job_shape(self._job(request, namespace, job_id)))

    def job_logs(self, request: Request, namespace: str, job_id: str) -> Reply:
        """Stream what a Job prints, `tail` lines of what there is and all that comes."""
        return self.stream(request, self._job(request, namespace, job_id).log, tail=request.args.get("tail", None, int))

    def job_metrics(self, request: Request, namespace: str, job_id: str) -> Reply:
        """Stream one measurement a second while a Job runs; of one that has ended there is none (406)."""
        job = self._job(request, namespace, job_id)
        if job.stage in _ENDED:
            raise Declined(406, "The Job has ended (simulated)")
        return Reply(_metrics(job), headers={"Content-Type": "text/event-stream"})

    def cancel_job(self, request: Request, namespace: str, job_id: str) -> Reply:
        """End a Job."""
        job = self._job(request, namespace, job_id, change=True)
        demand(job.stage not in _ENDED, f"The Job is {job.stage} already")
        self._end_job(job, "CANCELED", None)
        return Reply(self._job_shape(job))

    def rerun_job(self, request: Request, namespace: str, job_id: str) -> Reply:
        """Order the same again."""
        job = self._job(request, namespace, job_id)
        self.ordering(request, namespace, usd_per_hour=JOB_FLAVORS[job.spec["flavor"]].usd_per_hour)
        initiator = {"type": "duplicated-job", "id": job.id}
        return Reply(self._job_shape(self._begin_job(namespace, dict(job.spec), dict(job.secrets), dict(job.labels), initiator)))

    def update_job_labels(self, request: Request, namespace: str, job_id: str) -> Reply:
        """Give a Job other labels."""
        job = self._job(request, namespace, job_id, change=True)
        labels = body_of(request).get("labels")
        _check_labels(labels)
        job.labels = dict(labels or {})
        return Reply(self._job_shape(job))

    def list_job_hardware(self, request: Request) -> Reply:  # noqa: ARG002 - a route's shape
        """List machines and prices."""
        return Reply([flavor.shape(name) for name, flavor in JOB_FLAVORS.items()])

    # What happens to a Job.

    def _job(self, request: Request, namespace: str, job_id: str, *, change: bool = False) -> Job:
        self.watching(request, namespace)
        if change:
            self.acting_for(request, namespace)
        job = self.jobs.get(job_id)
        if job is None or job.owner != namespace or self.clock() - job.at_s < self.faults.job_lag_s:
            raise Refused("no_route")
        return job

    def _job_shape(self, job: Job) -> dict[str, Any]:
        return job_shape(job, self.owner_shape(job.owner), self.clock())

    def _begin_job(
        self, owner: str, spec: dict[str, Any], secrets: dict[str, str], labels: dict[str, str], initiator: dict[str, Any]
    ) -> Job:
        now = self.clock()
        job = Job(new_id(now), owner, spec, secrets, labels, now, initiator, Log(self.clock))
        self.jobs[job.id] = job
        self.look_after(f"job-{job.id}", partial(self._live_job, job), partial(self._end_job, job, "ERROR", "closed"))
        return job

    def _live_job(self, job: Job) -> None:
        if job.over.wait(self.scheduling_s):
            return
        deadline = time.monotonic() + job.spec.get("timeoutSeconds", _TIMEOUT_S)
        code: int | None = None
        for _ in range(job.spec.get("attempts", 1)):
            machine = self._enter_job(job)
            if machine is None:
                return
            code = machine.ended(max(0.0, deadline - time.monotonic()))
            if code is None:
                machine.kill()
                machine.ended()
                self._end_job(job, "ERROR", "Job timeout (simulated)")
            elif code == 0:
                self._end_job(job, "COMPLETED", None)
        self._end_job(job, "ERROR", f"Job failed with exit code: {code} (simulated)")

    def _enter_job(self, job: Job) -> Machine | None:
        """Start the next attempt; None: the Job has ended."""
        with self.lock:
            if job.stage in _ENDED:
                return None
            spec, flavor = job.spec, JOB_FLAVORS[job.spec["flavor"]]
            own = {
                "JOB_ID": job.id,
                "ACCELERATOR": spec["flavor"] if flavor.gpus else "none",
                "CPU_CORES": str(flavor.cpus),
                "MEMORY": f"{flavor.ram_gb}Gi",
            }
            space = self.store.get("space", spec["spaceId"]) if "spaceId" in spec else None
            job.machine = Machine(
                [*spec["command"], *spec.get("arguments", ())],
                env=surroundings(self.url, {**own, **spec.get("environment", {}), **job.secrets}),
                log=job.log,
                files=space.files() if space is not None else {},
            )
            job.stage = "RUNNING"
            job.started_s = job.started_s or self.clock()
            job.log.add(f"===== Job started at {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(self.clock()))} =====")
            job.machine.start()
            return job.machine

    def _end_job(self, job: Job, stage: str, message: str | None) -> None:
        """End a Job, unless it has ended."""
        with self.lock:
            if job.stage in _ENDED:
                return
            job.stage, job.message, job.finished_s = stage, message, self.clock()
            job.over.set()
        if job.machine is not None:
            job.machine.kill()
        job.log.close()


def _check(body: dict[str, Any]) -> None:
    command = body.get("command")
    demand(isinstance(command, list) and bool(command) and all(isinstance(word, str) for word in command), '"command" must be words')
    demand(("dockerImage" in body) != ("spaceId" in body), 'Either "dockerImage" or "spaceId" is required')
    demand(body.get("flavor") in JOB_FLAVORS, f'"flavor" must be one of [{", ".join(JOB_FLAVORS)}]')
    for name in ("environment", "secrets"):
        given = body.get(name) or {}
        demand(isinstance(given, dict) and all(isinstance(value, str) for value in given.values()), f'"{name}" must be texts by name')
    for name in ("timeoutSeconds", "attempts"):
        demand(isinstance(body.get(name, 1), int) and body.get(name, 1) > 0, f'"{name}" must be a number above 0')
    _check_labels(body.get("labels"))


def _check_labels(labels: Any) -> None:
    given = labels or {}
    demand(isinstance(given, dict) and all(isinstance(value, str) for value in given.values()), '"labels" must be texts by name')
    for key, value in given.items():
        rule = _NAME if key == "name" else _LABEL
        demand(bool(_LABEL.match(key) and rule.match(value)), f'"labels.{key}" must be at most 100 letters, digits, dashes and underscores')


def _metrics(job: Job) -> Iterator[bytes]:
    while True:
        yield metrics_event(job.machine.used_bytes() if job.machine else 0, JOB_FLAVORS[job.spec["flavor"]])
        if job.over.wait(1.0):
            return
