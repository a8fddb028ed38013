"""The durable handle on one run: create it, leave, come back, wait for the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from anytune import intake
from anytune.errors import ConfigError, JobFailed, LedgerAway, NotFound, Transient, Unsupported, WaitTimeout
from anytune.looking import asked_to_end, looked
from anytune.model import TunedModel
from anytune.naps import Nap
from anytune.observe import ON, Observation, end_extras, failure, pauses, pull_events, pull_metrics, refuse_to_wait, standing
from anytune.paths import host
from anytune.runtime import Runtime, runtime
from anytune.values import Event, Quote, Snapshot, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from anytune.backend import Backend
    from anytune.ledger import JobRow
    from anytune.ledger.reconcile import OnInDoubt
    from anytune.preflight import Preflight
    from anytune.spec import TrainingSpec
    from anytune.values import Checkpoint, Metric

__all__ = ["FineTuneJob"]


class FineTuneJob:
    """One run. Its state lives in the ledger: a handle may be thrown away and taken up again in any process.

    Example:
        ```python
        job = FineTuneJob.create(backend="trl", model="starter", train="train.jsonl", name="recipes")
        tuned = job.wait(on_event=lambda event: print(event.message))
        ```
    """

    def __init__(self, row: JobRow, *, context: Runtime | None = None) -> None:
        """Hold the row; `create`, `get`, `list` and `attach` make instances."""
        self._row = row
        self._context = context or runtime()
        self._cursor: str | None = None
        self._swept: float | None = None
        self._on_in_doubt: OnInDoubt | None = None

    def __repr__(self) -> str:
        """Show name, backend and status."""
        return f"FineTuneJob({self.id!r}, name={self.name!r}, backend={self.backend_name!r}, status={self.status.value!r})"

    @classmethod
    def create(
        cls,
        spec: TrainingSpec | Path | str | None = None,
        *,
        backend: str | Backend | None = None,
        model: str | dict[str, str] | TunedModel | None = None,
        new_attempt: bool = False,
        allow: Sequence[str] = (),
        on_preflight: Callable[[Preflight], Any] | None = None,
        on_in_doubt: OnInDoubt | None = None,
        context: Runtime | None = None,
        **settings: Any,
    ) -> FineTuneJob:
        """Give the job of this name: the one that exists with the same spec and data, or a new one.

        A rerun of the same script gets the same job, running or done. Everything that can be known is checked before anything is sent.
        Where its account has no place for it now, it waits in the ledger (`row.waiting` says for what) and is sent by whoever waits for
        it or looks at it.

        Args:
            spec: A spec, or the path of a YAML file; the other arguments replace its fields.
            backend: Who trains: a backend's name, a profile, or a backend that is set up.
            model: What is tuned: an id, one for each backend, or an earlier result that is trained further.
            new_attempt: Start the next numbered attempt after a failed, cancelled or finished one.
            allow: Codes of findings that shall not stop the job, although they are errors (docs/reference/findings.md lists them).
            on_preflight: Called with what preflight found, good or bad, before anything is sent; not for a job that exists already.
            on_in_doubt: What to do once it is shown that a create whose reply was lost had no effect: `"reconcile_then_resend"` or
                `"reconcile_then_ask"`, which raises. None sends again what is cheap, and asks about what was quoted above $10.
            context: Ledger, retries and clock; the process's own by default.
            settings: Fields of `TrainingSpec`: `train`, `validation`, `method`, `adapter`, `name`, `budget`, `strict`.

        Raises:
            ConfigError: A setting is wrong; `JobConflict` where the name is taken by another spec.
            DataError: A file or row is wrong; its findings carry the row numbers.
            BudgetExceeded: The quote is over the budget.
            JobFailed: The job of this name failed or was cancelled; `new_attempt=True` starts the next one.
            BackendError: The backend refused. `SubmitInDoubt`: whether it took the job is not known yet; run again.
        """
        context = context or runtime()
        wanted, trainer = intake.wanted(spec, backend, model, settings, context)
        row = intake.known(wanted, trainer, context) if not new_attempt else None
        if row is None:
            row = intake.claimed(wanted, trainer, context, new_attempt=new_attempt, on_preflight=on_preflight, allow=allow)
        job = cls(row, context=context)
        job._on_in_doubt = on_in_doubt
        job._submit()
        return job

    @classmethod
    def preflight(
        cls,
        spec: TrainingSpec | Path | str | None = None,
        *,
        backend: str | Backend | None = None,
        model: str | dict[str, str] | TunedModel | None = None,
        allow: Sequence[str] = (),
        skip: Sequence[str] = (),
        deep: bool = False,
        probe: bool = False,
        progress: Callable[[int, int], object] | None = None,
        context: Runtime | None = None,
        **settings: Any,
    ) -> Preflight:
        """Check and quote, and make no job.

        Arguments as for `create`. `skip`, `deep`, `probe` and `progress` are told at `anytune.preflight.preflight`.
        """
        context = context or runtime()
        wanted, trainer = intake.wanted(spec, backend, model, settings, context)
        return intake.checked(wanted, trainer, context, allow=allow, skip=skip, deep=deep, probe=probe, progress=progress)

    @classmethod
    def get(cls, job: str, *, context: Runtime | None = None) -> FineTuneJob:
        """Find a job by its id, the beginning of it, or its name (the latest attempt).

        Raises:
            NotFound: The ledger knows none.
        """
        context = context or runtime()
        return cls(context.ledger.job(job), context=context)

    @classmethod
    def list(
        cls,
        *,
        status: Status | str | None = None,
        backend: str | None = None,
        name: str | None = None,
        limit: int | None = None,
        context: Runtime | None = None,
    ) -> Sequence[FineTuneJob]:
        """Give the jobs of the ledger, newest first, as last seen; nothing is asked of any backend."""
        context = context or runtime()
        wanted = None if status is None else Status(status)
        rows = context.ledger.jobs(status=wanted, backend=backend, name=name, limit=limit)
        return [cls(row, context=context) for row in rows]

    @classmethod
    def attach(cls, backend: str | Backend, remote_id: str, *, name: str | None = None, context: Runtime | None = None) -> FineTuneJob:
        """Take in a job that anytune did not create; attaching again gives the same handle, as does a job that this ledger sent.

        Raises:
            NotFound: The backend knows no such job.
        """
        context = context or runtime()
        return cls(intake.attached(backend, remote_id, name or remote_id, context), context=context)

    @property
    def id(self) -> str:
        """The attempt's id in the ledger, and its tag at the backend."""
        return self._row.id

    @property
    def name(self) -> str:
        """The name; with the backend's account it is the job's key."""
        return self._row.name

    @property
    def attempt(self) -> int:
        """1 for the first attempt under this name."""
        return self._row.attempt

    @property
    def backend_name(self) -> str:
        """Who trains."""
        return self._row.backend

    @property
    def backend(self) -> Backend:
        """The backend, set up."""
        return self._context.backend(self._row.profile or self._row.backend)

    @property
    def remote_id(self) -> str | None:
        """The backend's id; None before it was submitted."""
        return self._row.remote_id

    @property
    def status(self) -> Status:
        """As last seen."""
        return self._row.status

    @property
    def host(self) -> str | None:
        """The machine that asked for it; a local job runs there."""
        return self._row.host

    @property
    def estimate(self) -> Quote | None:
        """The quote before the run; None for a job that anytune did not create."""
        return None if self._row.estimate is None else Quote.model_validate(self._row.estimate)

    @property
    def actual(self) -> Quote:
        """What the run took so far, in the estimate's fields; dollars that its backend does not tell are estimated, as `basis` says."""
        return intake.actual(self._row, self._context)

    @property
    def context(self) -> Runtime:
        """Its ledger, retries and clock."""
        return self._context

    @property
    def row(self) -> JobRow:
        """The ledger's row, as last read."""
        return self._row

    @property
    def snapshot(self) -> Snapshot:
        """The last observation."""
        if self._row.snapshot is not None:
            return Snapshot.model_validate(self._row.snapshot)
        return Snapshot(id=self._row.remote_id or self.id, status=self.status, error=self._row.error, host=self._row.host)

    def refresh(self) -> Snapshot:
        """Look once, and write down what was seen. A local job of another machine is not looked at.

        Raises:
            BackendError: The backend could not be asked; the job is as it was.
        """
        self._row = self._context.ledger.job(self.id)
        if self._elsewhere:
            return self.snapshot
        if self._row.remote_id is None:
            self._submit()
        if self._row.remote_id is None or (self.status.terminal and self.status is not Status.SUCCEEDED):
            return self.snapshot
        self._row = looked(self._row, self.backend, self._context)
        self._swept = end_extras(self._row, self.backend, self._context, self._swept)
        return self.snapshot

    def events(self, *, after: str | None = None) -> Sequence[Event]:
        """Give the events after the one whose id is `after`, oldest first; those kept of a job that ended, where its backend tells none."""
        if not self._elsewhere:
            pull_events(self._row, self.backend, self._context)
        return list(self._context.ledger.events(self.id, after=after))

    def metrics(self, *, after: int | None = None) -> Sequence[Metric]:
        """Give the metrics after step `after`, oldest first; kept ones as for `events`."""
        if not self._elsewhere:
            pull_metrics(self._row, self.backend, self._context)
        return list(self._context.ledger.metrics(self.id, after=after))

    def checkpoints(self) -> Sequence[Checkpoint]:
        """Give the checkpoints that exist, oldest first; each `model` can be deployed or trained further.

        Raises:
            Unsupported: The backend keeps none.
        """
        remote_id = self._submitted()
        return list(self._context.retry.read(lambda: self.backend.checkpoints(remote_id), backend=self.backend))

    def pause(self) -> Self:
        """Ask for a checkpoint and a stop; `resume` goes on from there.

        Raises:
            Unsupported: The backend cannot.
        """
        return self._ask("pause")

    def resume(self) -> Self:
        """Go on after `pause`, or after an interruption, from the last good checkpoint.

        Raises:
            Unsupported: The backend cannot.
        """
        return self._ask("resume")

    def cancel(self) -> Self:
        """Ask for the end. The wish is written down first and repeated by every later look until the backend confirms it."""
        self._row = self._context.ledger.request_cancel(self.id)
        if self._row.remote_id is not None and not self.status.terminal:
            self._here("cancel")
            self._row = asked_to_end(self._row, self.backend, self._context)
            self.refresh()
        return self

    def wait(
        self, *, on_event: Callable[[Event], Any] | None = None, timeout_s: float | None = None, poll_s: float | None = None
    ) -> TunedModel:
        """Wait for the model.

        A backend that cannot be reached for a while ends nothing: the next look asks again. Only the caller's own timeout, or an answer,
        ends the wait.

        Args:
            on_event: Called with every event once, oldest first.
            timeout_s: Seconds of patience; None waits for as long as it takes.
            poll_s: Seconds between two looks; None takes 1 for local jobs, and for hosted ones 5 to 30 and more as `anytune.pauses` says.

        Raises:
            JobFailed: It failed, was cancelled, or was ended because its budget is used up; the text says which.
            JobPaused: Its host stopped it: it goes on when it is resumed.
            WaitTimeout: Patience ended; the job goes on.
            AuthError: The key does not work any more; the job goes on.
        """
        deadline = None if timeout_s is None else self._context.clock() + timeout_s
        pause, nap = pauses(self.backend, poll_s), Nap(self._row, self._context)
        while True:
            seen = self.observe(strict=False)
            for event in seen.events:
                if on_event is not None:
                    on_event(event)
            if seen.snapshot.status.terminal:
                return self.result()
            refuse_to_wait(self.row, seen.snapshot)
            if deadline is not None and self._context.clock() >= deadline:
                raise WaitTimeout(f"Job {self.name} {standing(self._row)} after {timeout_s:g} s.", fix=ON, job_id=self.id)
            nap(pause(seen))

    def observe(self, *, strict: bool = True) -> Observation:
        """Look once, and give the events that this handle has not given yet.

        Args:
            strict: Raise when the backend cannot be reached, or has deleted a job that succeeded; else give the last observation again.
        """
        before = self._row
        try:
            snapshot = self.refresh()
            events = self.events(after=self._cursor)
        except (Transient, NotFound) as error:
            if strict or getattr(error, "asks", False) or (isinstance(error, NotFound) and not self._outlived):
                raise
            self._row = before if isinstance(error, LedgerAway) else self._row  # an end waits for the look that keeps its events too
            return Observation(snapshot=self.snapshot, asked_s=getattr(error, "retry_after", None))
        if events:
            self._cursor = events[-1].id
        return Observation(snapshot=snapshot, events=tuple(events))

    def result(self) -> TunedModel:
        """Give the model of a job that succeeded.

        Raises:
            JobFailed: It failed or was cancelled.
            ConfigError: It has not ended yet.
        """
        if not self.status.terminal:
            self.refresh()
        seen = self.snapshot
        if seen.status is Status.SUCCEEDED:
            if seen.model is None:
                raise JobFailed(f"Job {self.name} succeeded, but the backend names no model.", fix="Refresh later.", job_id=self.id)
            return TunedModel(seen.model, backend=self._row.profile or self._row.backend, job_id=self.id, context=self._context)
        if seen.status.terminal:
            raise failure(self._row, seen)
        fix = f"`wait()` for it: `anytune jobs watch {self.name}`."
        raise ConfigError(f"Job {self.name} is {seen.status.value}: there is no model yet.", fix=fix, job_id=self.id)

    @property
    def _outlived(self) -> bool:
        """Whether its model may be there without it: providers let jobs be deleted, and keep what they made."""
        return self.status is Status.SUCCEEDED and not self.backend.capabilities.local

    @property
    def _elsewhere(self) -> bool:
        return self._row.host != host() and self.backend.capabilities.local

    def _here(self, verb: str) -> None:
        if self._elsewhere:
            raise Unsupported(
                f"Job {self.name} runs on {self._row.host}; {verb} does not reach it from {host()}.",
                fix=f"Run it on {self._row.host}.",
                job_id=self.id,
            )

    def _submit(self) -> None:
        if self._row.submit_state == "submitted" or self._elsewhere:
            return
        self._row = intake.sent(self._row, self.backend, self._context, on_in_doubt=self._on_in_doubt)

    def _submitted(self) -> str:
        self._here("this")
        if self._row.remote_id is None:
            self.refresh()
        if self._row.remote_id is None:
            raise ConfigError(f"Job {self.name} {standing(self._row)}: it was not sent yet.", fix="`wait()` for it.", job_id=self.id)
        return self._row.remote_id

    def _ask(self, verb: str) -> Self:
        self._here(verb)
        remote_id = self._submitted()
        if self.status.terminal:
            raise ConfigError(f"Job {self.name} is {self.status.value}: nothing to {verb}.", fix="Start a new attempt.", job_id=self.id)
        call = getattr(self.backend, verb)
        self._context.retry.write(lambda: call(remote_id), backend=self.backend)
        self.refresh()
        return self
