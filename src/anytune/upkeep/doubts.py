"""Reconciling: everything that waits for an answer is asked about, and second jobs of ours are cancelled."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from anytune.errors import AnytuneError, AuthError, ConfigError, SubmitInDoubt, Transient, WaitTimeout
from anytune.ledger import files, sweep
from anytune.ledger.reconcile import abandoned, sweepable
from anytune.runtime import Runtime, runtime
from anytune.upkeep.cases import Case, Extra, Reconciled, Unasked
from anytune.upkeep.settle import Settling, account_of, told, told_host, unsettled, unsettled_host, word_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Backend
    from anytune.ledger import JobRow

__all__ = ["reconcile", "resend"]

T = TypeVar("T")

_SWEEP_S = 86_400.0
_EVER_S = 3650 * 86_400.0
_LISTED = 1000
"""Jobs of an account that are looked through for second ones of a row, the newest first."""


def reconcile(
    job: str | None = None, *, backend: str | None = None, wait: bool = False, send: bool = False, context: Runtime | None = None
) -> Reconciled:
    """Clear up what can be: adopt, send again by policy, ask again for what should end, or say what is not known yet and until when.

    Then the sweep: second jobs of a row of this ledger are cancelled, those of the last 24 hours, or of the one job at any time. What does
    not carry the tag of a row here is never touched. A backend that cannot be asked is named, and the others go on. Doing it again, or
    twice at a time, is no error.

    Args:
        job: Only this job, by its id, the beginning of it, or its name.
        backend: Only this backend or profile.
        wait: Wait for settle windows (minutes), and for hosts to be gone.
        send: Send jobs that were never sent.
        context: Ledger, retries and clock; the process's own by default.

    Raises:
        NotFound: There is no such job.

    Example:
        ```python
        from anytune import upkeep

        for case in upkeep.reconcile().cases:
            print(case.name, case.said, case.fix)
        ```
    """
    context = context or runtime()
    round_ = _Round(context, Settling(context, waits=wait, sends=send))
    only = None if job is None else context.ledger.job(job).id
    rows = [row for row in _rows(context, only) if backend in {None, row.backend, row.profile}]
    for row in reversed(rows):
        if unsettled(row):
            round_.job(row)
    if only is None:
        round_.hosts(backend)
        round_.files({(row.backend, row.account): word_of(row) for row in rows}, backend)
    kept = {row.id for row in rows}
    round_.sweep([row for row in _rows(context, only) if row.id in kept], _SWEEP_S if only is None else _EVER_S)
    return Reconciled(cases=tuple(round_.cases), extras=tuple(round_.extras), failed=tuple(round_.failed.values()))


def resend(job: str, *, sure: bool = False, context: Runtime | None = None) -> Case:
    """Take a person's word that a job in doubt does not exist at its backend, and send it again.

    A listing that shows it knows better: then it is adopted, and nothing is sent.

    Args:
        job: The job, by its id, the beginning of it, or its name.
        sure: Also where the listing is cut short, may lag, or cannot be had. A first job that appears after all is cancelled, and what it
            cost until then is paid.
        context: Ledger, retries and clock; the process's own by default.

    Raises:
        SubmitInDoubt: The listing proves nothing yet, and the person is not sure; or another process is sending the job.
        ConfigError: The job is not in doubt, or its backend is set up for another account here.
        BackendError: The backend refused the job.
    """
    context = context or runtime()
    row = context.ledger.job(job)
    backend = context.backend(word_of(row))
    why = account_of(row, backend)
    if why:
        raise ConfigError(why, fix="Give the key or profile of that account, or go to that machine.", backend=row.backend, job_id=row.id)
    if row.remote_id is not None:
        raise ConfigError(
            f"Job {row.name!r} ({row.id}) is {row.remote_id} at {row.backend}, so it is not sent again.",
            fix=f"`anytune jobs show {row.id}` looks at it.",
            job_id=row.id,
        )
    if row.status.terminal:
        fix = "Start the next attempt: `anytune run SPEC --new-attempt`."
        raise ConfigError(f"Job {row.name!r} ({row.id}) has ended: {row.status.value}.", fix=fix, job_id=row.id)
    settling = Settling(context)
    if row.submit_state == "sending" and not abandoned(row, context.ledger.clock()):
        who = f"process {row.sender.pid} on {row.sender.host}" if row.sender else "another process"
        raise SubmitInDoubt(f"Job {row.name!r} ({row.id}) is being sent by {who}.", fix="Wait for it.", backend=row.backend, job_id=row.id)
    now = settling.reconciliation(backend).word(row, sure=sure) if row.submit_state != "intent" else row
    if now.remote_id is not None:
        return told(row, now, f"exists there, and is not sent again: it is {now.remote_id}")
    if now.status.terminal:
        return told(row, now, "is cancelled, as it was wished")
    return settling.sent(row, now, backend)


def _rows(context: Runtime, only: str | None) -> list[JobRow]:
    return context.ledger.jobs() if only is None else [context.ledger.job(only)]


class _Round:
    """One round: what was found, and which backends are not asked again because they could not be."""

    def __init__(self, context: Runtime, settling: Settling) -> None:
        self.context = context
        self.settling = settling
        self.cases: list[Case] = []
        self.extras: list[Extra] = []
        self.failed: dict[str, Unasked] = {}

    def job(self, row: JobRow) -> None:
        word, may = word_of(row), _may_run(row)
        backend = self._backend(word)
        if backend is None:
            self.cases.append(told(row, row, f"was not asked about: {self.failed[word].message}", open=may, fix=_again(row)))
            return
        why = account_of(row, backend)
        if why:
            fix = "Reconcile it there." if backend.capabilities.local else "Give the key or profile of that account."
            self.cases.append(told(row, row, why, open=may, fix=fix))
            return
        try:
            self.cases.append(self.settling.job(row, backend))
        except AnytuneError as error:
            self._note(word, error)
            now = self.context.ledger.job(row.id)
            until = self.settling.until(now, backend) if now.submit_state == "in_doubt" else None
            known = isinstance(error, SubmitInDoubt) or not _may_run(now)
            said = error.message if known else f"could not be asked about, and may run: {error.message}"
            fix = error.fix if known else f"{error.fix} Then {_again(row)}".strip()
            self.cases.append(told(row, now, said, open=_may_run(now), fix=fix, until=until))

    def hosts(self, meant: str | None) -> None:
        for row in self.context.ledger.deployments(live=True):
            word = word_of(row)
            if not unsettled_host(row) or meant not in {None, row.backend, row.profile}:
                continue
            backend = self._backend(word)
            why = self.failed[word].message if backend is None else account_of(row, backend)
            try:
                if backend is None or why:
                    raise ConfigError(why, fix=f"`anytune deployments stop {row.id}` where it can be asked.")
                self.cases.append(self.settling.host(row, backend))
            except AnytuneError as error:
                self._note(word, error)
                now = self.context.ledger.deployment(row.id)
                self.cases.append(told_host(row, now, f"could not be settled, and may bill: {error.message}", open=True, fix=error.fix))

    def files(self, words: dict[tuple[str, str], str], meant: str | None) -> None:
        with self.context.ledger.database.read() as connection:
            unfinished = files.unfinished(connection)
        for held in unfinished:
            name, account, _ = held.key
            word = words.get((name, account), name)
            backend = self._backend(word) if meant in {None, name, word} else None
            if backend is None or backend.account != account:
                continue
            try:
                case = self.settling.file(held, backend, word)
            except AnytuneError as error:
                self._note(word, error)
                continue
            if case is not None:
                self.cases.append(case)

    def sweep(self, rows: list[JobRow], within_s: float) -> None:
        """Cancel second jobs. Of rows that were sent once only those are asked about that a listing shows to have two."""
        oldest = self.context.ledger.clock() - timedelta(seconds=within_s)
        by_word: dict[str, list[JobRow]] = {}
        for row in rows:
            if sweepable(row, oldest):
                by_word.setdefault(word_of(row), []).append(row)
        for word, its in by_word.items():
            backend = self._backend(word)
            if backend is None or backend.capabilities.local:
                continue
            mine = [row for row in its if row.account == backend.account]
            doubled = self._guard(word, lambda backend=backend, mine=mine: _doubled(mine, backend, self.context)) or set()  # type: ignore[misc]
            for row in mine:
                if row.id in doubled or len(rows) == 1 or sweepable(row, oldest, twice=True):
                    self._guard(word, lambda row=row, backend=backend: self._swept(row, backend, within_s))  # type: ignore[misc]

    def _swept(self, row: JobRow, backend: Backend, within_s: float) -> None:
        left: list[str] = []
        gone = sweep(self.context.ledger, backend, retry=self.context.retry, within_s=within_s, only=row.id, left=left)
        known = {"backend": word_of(row), "job_id": row.id}
        self.extras += [Extra(remote_id=each, cancelled=each in gone, **known) for each in (*gone, *left)]

    def _guard(self, word: str, act: Callable[[], T]) -> T | None:
        if word in self.failed:
            return None
        try:
            return act()
        except AnytuneError as error:
            self.failed.setdefault(word, _unasked(word, error))
            return None

    def _backend(self, word: str) -> Backend | None:
        return self._guard(word, lambda: self.context.backend(word))

    def _note(self, word: str, error: AnytuneError) -> None:
        """Ask a backend no more that could not be asked: each try takes minutes."""
        cause = error.__cause__ if isinstance(error, SubmitInDoubt) else error
        away = isinstance(cause, (Transient, AuthError)) and not isinstance(cause, (SubmitInDoubt, WaitTimeout))
        if away and isinstance(cause, AnytuneError):
            self.failed.setdefault(word, _unasked(word, cause))


def _doubled(rows: list[JobRow], backend: Backend, context: Runtime) -> set[str]:
    """Give the rows that a listing shows to have a living job beside their own."""
    if "list_jobs" not in backend.capabilities.abilities:
        return set()
    known = {row.id: row.remote_id for row in rows}
    listed = context.retry.read(lambda: backend.list_jobs(_LISTED), backend=backend)
    return {job.ref for job in listed if job.ref in known and job.id != known[job.ref] and not job.status.terminal}


def _may_run(row: JobRow) -> bool:
    """Tell whether a job may run at its provider without anybody having confirmed that, or against a wish."""
    return row.submit_state in {"sending", "in_doubt"} or (row.remote_id is not None and row.cancel_requested and not row.status.terminal)


def _again(row: JobRow) -> str:
    return f"`anytune reconcile {row.id}` asks again."


def _unasked(word: str, error: AnytuneError) -> Unasked:
    return Unasked(backend=word, type=type(error).__name__, message=error.message, fix=error.fix)
