"""Fine-tuning jobs: created, listed, watched, held and ended."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.testing.life import Life
from anytune.testing.simulators import course, shapes
from anytune.testing.simulators.files import FileRoutes
from anytune.testing.simulators.models import ModelRoutes
from anytune.testing.simulators.orders import JobOrder, accepted, body_of
from anytune.testing.simulators.paging import page
from anytune.testing.simulators.service import Reply
from anytune.testing.simulators.state import JobRecord
from anytune.testing.simulators.training import Lesson, inspect

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from anytune.testing.simulators.state import CheckpointRecord, EventRecord, ModelRecord

__all__ = ["JobRoutes"]

_METADATA = re.compile(r"metadata\[(.+)\]\Z")
_LARGEST_SEED = 2**31 - 1


class JobRoutes(FileRoutes, ModelRoutes):
    """The verbs of jobs.

    Attributes:
        job_order: The schema of a create's body.
    """

    job_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("POST", "/fine_tuning/jobs", "create_job"),
        ("GET", "/fine_tuning/jobs", "list_jobs"),
        ("GET", "/fine_tuning/jobs/{id}", "retrieve_job"),
        ("POST", "/fine_tuning/jobs/{id}/cancel", "cancel_job"),
        ("POST", "/fine_tuning/jobs/{id}/pause", "pause_job"),
        ("POST", "/fine_tuning/jobs/{id}/resume", "resume_job"),
        ("GET", "/fine_tuning/jobs/{id}/events", "list_events"),
        ("GET", "/fine_tuning/jobs/{id}/checkpoints", "list_checkpoints"),
    )
    job_order: ClassVar[type[JobOrder]] = JobOrder

    def create_job(self, request: Request) -> Reply:
        """Take an order, and look into its files."""
        if self.closed_to_org:
            raise self.refuse("closed")
        body = body_of(request)
        if not self.dialect.null_strings:
            for name in ("suffix", "validation_file"):
                if name in body and body[name] is None:
                    raise self.refuse("null_in_string", param=name)
        order = accepted(self.job_order, body)
        if (reason := self.suits(order.suffix)) is not None:
            raise self.refuse("bad_field", param="suffix", reason=reason)
        if order.method_type == "reinforcement" and (order.method is None or order.method.reinforcement is None):
            raise self.refuse("missing_field", param="method.reinforcement.grader")
        model = self.tunable(request, order.model)
        lesson = self.lesson_of(request, order, model)
        job = self._job_of(request, order, body, model, lesson)
        self.world.jobs[job.id] = job
        course.begin(self, job)
        return self.created(self.job_shape(job), f"/fine_tuning/jobs/{job.id}")

    def list_jobs(self, request: Request) -> Reply:
        """List jobs, newest first; `metadata[key]=value` filters, `metadata=null` gives those without any."""
        now, project = self.clock(), self.project_of(request)
        found = [
            job
            for job in reversed(self.jobs)
            if job.project == project and not job.deleted and now - job.created_at >= self.faults.list_lag_s
        ]
        if self.dialect.keeps_metadata and not self.faults.ignored_filter:
            found = [job for job in found if _passes(request, job)]
        for job in found:
            course.advance(self, job, poll=False)
        cut = page(request, found, lambda job: job.id, default=20, faults=self.faults, nth=len(self.requests))
        more = {} if self.faults.no_has_more else {"has_more": cut.has_more}
        return Reply({"object": "list", "data": [self.job_shape(job) for job in cut.data], **more})

    def retrieve_job(self, request: Request, id: str) -> Reply:  # noqa: A002 - as the template names it
        """Give a job; each time it is a word further, unless its life goes by the clock."""
        return Reply(self.job_shape(self.job(request, id, poll=True)))

    def cancel_job(self, request: Request, id: str) -> Reply:  # noqa: A002
        """End a job."""
        job = self.live(request, id)
        course.cancel(self, job)
        return Reply(self.job_shape(job))

    def pause_job(self, request: Request, id: str) -> Reply:  # noqa: A002
        """Hold a job."""
        job = self.live(request, id)
        if not job.held:
            course.hold(self, job)
        return Reply(self.job_shape(job))

    def resume_job(self, request: Request, id: str) -> Reply:  # noqa: A002
        """Let a held job go on."""
        job = self.live(request, id)
        if not job.held and job.word != "paused":
            raise self.refuse("job_not_paused", job=id)
        course.release(self, job)
        return Reply(self.job_shape(job))

    def list_events(self, request: Request, id: str) -> Reply:  # noqa: A002
        """List what a job said, newest first."""
        job = self.job(request, id)
        cut = page(request, job.events[::-1], lambda event: event.id, default=20)
        return Reply({"object": "list", "data": [self.event_shape(event) for event in cut.data], "has_more": cut.has_more})

    def list_checkpoints(self, request: Request, id: str) -> Reply:  # noqa: A002
        """List a job's checkpoints, newest first."""
        job = self.job(request, id)
        cut = page(request, job.checkpoints[::-1], lambda point: point.id, default=10)
        data = [self.checkpoint_shape(job, point) for point in cut.data]
        ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
        return Reply({"object": "list", "data": data, "has_more": cut.has_more, **ends})

    def job(self, request: Request, id: str, *, poll: bool = False) -> JobRecord:  # noqa: A002
        """Find a job of the request's project, where it is now.

        Raises:
            Refusal: There is none.
        """
        found = self.world.jobs.get(id)
        unseen = found is None or found.deleted or found.project != self.project_of(request)
        if found is None or unseen or self.clock() - found.created_at < self.faults.job_lag_s:
            raise self.refuse("job_not_found", job=id)
        course.advance(self, found, poll=poll)
        return found

    def live(self, request: Request, id: str) -> JobRecord:  # noqa: A002
        """Find a job that has not ended.

        Raises:
            Refusal: There is none, or it has.
        """
        job = self.job(request, id)
        if job.ended:
            raise self.refuse("job_finished", job=id)
        return job

    def tunable(self, request: Request, name: str) -> ModelRecord:
        """Find the model that a job starts from.

        Raises:
            Refusal: No job can start from it.
        """
        found = self.world.models.get(self.full_name(name))
        if found is None or not found.tunable or not self.visible(found, request):
            raise self.refuse("not_tunable", model=name)
        return found

    def lesson_of(self, request: Request, order: JobOrder, model: ModelRecord) -> Lesson:
        """Look into the files of an order.

        Raises:
            Refusal: A file is not there, not for this, or not ready.
        """
        found = None
        for param, name in (("training_file", order.training_file), ("validation_file", order.validation_file)):
            if name is None:
                continue
            self.expire_files()
            file = self.world.files.get(name)
            if file is None or file.deleted or file.purpose != "fine-tune" or file.project != self.project_of(request):
                raise self.refuse("bad_training_file", param=param, file=name)
            if self.file_state(file)[0] != self.dialect.file_words[-1]:
                raise self.refuse("file_not_ready", file=name)
            fewest = 10 if param == "training_file" else 1
            lesson = inspect(file.content, method=order.method_type, model=model.base, file=name, param=param, fewest=fewest)
            found = lesson if found is None or (lesson.error and not found.error) else found
        return found or Lesson([])

    def job_shape(self, job: JobRecord) -> dict[str, Any]:
        """Give a job as JSON."""
        return shapes.job(self, job)

    def event_shape(self, event: EventRecord) -> dict[str, Any]:
        """Give an event as JSON."""
        return shapes.event(self, event)

    def checkpoint_shape(self, job: JobRecord, checkpoint: CheckpointRecord) -> dict[str, Any]:
        """Give a checkpoint as JSON."""
        return shapes.checkpoint(self, job, checkpoint)

    def _job_of(self, request: Request, order: JobOrder, body: dict[str, Any], model: ModelRecord, lesson: Lesson) -> JobRecord:
        life = self.lives[min(len(self.world.jobs), len(self.lives) - 1)]
        if lesson.error is not None:
            life = Life(words=self.dialect.failing, tick_s=life.tick_s)
        job = JobRecord(
            self.new_id("job"), body, model.id, model.base, order.method_type, order.settings, life, self.clock(), self.project_of(request)
        )
        job.seed = order.seed if order.seed is not None else self.drawn(_LARGEST_SEED)
        job.rows, job.tokens, job.error = lesson.rows, lesson.tokens, lesson.error
        job.epochs = shapes.epochs_of(order.settings.get("n_epochs"), len(lesson.rows))
        return job


def _passes(request: Request, job: JobRecord) -> bool:
    if request.args.get("metadata") == "null":
        return not job.metadata
    asked = {match[1]: value for name, value in request.args.items() if (match := _METADATA.match(name))}
    return asked.items() <= job.metadata.items()
