"""A backend without a trainer: real state, scripted lives, faults on demand, and deployments that really answer on loopback.

It is for tests of what stands on a backend, for trying anytune without cost, and the model to look at when a backend is written.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SecretStr, TypeAdapter

from anytune.backend import Ability, Backend, Capabilities, DataStats, Found, LocalFile, Order, RemoteJob
from anytune.errors import AnytuneError, NotFound, Rejected, Unreachable
from anytune.testing.course import advance, model_of, snapshot, word_of
from anytune.testing.faults import Fault, Faults, raise_refusal
from anytune.testing.filing import Filing
from anytune.testing.hosting import Hosting
from anytune.testing.life import Life, status_of
from anytune.testing.publishing import Publishing
from anytune.testing.rendering import rendered
from anytune.testing.store import JobRecord, Store
from anytune.values import Checkpoint, Event, Finding, Metric, ModelRef, Quote, Snapshot, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from anytune.spec import TrainingSpec
    from anytune.testing.store import State
    from anytune.values import Rendered

__all__ = ["DurableMemoryBackend", "MemoryBackend"]

_ABILITIES: tuple[Ability, ...] = (
    "upload", "events", "metrics", "checkpoints", "pause", "resume", "delete_model", "deploy", "continue", "render", "probe",
    "list_jobs", "list_deployments", "adapters", "push", "poll_many", "recipe",
)  # fmt: skip
_SETTINGS = frozenset(
    {"num_train_epochs", "max_steps", "learning_rate", "per_device_train_batch_size", "seed", "adapter.type", "adapter.r"}
)
_CAPABILITIES = Capabilities(
    methods=frozenset({"sft", "dpo"}),
    adapters=frozenset({"lora", "full"}),
    settings=_SETTINGS,
    abilities=frozenset(_ABILITIES),
    tag="metadata",
    settle_s=0.0,
    keeps_ttl=True,
    scripted=True,
)
_USD_PER_TOKEN = 3e-6


class MemoryBackend(Hosting, Filing, Publishing, Backend):
    """Trains nothing, and says so step by step.

    Every keyword may come from a profile of anytune.toml, with `life` and `faults` as tables.

    Args:
        life: What happens to a job; several: one for each job in the order of creation, the last one for all that follow.
        faults: What goes wrong.
        state_file: A JSON file that other processes may share; None: this process only.
        store: The state of another instance (`other.store`), as at a provider that is asked again.
        clock: Gives seconds since 1970; for lives with `tick_s`, list lags, late commits and TTLs.
        capabilities: What it says that it can do; verbs that are not declared are refused.
        account: Whose jobs these are.
        api_key: A key for tests that look for leaks; nothing asks for it.
        host: What snapshots give as `host`.
        served: Models answer without a deployment of their own.

    Example:
        >>> MemoryBackend(life=Life.of(steps=1)).name
        'memory'
    """

    name: ClassVar[str] = "memory"

    def __init__(
        self,
        *,
        life: Life | Sequence[Life] | Mapping[str, Any] | None = None,
        faults: Faults | Mapping[str, Any] | None = None,
        state_file: Path | str | None = None,
        store: Store | None = None,
        clock: Callable[[], float] = time.time,
        capabilities: Capabilities | None = None,
        account: str = "default",
        api_key: str | SecretStr | None = None,
        host: str | None = None,
        served: bool = False,
    ) -> None:
        """Take the script; nothing is written yet."""
        several: tuple[Any, ...] = tuple(life) if isinstance(life, (list, tuple)) else (life or Life(),)
        self.lives = TypeAdapter(tuple[Life, ...]).validate_python(several)
        self.faults = TypeAdapter(Faults).validate_python(faults or Faults())
        self.store = store or Store(Path(state_file) if state_file else self._default_file())
        self.clock = clock
        self._capabilities = capabilities or _CAPABILITIES
        self._account = account
        self._key = api_key if isinstance(api_key, SecretStr) else SecretStr(api_key or "")
        self._host = host
        self._served = served

    @classmethod
    def _default_file(cls) -> Path | None:
        return None

    @property
    def capabilities(self) -> Capabilities:
        """What it was told to be able to do; by default everything but QLoRA."""
        return self._capabilities

    @property
    def account(self) -> str:
        """The account given."""
        return self._account

    @property
    def calls(self) -> dict[str, int]:
        """How often each verb was called, over all processes; `jobs` counts the jobs that were made."""
        return dict(self.store.read().counts)

    def reopened(self) -> MemoryBackend:
        """Give another instance with the same provider behind it, without the faults."""
        return type(self)(
            life=self.lives,
            store=self.store,
            clock=self.clock,
            capabilities=self._capabilities,
            account=self._account,
            api_key=self._key,
            host=self._host,
            served=self._served,
        )

    def submit(self, order: Order) -> RemoteJob:
        """Make one job; its life is the next one of the script."""
        with self._call("submit") as (state, fault):
            self._accept(state, order)
            number = state.counts["jobs"] = state.counts.get("jobs", 0) + 1
            now = self.clock()
            late = fault.delay_s if fault and fault.kind == "late_commit" else 0.0
            key = self.capabilities.tag == "key"
            job = JobRecord(
                id=order.ref if key else f"job-{number:06d}",
                ref=order.ref,
                ledger=order.ledger,
                name=order.name,
                spec_hash=order.spec_hash,
                model=order.model,
                created_at=now + late,
                visible_at=now + late + self.faults.list_lag_s,
                life=self.lives[min(number, len(self.lives)) - 1],
                since=now + late,
                resolved={"num_train_epochs": 1} | order.spec.settings(),
                method=order.spec.method.model_dump(mode="json", exclude_unset=True) | {"type": order.spec.method.type},
                files={role: file.id for role, file in order.files.items()},
            )
            if key and job.id in state.jobs:
                job = state.jobs[job.id]
            state.jobs[job.id] = job
            return _remote(job)

    def find(self, order: Order) -> Found:
        """List the jobs that carry the order's ref."""
        with self._call("find") as (state, _):
            if state.counts["find"] <= self.faults.incomplete_listings:
                return Found(jobs=(), complete=False)
            listed = [job for job in state.jobs.values() if job.visible_at <= self.clock()]
            if not self.faults.ignored_filter:
                listed = [job for job in listed if job.ref == order.ref]
            return Found(jobs=tuple(_remote(job) for job in listed if job.ref == order.ref), complete=True)

    def list_jobs(self, limit: int = 100) -> list[RemoteJob]:
        """List the account's jobs, newest first; a listing may lag here too."""
        with self._ability("list_jobs", "list_jobs") as (state, _):
            listed = [job for job in reversed(state.jobs.values()) if job.visible_at <= self.clock()]
            return [_remote(job) for job in listed[:limit]]

    def poll(self, job_id: str) -> Snapshot:
        """Observe a job; a life without `tick_s` moves on by this."""
        with self._call("poll") as (state, _):
            job = self._job(state, job_id)
            advance(job, self.clock(), poll=True)
            return snapshot(job, self._host)

    def poll_many(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Observe the jobs that exist, by one call; lives without `tick_s` move on by this."""
        with self._ability("poll_many", "poll_many") as (state, _):
            now = self.clock()
            held = {job_id: state.jobs[job_id] for job_id in job_ids if job_id in state.jobs and state.jobs[job_id].created_at <= now}
            for job in held.values():
                advance(job, now, poll=True)
            return {job_id: snapshot(job, self._host) for job_id, job in held.items()}

    def cancel(self, job_id: str) -> None:
        """End a job that has not ended."""
        with self._call("cancel") as (state, _):
            job = self._job(state, job_id)
            advance(job, self.clock(), poll=False)
            if not status_of(word_of(job)).terminal and not job.cancelled:
                job.cancelled, job.cancel_polls = True, job.life.cancel_polls
                advance(job, self.clock(), poll=False)

    def check(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> list[Finding]:
        """Find methods and files that it would refuse."""
        with self._call("check"):
            found = [
                Finding(severity="error", code="file-missing", message=f"{file.path} does not exist.", fix="Check the path.")
                for file in data
                if not file.path.exists()
            ]
            if spec.method.type not in self.capabilities.methods:
                known = ", ".join(sorted(self.capabilities.methods))
                found.append(
                    Finding(severity="error", code="method", message=f"No method {spec.method.type!r} here.", fix=f"Known: {known}.")
                )
            return found

    def quote(self, spec: TrainingSpec, stats: DataStats) -> Quote:
        """Price a run at a made-up 3 dollars a million tokens."""
        with self._call("quote"):
            if stats.tokens is None:
                return Quote(minutes=0.1, basis="scripted")
            tokens = round(stats.tokens * (spec.method.num_train_epochs or 1))
            return Quote(tokens=tokens, cost_usd=round(tokens * _USD_PER_TOKEN, 6), minutes=0.1, basis="scripted: 3 USD a million tokens")

    def render(self, spec: TrainingSpec, rows: Iterable[tuple[int, dict[str, Any]]], *, pieces: bool = True) -> Iterator[Rendered]:
        """Show rows in a made-up template, a token a word."""
        if "render" not in self.capabilities.abilities:
            self._refuse("render", spec, rows, pieces)
        return rendered(rows, pieces=pieces)

    def probe(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> Quote:  # noqa: ARG002 - nothing is trained
        """Measure nothing, and say so."""
        with self._ability("probe", "probe"):
            return Quote(minutes=0.1, basis="scripted as if it had been measured")

    def events(self, job_id: str, after: str | None = None) -> list[Event]:
        """Give the events after a cursor."""
        with self._ability("events", "events") as (state, _):
            job = self._job(state, job_id)
            advance(job, self.clock(), poll=False)
            return [event for event in job.events if after is None or event.id > after]

    def metrics(self, job_id: str, after: int | None = None) -> list[Metric]:
        """Give the metrics after a step."""
        with self._ability("metrics", "metrics") as (state, _):
            job = self._job(state, job_id)
            advance(job, self.clock(), poll=False)
            return [metric for metric in job.metrics if after is None or metric.step > after]

    def checkpoints(self, job_id: str) -> list[Checkpoint]:
        """Give the checkpoints, oldest first."""
        with self._ability("checkpoints", "checkpoints") as (state, _):
            job = self._job(state, job_id)
            advance(job, self.clock(), poll=False)
            return list(job.checkpoints)

    def pause(self, job_id: str) -> None:
        """Hold a job where it is."""
        with self._ability("pause", "pause") as (state, _):
            self._live(state, job_id, "pause").paused = True

    def resume(self, job_id: str) -> None:
        """Let a held job go on; also one whose script paused it."""
        with self._ability("resume", "resume") as (state, _):
            job = self._live(state, job_id, "resume")
            if job.paused and job.life.words[job.position] == "paused" and job.position + 1 < len(job.life.words):
                job.position += 1
                job.active_s = job.position * (job.life.tick_s or 1.0)
            job.paused = False

    def delete_model(self, model: ModelRef) -> None:
        """Forget a model; a second time is no error."""
        with self._ability("delete_model", "delete_model") as (state, _):
            self._known_model(state, model.id, deleted_too=True)
            state.deleted_models.add(model.id)

    def __repr__(self) -> str:
        """Name the class and the account; never the key."""
        return f"{type(self).__name__}(account={self._account!r})"

    def _accept(self, state: State, order: Order) -> None:
        """Refuse an order before anything is made of it."""
        if order.spec.method.type not in self.capabilities.methods:
            raise Rejected(f"No method {order.spec.method.type!r} here.", fix="Choose another method.", backend=self.name)
        if "upload" in self.capabilities.abilities:
            self._refuse_files(state, order)
        elif missing := [str(file.path) for file in order.data.values() if not file.path.exists()]:
            raise Rejected(f"No such file: {', '.join(missing)}.", fix="Check the path.", backend=self.name)
        if order.model.startswith("memory:"):
            if "continue" not in self.capabilities.abilities:
                raise Rejected(f"{order.model} cannot be trained further here.", fix="Start from a base model.", backend=self.name)
            self._known_model(state, order.model)

    def _known_model(self, state: State, model_id: str, *, deleted_too: bool = False) -> None:
        made = {name for job in state.jobs.values() for name in (model_of(job).id, *(point.model for point in job.checkpoints))}
        if model_id.startswith("memory:") and (model_id not in made or (model_id in state.deleted_models and not deleted_too)):
            raise NotFound(f"No model {model_id!r}.", fix="List the jobs to see what was made.", backend=self.name)

    def _job(self, state: State, job_id: str) -> JobRecord:
        job = state.jobs.get(job_id)
        if job is None or job.created_at > self.clock():
            raise NotFound(f"No job {job_id!r}.", fix="List the jobs to see what exists.", backend=self.name)
        return job

    def _live(self, state: State, job_id: str, verb: str) -> JobRecord:
        job = self._job(state, job_id)
        advance(job, self.clock(), poll=False)
        word = word_of(job)
        if status_of(word).terminal:
            raise Rejected(f"Cannot {verb} job {job_id!r}: it has {word}.", fix="Nothing is left to do.", backend=self.name)
        job.seen = True
        return job

    @contextmanager
    def _ability(self, ability: Ability, verb: str) -> Iterator[tuple[State, Fault | None]]:
        if ability not in self.capabilities.abilities:
            self._refuse(verb)
        with self._call(verb) as found:
            yield found

    @contextmanager
    def _call(self, verb: str) -> Iterator[tuple[State, Fault | None]]:
        """Count a call, and let its fault happen: before the effect, or after it."""
        with self.store.change() as state:
            nth = state.counts.get(verb, 0)
            state.counts[verb] = nth + 1
            fault = self.faults.of(verb, nth)
            commits = fault is None or fault.kind in {"drop_reply", "late_commit", "slow", "exit_after"}
            if commits:
                yield state, fault
        if fault is None:
            return
        if fault.kind.startswith("exit_"):
            os._exit(9)
        if fault.kind == "slow":
            time.sleep(fault.delay_s)
            return
        raise_refusal(fault, backend=self.name, verb=verb, key=self._key.get_secret_value())

    def translate(self, error: Exception) -> AnytuneError | None:
        """Know the one vendor exception there is: a broken connection."""
        return (
            Unreachable(str(error), fix="Whether it took effect is not known.", backend=self.name)
            if isinstance(error, ConnectionError)
            else None
        )


class DurableMemoryBackend(MemoryBackend):
    """The memory backend that `backend: memory` means: its state is `memory.json` in anytune's home, so that every process sees it."""

    @classmethod
    def _default_file(cls) -> Path | None:
        from anytune.paths import home  # noqa: PLC0415 - only for the default

        return home() / "memory.json"


def _remote(job: JobRecord) -> RemoteJob:
    status = status_of(word_of(job)) if job.seen or job.cancelled else Status.QUEUED
    return RemoteJob(
        id=job.id,
        ref=job.ref,
        ledger=job.ledger or None,
        name=job.name or None,
        spec_hash=job.spec_hash,
        status=status,
        created_at=datetime.fromtimestamp(job.created_at, UTC),
        base_model=job.model,
        resolved=job.resolved,
        raw={"id": job.id, "status": word_of(job)},
    )
