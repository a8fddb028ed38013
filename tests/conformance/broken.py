"""Backends that are broken on purpose, each with the scenarios that must fail because of it. `test_suite_bites.py` runs this file."""

from __future__ import annotations

import random
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from anytune.backend import Found, RemoteFile
from anytune.errors import NotFound, Rejected
from anytune.testing import BackendConformance, BackendKit, Faults, MemoryBackend
from anytune.testing.life import status_of
from anytune.testing.store import RepoRecord, Store
from anytune.values import Address, Finding, Snapshot, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "canary/7f3a9c1e"
NOWHERE = "http://127.0.0.1:9/v1"


class Broken(MemoryBackend):
    """The memory backend, to be broken in one place; each instance starts from what `MemoryBackend` does."""

    breaks: ClassVar[set[str]]
    map_status = staticmethod(status_of)


class BadName(Broken):
    breaks: ClassVar = {"B01"}
    name = "Memory Backend"


class AccountChanges(Broken):
    breaks: ClassVar = {"B01"}
    numbers = count()

    @property
    def account(self):
        return f"account-{next(self.numbers)}"


class CapabilitiesDrift(Broken):
    breaks: ClassVar = {"B02"}
    numbers = count()

    @property
    def capabilities(self):
        return self._capabilities.model_copy(update={"settle_s": float(next(self.numbers))})


class ShowsItsKey(Broken):
    breaks: ClassVar = {"B03"}

    def __repr__(self):
        return f"Broken({self._key.get_secret_value()})"


class CloseHidesJobs(Broken):
    breaks: ClassVar = {"B04"}
    hidden: ClassVar[set[int]] = set()

    def close(self):
        self.hidden.add(id(self.store))

    def find(self, order):
        if id(self.store) in self.hidden:
            self.hidden.clear()
            return Found(jobs=(), complete=True)
        return super().find(order)


class RefusesGoodSpecs(Broken):
    breaks: ClassVar = {"B05"}

    def check(self, spec, data):
        return [Finding(severity="error", code="mood", message="Not today.")]


class QuoteCreates(Broken):
    breaks: ClassVar = {"B06"}

    def quote(self, spec, stats):
        with self.store.change() as state:
            state.counts["jobs"] = state.counts.get("jobs", 0) + 1
        return super().quote(spec, stats)


class TakesAnyMethod(Broken):
    breaks: ClassVar = {"B07"}

    @property
    def capabilities(self):
        return self._capabilities.model_copy(update={"methods": frozenset({"sft"})})

    def check(self, spec, data):
        return []

    def _accept(self, state, order):
        return


class UploadsNothing(Broken):
    breaks: ClassVar = {"B08", "B68"}

    def upload(self, file):
        path = type("Present", (), {"exists": lambda self: True, "absolute": lambda self: self})()
        return super().upload(file.model_copy(update={"path": path}))


class CreatesTwice(Broken):
    breaks: ClassVar = {"B04", "B09", "B10", "B12", "B13"}

    def submit(self, order):
        super().submit(order)
        return super().submit(order)


class CreatesAnUntaggedExtra(Broken):
    breaks: ClassVar = {"B09"}

    def submit(self, order):
        super().submit(order.model_copy(update={"ref": "lost"}))
        return super().submit(order)


class NeverSeesAll(Broken):
    breaks: ClassVar = {"B09"}

    def find(self, order):
        return super().find(order).model_copy(update={"complete": False})


class ForgetsTheRef(Broken):
    breaks: ClassVar = {"B10"}

    def find(self, order):
        found = super().find(order)
        return found.model_copy(update={"jobs": tuple(job.model_copy(update={"ref": None}) for job in found.jobs)})


class MatchesByName(Broken):
    breaks: ClassVar = {"B11"}

    def find(self, order):
        held = [job for job in self.store.read().jobs.values() if job.name == order.name]
        return super().find(order.model_copy(update={"ref": held[0].ref})) if held else Found(jobs=(), complete=True)


