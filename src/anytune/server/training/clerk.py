"""`python -m anytune.server.training.clerk`: reads one order's files, or hands it to its backend, in a process of its own.

Whatever the files are, the server answers on, and a clerk that is killed for its memory takes nobody with it. What to do comes as JSON on
stdin; the outcome goes into the book, and only a status goes back.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from anytune.errors import (
    AnytuneError,
    AuthError,
    BackendMissing,
    BudgetExceeded,
    DataError,
    JobConflict,
    JobFailed,
    LedgerError,
    QuotaExceeded,
    Transient,
)
from anytune.job import FineTuneJob
from anytune.local import locks
from anytune.runtime import Runtime
from anytune.server.book import Book
from anytune.server.book.events import News
from anytune.server.training import backends
from anytune.server.training.ending import cancelled, failed
from anytune.server.training.orders import spec_of
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.preflight import Preflight
    from anytune.server.book.rows import JobRow
    from anytune.values import Finding

__all__ = ["AGAIN", "Errand", "Phase", "main"]

AGAIN: Final = 75
"""Status: nothing is wrong with the order, try again later (EX_TEMPFAIL of sysexits.h)."""

_LONGEST_S: Final = 6 * 3600
"""A clerk that hangs ends itself."""

_TOLD: Final = 25
"""Findings in an order's events; a file may have thousands."""

Phase = Literal["check", "submit"]


class Errand(Value):
    """What a clerk is to do.

    Attributes:
        order: The order's id.
        phase: `check` its files, or `submit` it.
        ledger: URL of the ledger; None for the default.
        backend: The backend's word.
        options: Arguments of its constructor.
        files: Paths of the order's files by role.
        hooks: Names of the webhooks that hear of it.
        allow: Codes of findings that shall not fail it.
        lock: Held while it works, so that a clerk of an earlier server is waited for.
    """

    order: str
    phase: Phase
    ledger: str | None = None
    backend: str
    options: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, Path]
    hooks: list[str]
    allow: tuple[str, ...] = ()
    lock: Path


class Clerk:
    """Does one errand."""

    def __init__(self, errand: Errand, context: Runtime) -> None:
        """Open the book."""
        self.errand, self.context = errand, context
        self.book = Book(self.context.ledger.database)

    def run(self) -> int:
        """Do it, unless it is done already; give the exit status."""
        order = self.book.jobs.get(self.errand.order, None)
        stage = {"check": "received", "submit": "submitted"}[self.errand.phase]
        if order.stage != stage or order.ledger_id is not None:
            return 0
        try:
            backends.backend(self.context, self.errand.backend, self.errand.options)
            if self.errand.phase == "check":
                self._check(order)
            else:
                self._submit(order)
        except AnytuneError as error:
            if isinstance(error, (Transient, LedgerError)):
                self._wait(order, error)
                return AGAIN
            self._refuse(order, error)
        return 0

    def _check(self, order: JobRow) -> None:
        named = ", ".join(str(order.request[field]) for field in ("training_file", "validation_file") if order.request.get(field))
        self.book.events.add(order.id, f"Validating training file: {named}", origin="validating")
        spec = spec_of(order, self.errand.files, self.errand.backend)
        found = FineTuneJob.preflight(spec, allow=self.errand.allow, context=self.context)
        self._tell(order, found)
        if not found.ok:
            found.raise_if_bad()
        news = News(message="Files validated, moving job to queued state", origin="validated", data=_quoted(found))
        self.book.jobs.move(order.id, "received", news=news, stage="checked", status="queued")

    def _submit(self, order: JobRow) -> None:
        spec = spec_of(order, self.errand.files, self.errand.backend)
        trainer = self.context.backend(self.errand.backend)
        known = self.context.ledger.latest(backend=trainer.name, account=trainer.account, name=spec.job_name)
        if order.wish == "cancel" and (known is None or known.submit_state in {"intent", "rejected"}):
            if known is not None:
                self.context.ledger.request_cancel(known.id)
            cancelled(self.book, self.errand.hooks, order)
            return
        if known is None or not (order.wish == "cancel" or known.submit_state == "submitted"):
            try:
                known = FineTuneJob.create(spec, allow=self.errand.allow, context=self.context).row
            except (JobConflict, JobFailed):  # it was handed over before, by a clerk that did not live to say so
                known = self.context.ledger.latest(backend=trainer.name, account=trainer.account, name=spec.job_name)
                if known is None or known.submit_state == "rejected":
                    raise
        if known.submit_state == "intent" and known.waiting:
            self._tell_again(order, known.waiting)
        self.book.jobs.move(order.id, "submitted", ledger_id=known.id, resolved=known.resolved)

    def _tell(self, order: JobRow, found: Preflight) -> None:
        """Tell what was found, errors first; of these the first is told by the order's end."""
        warnings = [each for each in (*found.findings, *found.losses) if each.severity == "warning"]
        worth = [*found.errors[1:], *warnings]
        news = [
            News(
                message=self._public(_sentence(each)),
                level="error" if each.severity == "error" else "warn",
                origin=f"finding:{number}",
                data={"code": each.code} | ({} if each.row is None else {"row": each.row}),
            )
            for number, each in enumerate(worth[:_TOLD])
        ]
        if len(worth) > _TOLD:
            news.append(News(message=f"{len(worth) - _TOLD} more findings are not shown.", level="warn", origin="findings"))
        self.book.events.add_many(order.id, news)

    def _refuse(self, order: JobRow, error: AnytuneError) -> None:
        code, param = _blamed(error)
        said = self._public(str(error))
        if isinstance(error, (AuthError, BackendMissing)):
            said = f"The server cannot use its backend {self.errand.backend}: {said}"
        failed(self.book, self.errand.hooks, order, said, code=code, param=param)

    def _wait(self, order: JobRow, error: AnytuneError) -> None:
        """Say once why nothing happens; a ledger that is away cannot even be told that."""
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        with contextlib.suppress(LedgerError):
            self._tell_again(order, error.message)

    def _tell_again(self, order: JobRow, why: str) -> None:
        said = f"The backend {self.errand.backend} does not take the job now, and is asked again: {self._public(why)}"
        self.book.events.add(order.id, said, level="warn", origin=f"again:{self.errand.phase}")

    def _public(self, text: str) -> str:
        """Name files as the client knows them, not as they lie here."""
        for path in self.errand.files.values():
            text = text.replace(str(path.resolve()), path.name).replace(str(path), path.name)
        return text


