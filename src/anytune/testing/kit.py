"""What the conformance suite needs to know of a backend, and what it makes of it: orders with real files, jobs driven to an end."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from ulid import ULID

from anytune.backend import DeployOrder, Order, PushOrder
from anytune.retry import translated
from anytune.spec import TrainingSpec, spec_hash
from anytune.values import LocalFile, ModelRef, Snapshot, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from anytune.backend import Backend, Pushed, RemoteDeployment, RemoteFile, RemoteJob
    from anytune.errors import AnytuneError
    from anytune.values import Address

__all__ = ["BackendKit"]

_ROWS = 16


class BackendKit:
    """One backend under test. Its jobs are made once and shared by the scenarios: give the fixture `scope="module"`.

    Args:
        make: Makes an instance; every call gives one for the same account of the same provider.
        folder: An empty folder for data files.
        model: The base model to tune.
        method: What every spec has as `method`: short, for jobs that shall end.
        long: What replaces parts of `method` in jobs that are cancelled or paused: long enough to be met while they run.
        adapter: What every spec has as `adapter`.
        rows: Training rows; by default 16 short chats (more where `min_rows` asks for it).
        drive: Moves time on between two observations; by default it waits `poll_s`.
        poll_s: Seconds between two observations.
        timeout_s: Seconds for a job to end or a deployment to be ready.
        statuses: The provider's own words with what each one means, from its documentation: an authority beside the code.
        map_status: The backend's function from a word to a status.
        jobs: Counts all jobs that the provider holds, where they can be counted from outside.
        secrets: What must never be seen: keys and tokens that `make` gives to the backend.
        vendor_errors: Exceptions of the vendor's SDK with what `translate` shall make of each one.
        deploy_options: Options of every deployment.
        max_tokens: Longest answer that is asked of a deployment.
        refused: Gives a file that the provider refuses once it has looked at it; None where there is none.
        ttl_s: Seconds to live of a host that nobody ends, where the backend declares `keeps_ttl`.
        owner: Whose repositories the backend may make, where it declares `push`.
        repos: Counts all repositories that the hub holds, where they can be counted from outside.
        repo_files: Gives the names of the files on a repository's main branch, as the hub says.
    """

    def __init__(
        self,
        make: Callable[[], Backend],
        *,
        folder: Path,
        model: str,
        method: Mapping[str, Any] | None = None,
        long: Mapping[str, Any] | None = None,
        adapter: Mapping[str, Any] | None = None,
        rows: Sequence[Mapping[str, Any]] | None = None,
        drive: Callable[[], None] | None = None,
        poll_s: float = 0.05,
        timeout_s: float = 60.0,
        statuses: Mapping[str, Status] | None = None,
        map_status: Callable[[str], Status] | None = None,
        jobs: Callable[[], int] | None = None,
        secrets: Sequence[str] = (),
        vendor_errors: Sequence[tuple[Exception, type[AnytuneError]]] = (),
        deploy_options: Mapping[str, Any] | None = None,
        max_tokens: int = 16,
        refused: Callable[[], RemoteFile] | None = None,
        ttl_s: float = 0.5,
        owner: str = "conformance",
        repos: Callable[[], int] | None = None,
        repo_files: Callable[[str], Iterable[str]] | None = None,
    ) -> None:
        """Keep what was said; nothing is sent yet."""
        self.make = make
        self.backend = make()
        self.folder = folder
        self.model = model
        self.method = {"type": "sft"} | dict(method or {})
        self.long = dict(long or {})
        self.adapter = adapter
        self.rows = rows or _chats(max(_ROWS, self.backend.capabilities.min_rows))
        self.drive = drive or (lambda: time.sleep(poll_s))
        self.timeout_s = timeout_s
        self.statuses = statuses
        self.map_status = map_status
        self.jobs = jobs
        self.secrets = tuple(secret for secret in secrets if secret)
        self.vendor_errors = tuple(vendor_errors)
        self.deploy_options = dict(deploy_options or {})
        self.max_tokens = max_tokens
        self.refused = refused
        self.ttl_s = ttl_s
        self.owner = owner
        self.repos = repos
        self.repo_files = repo_files
        self.jobs_made: int | None = None
        self._sequence = 0
        self._submitted: tuple[Order, RemoteJob] | None = None
        self._cancelled: tuple[Order, RemoteJob] | None = None
        self._another: ModelRef | None = None
        self._pushed: tuple[PushOrder, Pushed] | None = None
        self._deployed: tuple[DeployOrder, RemoteDeployment] | None = None
        self._shared: RemoteDeployment | None = None

    def can(self, ability: str) -> bool:
        """Tell whether the backend declares an ability."""
        return ability in self.backend.capabilities.abilities

    def file(self, name: str = "train.jsonl", rows: Sequence[Mapping[str, Any]] | None = None) -> LocalFile:
        """Write a data file and describe it."""
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows or self.rows), encoding="utf-8")
        content = path.read_bytes()
        return LocalFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content), role="train")

    def spec(self, file: LocalFile, *, method: Mapping[str, Any] | None = None, model: str | None = None) -> TrainingSpec:
        """Make the spec of a run on one file."""
        given: dict[str, Any] = {"method": dict(method or self.method), "name": f"conformance-{self._sequence}"}
        if self.adapter is not None:
            given["adapter"] = dict(self.adapter)
        return TrainingSpec(backend=self.backend.name, model=model or self.model, train=file.path, **given)

    def order(
        self,
        *,
        long: bool = False,
        model: str | None = None,
        method: Mapping[str, Any] | None = None,
        rows: Sequence[Mapping[str, Any]] | None = None,
    ) -> Order:
        """Make an order that was never sent, with its file uploaded as core does it.

        Args:
            long: For a job that shall be met while it runs.
            model: Another model than the kit's.
            method: Another method than the kit's.
            rows: Other rows than the kit's.
        """
        self._sequence += 1
        file = self.file(rows=rows)
        spec = self.spec(file, method=method or (self.method | self.long if long else self.method), model=model)
        return Order(
            ref=str(ULID()),
            ledger="conformance",
            sequence=self._sequence,
            name=spec.job_name,
            spec=spec,
            spec_hash=spec_hash(spec, model=model or self.model, data={"train": file.sha256}),
            model=model or self.model,
            files={"train": self.uploaded(file)} if self.can("upload") else {},
            data={"train": file},
        )

    def uploaded(self, file: LocalFile) -> RemoteFile:
        """Upload a file, and wait until it can be trained on.

        Raises:
            AssertionError: It cannot, within `timeout_s`.
        """
        held = self.backend.upload(file)
        deadline = time.monotonic() + self.timeout_s
        while not self.backend.file_ready(held):
            if time.monotonic() > deadline:
                raise AssertionError(f"The file {held.id!r} is not ready after {self.timeout_s} s.")
            self.drive()
        return held

    def submitted(self) -> tuple[Order, RemoteJob]:
        """Give the shared job, in whatever state it is."""
        if self._submitted is None:
            order = self.order()
            before = self.jobs() if self.jobs else 0
            self._submitted = order, self.backend.submit(order)
            self.jobs_made = self.jobs() - before if self.jobs else None
        return self._submitted

    def finished(self) -> Snapshot:
        """Give the shared job's last snapshot, once it has succeeded."""
        _, job = self.submitted()
        last = self.until(job.id, lambda seen: seen.status.terminal, "end")
        assert last.status is Status.SUCCEEDED, f"The job ended as {last.status}: {last.error}"
        return last

    def tuned(self) -> ModelRef:
        """Give what the shared job made."""
        model = self.finished().model
        assert model is not None, "A succeeded job gave no model."
        return model

    def another(self) -> ModelRef:
        """Give another model than the shared one: that one trained further, or where this cannot be, the model of a job on other rows."""
        if self._another is None:
            order = self.order(model=self.tuned().id) if self.can("continue") else self.order(rows=self.rows[::-1])
            last = self.until(self.backend.submit(order).id, lambda seen: seen.status.terminal, "end")
            assert last.status is Status.SUCCEEDED, f"It ended as {last.status}: {last.error}"
            assert last.model is not None, "A succeeded job gave no model."
            self._another = last.model
        return self._another

    def cancelled(self) -> tuple[Order, RemoteJob]:
        """Give a job of its own that has been cancelled, and has ended."""
        if self._cancelled is None:
            order = self.order(long=True)
            job = self.backend.submit(order)
            self.backend.cancel(job.id)
            self._cancelled = order, job
        self.until(self._cancelled[1].id, lambda seen: seen.status.terminal, "end after a cancel")
        return self._cancelled

    def forget(self) -> None:
        """Stop the shared deployment and let go of the shared job: its model is about to be deleted."""
        if self._deployed is not None:
            self.undeployed()
        self._submitted = self._pushed = None

    def until(self, job_id: str, wanted: Callable[[Snapshot], bool], what: str) -> Snapshot:
        """Poll a job until a snapshot is as wanted.

        Raises:
            AssertionError: It was not, within `timeout_s`.
        """
        deadline = time.monotonic() + self.timeout_s
        while not wanted(seen := self.backend.poll(job_id)):
            if time.monotonic() > deadline:
                raise AssertionError(f"Job {job_id!r} did not {what} within {self.timeout_s} s; the last status was {seen.status}.")
            self.drive()
        return seen

    def deploy_order(self, *, ttl_s: float = 600.0) -> DeployOrder:
        """Make an order to host the shared job's model for so many seconds."""
        return DeployOrder(ref=str(ULID()), model=self.tuned(), name="conformance", ttl_s=ttl_s, options=self.deploy_options)

    def deployed(self) -> tuple[DeployOrder, RemoteDeployment]:
        """Give the shared deployment, ready."""
        if self._deployed is None:
            order = self.deploy_order()
            started = self.backend.deploy(order)
            self._deployed = order, self.until_deployment(started.id, {"ready", "failed", "gone"})
        assert self._deployed[1].state == "ready", f"The deployment is {self._deployed[1].state}: {self._deployed[1].error}"
        return self._deployed

    def push_order(self, **more: Any) -> PushOrder:
        """Make an order to publish in a repository that does not exist yet."""
        return PushOrder(repo=f"{self.owner}/anytune-{str(ULID())[-10:].lower()}", **more)

    def pushed(self) -> tuple[PushOrder, Pushed]:
        """Give the shared repository, which holds the shared job's model."""
        if self._pushed is None:
            order = self.push_order()
            self._pushed = order, self.backend.push(self.tuned(), order)
        return self._pushed

    def repush(self) -> None:
        """Put the shared job's model back into the shared repository, after another one has taken its place."""
        order, _ = self.pushed()
        self._pushed = order, self.backend.push(self.tuned(), order.model_copy(update={"replace": True}))

    def shared(self, names: Sequence[str]) -> Address:
        """Give the address of the shared host of the kit's base, ready, with the shared job's model as an adapter under each name."""
        if self._shared is None:
            order = self.deploy_order()
            adapters = dict.fromkeys(names, order.model)
            started = self.backend.deploy(order.model_copy(update={"model": ModelRef(id=self.model), "adapters": adapters}))
            self._shared = self.until_deployment(started.id, {"ready", "failed", "gone"})
        assert self._shared.address is not None, f"The shared host is {self._shared.state}: {self._shared.error}"
        return self._shared.address

    def undeployed(self) -> RemoteDeployment:
        """Stop the shared deployment and give its last observation, confirmed gone."""
        _, host = self.deployed()
        self.backend.undeploy(host.id)
        self._deployed = None
        return self.until_deployment(host.id, {"gone"})

    def until_deployment(self, deployment_id: str, states: set[str]) -> RemoteDeployment:
        """Poll a deployment until it is in one of the states.

        Raises:
            AssertionError: It was not, within `timeout_s`.
        """
        deadline = time.monotonic() + self.timeout_s
        while (seen := self.backend.poll_deployment(deployment_id)).state not in states:
            if time.monotonic() > deadline:
                raise AssertionError(f"Deployment {deployment_id!r} is {seen.state!r} after {self.timeout_s} s, not {sorted(states)}.")
            self.drive()
        return seen

    def refusal(self, call: Callable[[], object]) -> AnytuneError:
        """Make a call that must fail, and give its error as core would see it.

        Raises:
            AssertionError: The call went through.
        """
        try:
            answer = call()
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises is translated, as core does
            return translated(error, self.backend)
        raise AssertionError(f"The call should have been refused, and gave {answer!r}.")

    def close(self) -> None:
        """Stop what the scenarios left running."""
        for host in (self._deployed and self._deployed[1], self._shared):
            if host is not None:
                self.backend.undeploy(host.id)
        self.backend.close()


def _chats(count: int) -> list[dict[str, Any]]:
    foods = ("basil", "rice", "garlic", "salmon", "flour", "butter", "onion", "lentils")
    return [
        {
            "messages": [
                {"role": "user", "content": f"{number + 1} cups of {foods[number % len(foods)]}"},
                {"role": "assistant", "content": foods[number % len(foods)]},
            ]
        }
        for number in range(count)
    ]