class TrustsTheFilter(Broken):
    """The server ignores the filter, and nothing is matched here."""

    breaks: ClassVar = {"B06", "B08", "B11", "B13"}

    def find(self, order):
        jobs = []
        for job in self.store.read().jobs.values():
            jobs += super().find(order.model_copy(update={"ref": job.ref})).jobs
        return Found(jobs=tuple(jobs), complete=True)


class RemembersInTheInstance(Broken):
    breaks: ClassVar = {"B12"}

    def submit(self, order):
        self.__dict__.setdefault("mine", set()).add(order.ref)
        return super().submit(order)

    def find(self, order):
        return super().find(order) if order.ref in self.__dict__.get("mine", ()) else Found(jobs=(), complete=True)


class AddsTheCancelled(Broken):
    breaks: ClassVar = {"B13"}

    def find(self, order):
        found = super().find(order)
        for job in self.store.read().jobs.values():
            if job.cancelled and job.ref != order.ref:
                found = found.model_copy(update={"jobs": found.jobs + super().find(order.model_copy(update={"ref": job.ref})).jobs})
        return found


class Seen(Broken):
    """Changes what a poll says."""

    def see(self, seen: Snapshot) -> dict[str, Any]:
        raise NotImplementedError

    def poll(self, job_id):
        seen = super().poll(job_id)
        return seen.model_copy(update=self.see(seen))


class StepsBeyondTheEnd(Seen):
    breaks: ClassVar = {"B14"}

    def see(self, seen):
        return {"step": (seen.total_steps or 0) + 1}


class KeyInTheSnapshot(Seen):
    breaks: ClassVar = {"B14"}

    def see(self, seen):
        return {"raw": {"headers": {"authorization": KEY}}}


class CancelsAnything(Broken):
    breaks: ClassVar = {"B15"}

    def cancel(self, job_id):
        if job_id in self.store.read().jobs:
            super().cancel(job_id)


class UnknownIdIsUnknownStatus(Broken):
    breaks: ClassVar = {"B15", "B32"}

    def poll(self, job_id):
        return super().poll(job_id) if job_id in self.store.read().jobs else Snapshot(id=job_id, status=Status.UNKNOWN)


class PausedIsRunning(Broken):
    breaks: ClassVar = {"B16"}
    map_status = staticmethod(lambda word: Status.RUNNING if word == "paused" else status_of(word))


class UnknownIsFailed(Broken):
    breaks: ClassVar = {"B17"}
    map_status = staticmethod(lambda word: Status.FAILED if status_of(word) is Status.UNKNOWN else status_of(word))


class LosesArtifacts(Seen):
    breaks: ClassVar = {"B18", "B64"}

    def see(self, seen):
        return {"model": seen.model and seen.model.model_copy(update={"missing": ("merged",)})}


class NewInstanceForgetsTheEnd(Broken):
    breaks: ClassVar = {"B19", "B64"}

    def poll(self, job_id):
        first = not self.__dict__.get("polled")
        self.__dict__["polled"] = True
        seen = super().poll(job_id)
        return seen.model_copy(update={"status": Status.UNKNOWN}) if first and seen.status.terminal else seen


class EventsNewestFirst(Broken):
    breaks: ClassVar = {"B20", "B21"}

    def events(self, job_id, after=None):
        return super().events(job_id, after)[::-1]


class EventsWithoutZone(Broken):
    breaks: ClassVar = {"B20"}

    def events(self, job_id, after=None):
        return [event.model_copy(update={"at": event.at.replace(tzinfo=None)}) for event in super().events(job_id, after)]


class CursorIsInclusive(Broken):
    breaks: ClassVar = {"B21"}

    def events(self, job_id, after=None):
        return [event for event in super().events(job_id) if after is None or event.id >= after]


class LossIsNaN(Broken):
    breaks: ClassVar = {"B22"}

    def metrics(self, job_id, after=None):
        return [metric.model_copy(update={"values": {"loss": float("nan")}}) for metric in super().metrics(job_id, after)]


class MetricsIgnoreTheCursor(Broken):
    breaks: ClassVar = {"B23"}

    def metrics(self, job_id, after=None):
        return super().metrics(job_id)