def main() -> int:
    """Do the errands that come on stdin, a line each, and say on stdout how each ended. Whoever sent them is gone at the end of it."""
    os.umask(0o077)
    _give_way()
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints is no reply
    contexts: dict[str | None, Runtime] = {}
    for line in sys.stdin.buffer:
        errand = Errand.model_validate_json(line)
        signal.alarm(_LONGEST_S)
        lock = locks.wait_for(errand.lock, _LONGEST_S)
        if lock is None:
            status = AGAIN
        else:
            status = Clerk(errand, contexts.setdefault(errand.ledger, Runtime(ledger_url=errand.ledger))).run()
            os.close(lock)
        signal.alarm(0)
        replies.write(json.dumps({"status": status}) + "\n")
        replies.flush()
    return 0


def _give_way() -> None:
    """Let the server go before: with the processor, and when memory runs out."""
    os.nice(5)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _quoted(found: Preflight) -> dict[str, Any]:
    quote = found.quote.model_dump(include={"tokens", "cost_usd", "minutes"}, exclude_none=True)
    return {"rows": found.stats.rows} | quote


def _sentence(found: Finding) -> str:
    file = "Validation file: " if found.file == "validation" else ""
    where = f"Row {found.row}: " if found.row is not None else ""
    return f"{file}{where}{found.message} {found.fix}".strip()


def _blamed(error: AnytuneError) -> tuple[str, str | None]:
    """Give OpenAI's word for what is wrong, and the field of the request that is to blame."""
    if isinstance(error, DataError):
        return (
            ("invalid_validation_file", "validation_file") if _of_validation(error.findings) else ("invalid_training_file", "training_file")
        )
    if isinstance(error, BudgetExceeded):
        return "budget_exceeded", None
    if isinstance(error, QuotaExceeded):
        return "exceeded_quota", None
    if isinstance(error, (AuthError, BackendMissing)):
        return "backend_unavailable", None
    return "invalid_request", None


def _of_validation(findings: Sequence[Finding]) -> bool:
    first = next((each for each in findings if each.severity == "error"), None)
    return first is not None and first.file == "validation"


if __name__ == "__main__":
    sys.exit(main())