class CheckpointsNewestFirst(Broken):
    breaks: ClassVar = {"B24"}

    def checkpoints(self, job_id):
        return super().checkpoints(job_id)[::-1]


class CancelledIsFailed(Seen):
    breaks: ClassVar = {"B25", "B26", "B64"}

    def see(self, seen):
        return {"status": Status.FAILED} if seen.status is Status.CANCELLED else {}


class CancelDoesNothing(Broken):
    breaks: ClassVar = {"B25", "B26"}

    def cancel(self, job_id):
        self.poll(job_id)


class CancelTwiceRaises(Broken):
    breaks: ClassVar = {"B26"}

    def cancel(self, job_id):
        job = self.store.read().jobs.get(job_id)
        if job and job.cancelled:
            raise Rejected("It is cancelled.", backend=self.name)
        super().cancel(job_id)


class CancelAfterTheEndRaises(Broken):
    breaks: ClassVar = {"B27"}

    def cancel(self, job_id):
        job = self.store.read().jobs.get(job_id)
        if job and job.last_word == "succeeded":
            raise Rejected("It has succeeded.", backend=self.name)
        super().cancel(job_id)


class PauseDoesNothing(Broken):
    breaks: ClassVar = {"B28"}

    def pause(self, job_id):
        return


class ResumeCancels(Broken):
    breaks: ClassVar = {"B28"}

    def resume(self, job_id):
        self.cancel(job_id)


class WrongSize(Broken):
    breaks: ClassVar = {"B29"}

    def upload(self, file):
        return super().upload(file).model_copy(update={"size_bytes": 0})


class FilesByName(Broken):
    breaks: ClassVar = {"B30"}

    def upload(self, file):
        held = super().upload(file)
        with self.store.change() as state:
            state.files[file.sha256].id = file.path.name
        return held.model_copy(update={"id": file.path.name})


class FindsAnyFile(Broken):
    breaks: ClassVar = {"B31"}

    def find_file(self, sha256):
        return super().find_file(sha256) or super().find_file(next(iter(self.store.read().files), ""))


class KeyInTheError(Broken):
    breaks: ClassVar = {"B32"}

    def poll(self, job_id):
        try:
            return super().poll(job_id)
        except NotFound as error:
            error.raw = {"authorization": KEY}
            raise


class UnpicklableErrors(Broken):
    breaks: ClassVar = {"B32"}

    def poll(self, job_id):
        class Mine(NotFound):
            pass

        try:
            return super().poll(job_id)
        except NotFound as error:
            raise Mine(error.message, backend=self.name) from None


class SwallowsUndeclared(Broken):
    breaks: ClassVar = {"B33"}

    @property
    def capabilities(self):
        return self._capabilities.model_copy(update={"abilities": self._capabilities.abilities - {"pause"}})

    def pause(self, job_id):
        return


class UndeclaredBreaks(Broken):
    breaks: ClassVar = {"B33"}

    @property
    def capabilities(self):
        return self._capabilities.model_copy(update={"abilities": self._capabilities.abilities - {"metrics"}})

    def metrics(self, job_id, after=None):
        raise AttributeError("metrics")


class TranslateRaises(Broken):
    breaks: ClassVar = {"B34"}

    def translate(self, error):
        raise error


class DeploysTwice(Broken):
    breaks: ClassVar = {"B35", "B53"}
    numbers = count()

    def deploy(self, order):
        return super().deploy(order.model_copy(update={"ref": f"{order.ref}-{next(self.numbers)}"}))


class ReadyTooEarly(Broken):
    breaks: ClassVar = {"B36", "B37", "B38", "B40", "B55", "B56"}

    def poll_deployment(self, deployment_id):
        seen = super().poll_deployment(deployment_id)
        return seen.model_copy(update={"address": seen.address and seen.address.model_copy(update={"base_url": NOWHERE})})


class StreamDiffers(Broken):
    breaks: ClassVar = {"B37", "B55"}

    def deploy(self, order):
        host = super().deploy(order)
        self.store.engines[host.id].reply = lambda *_: f"answer {random.random()}"
        return host


class TakesAnyToken(Broken):
    breaks: ClassVar = {"B38"}

    def deploy(self, order):
        host = super().deploy(order)
        self.store.engines[host.id].token = None
        return host


class UnknownHostIsUnknown(Broken):
    breaks: ClassVar = {"B39"}

    def poll_deployment(self, deployment_id):
        try:
            return super().poll_deployment(deployment_id)
        except NotFound:
            first = next(iter(self.store.read().deployments))
            return super().poll_deployment(first).model_copy(update={"state": "unknown"})


class GoneButAnswering(Broken):
    breaks: ClassVar = {"B40"}

    def undeploy(self, deployment_id):
        with self.store.change() as state:
            state.deployments[deployment_id].state = "gone"


class UndeployTwiceRaises(Broken):
    breaks: ClassVar = {"B41"}

    def undeploy(self, deployment_id):
        if self.store.read().deployments[deployment_id].state in {"stopping", "gone"}:
            raise NotFound("It is gone.", backend=self.name)
        super().undeploy(deployment_id)


class AddressIsWrong(Broken):
    breaks: ClassVar = {"B42"}

    def address(self, model):
        return Address(base_url=NOWHERE, model=model.id)


class CannotContinue(Broken):
    breaks: ClassVar = {"B43", "B60"}

    def submit(self, order):
        if order.model.startswith("memory:"):
            raise Rejected("Only base models.", backend=self.name)
        return super().submit(order)


class DeletesNothing(Broken):
    breaks: ClassVar = {"B44"}

    def delete_model(self, model):
        return


class LearnsTheQuestion(Broken):
    breaks: ClassVar = {"B45"}

    def render(self, spec, rows, *, pieces=True):
        for seen in super().render(spec, rows, pieces=pieces):
            turned = tuple(piece._replace(trained=not piece.trained) for piece in seen.pieces)
            yield seen.model_copy(update={"pieces": turned, "prompt_tokens": seen.trained_tokens, "trained_tokens": seen.prompt_tokens})


class CountsOtherwise(Broken):
    breaks: ClassVar = {"B45"}

    def render(self, spec, rows, *, pieces=True):
        for seen in super().render(spec, rows, pieces=pieces):
            yield seen if pieces else seen.model_copy(update={"prompt_tokens": seen.prompt_tokens + 1})


class ReadsAllRowsFirst(Broken):
    breaks: ClassVar = {"B46"}

    def render(self, spec, rows, *, pieces=True):
        return super().render(spec, list(rows), pieces=pieces)


class ProbeMakesAJob(Broken):
    breaks: ClassVar = {"B47"}

    def probe(self, spec, data):
        with self.store.change() as state:
            state.counts["jobs"] = state.counts.get("jobs", 0) + 1
        return super().probe(spec, data)


class FilesOfTheInstance(Broken):
    breaks: ClassVar = {"B48"}

    def upload(self, file):
        held = super().upload(file)
        self.__dict__.setdefault("mine", set()).add(held.id)
        return held

    def file_ready(self, file):
        held = self.store.read().files.get(file.sha256)
        if held and not held.refused and file.id not in self.__dict__.get("mine", ()):
            raise NotFound(f"No file {file.id!r}.", backend=self.name)
        return super().file_ready(file)


class AnyFileIsReady(Broken):
    breaks: ClassVar = {"B49"}

    def file_ready(self, file):
        try:
            return super().file_ready(file)
        except NotFound:
            return True


class RefusedFilesAreReady(Broken):
    breaks: ClassVar = {"B50"}

    def file_ready(self, file):
        try:
            return super().file_ready(file)
        except Rejected:
            return True


class RefusedFilesAreWaitedFor(Broken):
    breaks: ClassVar = {"B50"}

    def file_ready(self, file):
        try:
            return super().file_ready(file)
        except Rejected:
            return False


class JobsOldestFirst(Broken):
    breaks: ClassVar = {"B51"}

    def list_jobs(self, limit=100):
        return super().list_jobs(1000)[::-1][:limit]


class JobsWithoutRef(Broken):
    breaks: ClassVar = {"B51"}

    def list_jobs(self, limit=100):
        return [job.model_copy(update={"ref": None}) for job in super().list_jobs(limit)]


class LimitIsForAPage(Broken):
    breaks: ClassVar = {"B52"}

    def list_jobs(self, limit=100):
        return super().list_jobs(max(limit, 2))


class GoneHostsAreListed(Broken):
    breaks: ClassVar = {"B53"}

    def list_deployments(self):
        return [self.poll_deployment(row_id) for row_id in self.store.read().deployments]


class HostsOfTheInstance(Broken):
    breaks: ClassVar = {"B53"}

    def deploy(self, order):
        self.__dict__.setdefault("mine", set()).add(order.ref)
        return super().deploy(order)

    def list_deployments(self):
        return [host for host in super().list_deployments() if host.ref in self.__dict__.get("mine", ())]


class LivesForEver(Broken):
    breaks: ClassVar = {"B54"}

    def deploy(self, order):
        return super().deploy(order.model_copy(update={"ttl_s": 3600.0}))


class BaseAnswersForAdapters(Broken):
    breaks: ClassVar = {"B55"}

    def deploy(self, order):
        return super().deploy(order.model_copy(update={"adapters": dict.fromkeys(order.adapters, order.model)}))


class AnswersToAnyName(Broken):
    breaks: ClassVar = {"B56"}

    class Names(dict):
        def __contains__(self, name):
            return True

        def __missing__(self, name):
            return "base"

    def deploy(self, order):
        host = super().deploy(order)
        engine = self.store.engines[host.id]
        engine.models = self.Names(engine.models) if order.adapters else engine.models
        return host


class PublishesPickles(Broken):
    breaks: ClassVar = {"B57"}

    def push(self, model, to):
        pushed = super().push(model, to)
        return pushed.model_copy(update={"files": (*pushed.files, "training_args.bin", "checkpoints/checkpoint-1/model.safetensors")})


class PublishesToAll(Broken):
    breaks: ClassVar = {"B57", "B59"}

    def push(self, model, to):
        return super().push(model, to.model_copy(update={"private": False}))


class CommitsEachTime(Broken):
    breaks: ClassVar = {"B58", "B59", "B60"}

    def push(self, model, to):
        with self.store.change() as state:
            for repo in state.repos.values():
                repo.branches = {
                    name: [*commits[:-1], commits[-1].model_copy(update={"files": {}})] for name, commits in repo.branches.items()
                }
        return super().push(model, to.model_copy(update={"replace": True}))


class MakesARepositoryEachTime(Broken):
    breaks: ClassVar = {"B58"}
    numbers = count()

    def push(self, model, to):
        super().push(model, to.model_copy(update={"repo": f"conformance/draft-{next(self.numbers)}"}))
        return super().push(model, to)


class OpensTheRepository(Broken):
    breaks: ClassVar = {"B59"}

    def push(self, model, to):
        with self.store.change() as state:
            if to.repo in state.repos:
                state.repos[to.repo].private = to.private
        return super().push(model, to)


class OverwritesUnasked(Broken):
    breaks: ClassVar = {"B60"}

    def push(self, model, to):
        return super().push(model, to.model_copy(update={"replace": True}))


class NeverReplaces(Broken):
    breaks: ClassVar = {"B60"}

    def push(self, model, to):
        return super().push(model, to.model_copy(update={"replace": False}))


class PublishesMergedForAdapters(Broken):
    breaks: ClassVar = {"B61"}

    def push(self, model, to):
        return super().push(model, to.model_copy(update={"adapter": False}))


class PublishesAnything(Broken):
    breaks: ClassVar = {"B62"}

    def _maker(self, state, model):
        made = next(iter(state.jobs.values()))
        return next((job for job in state.jobs.values() if model.id == f"memory:{job.id}"), made)


class RepositoryBeforeTheLook(Broken):
    breaks: ClassVar = {"B62"}

    def push(self, model, to):
        with self.store.change() as state:
            state.repos.setdefault(to.repo, RepoRecord(private=to.private))
        return super().push(model, to)


class DiagnoseMakesAJob(Broken):
    breaks: ClassVar = {"B63"}

    def diagnose(self):
        with self.store.change() as state:
            state.counts["jobs"] = state.counts.get("jobs", 0) + 1
        return []


class DiagnoseShowsItsKey(Broken):
    breaks: ClassVar = {"B63"}

    def diagnose(self):
        return [Finding(severity="info", code="key", message=f"The key is {self._key.get_secret_value()}.")]


class DiagnoseRaises(Broken):
    breaks: ClassVar = {"B63"}

    def diagnose(self):
        raise FileNotFoundError("no environment")


class ManyWithoutModel(Broken):
    breaks: ClassVar = {"B64"}

    def poll_many(self, job_ids):
        return {job_id: seen.model_copy(update={"model": None}) for job_id, seen in super().poll_many(job_ids).items()}


class ManyOfTheInstance(Broken):
    breaks: ClassVar = {"B64"}

    def submit(self, order):
        job = super().submit(order)
        self.__dict__.setdefault("mine", set()).add(job.id)
        return job

    def poll_many(self, job_ids):
        return super().poll_many([job_id for job_id in job_ids if job_id in self.__dict__.get("mine", ())])


class UnseenIsFailed(Broken):
    breaks: ClassVar = {"B65"}

    def poll_many(self, job_ids):
        return {job_id: Snapshot(id=job_id, status=Status.FAILED) for job_id in job_ids} | super().poll_many(job_ids)


class ManyGivesAll(Broken):
    breaks: ClassVar = {"B64", "B65"}

    def poll_many(self, job_ids):
        return super().poll_many(list(self.store.read().jobs))


class ManyRefusesStrangers(Broken):
    breaks: ClassVar = {"B65", "B66"}

    def poll_many(self, job_ids):
        return {job_id: self.poll(job_id) for job_id in job_ids}


class OnePageOfIds(Broken):
    breaks: ClassVar = {"B66"}

    def poll_many(self, job_ids):
        return super().poll_many(job_ids[:100])


class RecipeWithoutFiles(Broken):
    breaks: ClassVar = {"B67"}

    def recipe(self, job_id):
        return super().recipe(job_id).model_copy(update={"files": {}})


class DownloadAppends(Broken):
    breaks: ClassVar = {"B68"}

    def download(self, file_id, path):
        before = path.read_bytes() if path.exists() else b""
        got = super().download(file_id, path)
        path.write_bytes(before + path.read_bytes())
        return got


class DownloadGivesAnEmptyFile(Broken):
    breaks: ClassVar = {"B69"}

    def download(self, file_id, path):
        try:
            return super().download(file_id, path)
        except NotFound:
            path.write_bytes(b"")
            return RemoteFile(id=file_id, sha256="", size_bytes=0)


BROKEN = [cls for cls in vars().copy().values() if isinstance(cls, type) and issubclass(cls, Broken) and "breaks" in vars(cls)]


@pytest.fixture(scope="module", params=BROKEN, ids=lambda cls: cls.__name__)
def kit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendKit]:
    store = Store()
    statuses = {word: status_of(word) for word in ("queued", "running", "paused", "succeeded", "failed", "cancelled")}
    kit = BackendKit(
        lambda: request.param(api_key=KEY, store=store),
        folder=tmp_path_factory.mktemp("broken"),
        model="base",
        drive=lambda: None,
        timeout_s=2.0,
        statuses=statuses,
        map_status=request.param.map_status,
        jobs=lambda: store.read().counts.get("jobs", 0),
        secrets=[KEY],
        refused=lambda: request.param(store=store, faults=Faults(file_refused="No JSON.")).upload(kit.file("bad.jsonl", rows=[{}])),
        ttl_s=0.05,
        repos=lambda: len(store.read().repos),
    )
    yield kit
    for engine in store.engines.values():
        engine.close()


class TestBroken(BackendConformance):
    """All scenarios, on all of them."""
