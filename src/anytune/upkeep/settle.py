"""Settling one row: a job, a host or a file that nobody has heard the last of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from anytune import looking
from anytune.deploy import STOP_TIMEOUT_S, Deployment
from anytune.errors import WaitTimeout
from anytune.ledger import files, submit, transitions
from anytune.ledger.policy import policy_for
from anytune.ledger.reconcile import Reconciliation, abandoned
from anytune.ledger.sender import liveness
from anytune.paths import host
from anytune.takedown import absent, located, unsettled_s
from anytune.upkeep.cases import Case

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.ledger import DeploymentRow, JobRow
    from anytune.runtime import Runtime

__all__ = ["Settling", "account_of", "told", "told_host", "unsettled", "unsettled_host", "word_of"]

_UNCLEAR = frozenset({"sending", "in_doubt"})
_PATIENCE_S = 10.0
"""How long a host's confirmed end is waited for where nobody said that it shall be."""


def word_of(row: JobRow | DeploymentRow) -> str:
    """Give the word that a row's backend is set up by."""
    return row.profile or row.backend


def unsettled(row: JobRow) -> bool:
    """Tell whether a job waits for an answer: it was not sent, its reply was lost, or its end is not confirmed."""
    return not row.status.terminal and (row.submit_state != "submitted" or row.cancel_requested)


def unsettled_host(row: DeploymentRow) -> bool:
    """Tell whether a host waits for an answer: nobody heard whether it was made, or its end is not confirmed."""
    return row.state != "gone" and (row.stop_requested or (row.state == "planned" and row.remote_id is None))


def account_of(row: JobRow | DeploymentRow, backend: Backend) -> str:
    """Say why a backend cannot speak for a row; empty where it can. Another account would say that there is nothing."""
    if backend.capabilities.local:
        return "" if row.host in {None, host()} else f"It belongs to {row.host}, and only that machine can see what became of it."
    if backend.account != row.account:
        return f"It belongs to account {row.account}, and {word_of(row)} is set up for {backend.account} here."
    return ""


@dataclass
class Settling:
    """How far one round goes.

    Attributes:
        context: Ledger, retries and clock.
        waits: Wait for settle windows and for hosts to be gone; else what is not known yet is said.
        sends: Send what was never sent.
    """

    context: Runtime
    waits: bool = False
    sends: bool = False

    def job(self, row: JobRow, backend: Backend) -> Case:
        """Settle a job as far as that can be.

        Raises:
            SubmitInDoubt: What became of it is not known yet.
            AnytuneError: Its backend could not be asked, or refused.
        """
        if row.submit_state in _UNCLEAR:
            return self._doubt(row, backend)
        if row.submit_state == "submitted":
            return self._end(row, backend)
        if row.fence:  # it was sent, and shown to be absent: a late create may show by now
            found = self.reconciliation(backend).once(row)
            if found.remote_id is not None:
                return told(row, found, f"was made after all: it is {found.remote_id}")
        if self.sends:
            return self.sent(row, row, backend)
        why = f"waits for {row.waiting}" if row.waiting else "was never sent"
        return told(row, row, f"{why}; it does not exist there", fix=f"Run its script again, or `anytune reconcile {row.id} --send`.")

    def reconciliation(self, backend: Backend) -> Reconciliation:
        """Give the search for lost replies of one backend."""
        context = self.context
        return Reconciliation(context.ledger, backend, context.retry, context.clock, context.sleep, waits=self.waits)

    def until(self, row: JobRow, backend: Backend) -> Any:
        """Give when a listing that shows nothing will prove something; None where it does already."""
        left_s = self.reconciliation(backend).unsettled_s(row)
        return self.context.ledger.clock() + timedelta(seconds=left_s) if left_s > 0 else None

    def _doubt(self, row: JobRow, backend: Backend) -> Case:
        ledger, was = self.context.ledger, row
        if row.submit_state == "sending":
            if not abandoned(row, ledger.clock()):
                who = f"process {row.sender.pid} on {row.sender.host}" if row.sender else "another process"
                return told(row, row, f"is being sent by {who}")
            with ledger.database.write() as connection:
                doubted = transitions.doubt(connection, row, "The process that sent it died before the reply.", now=ledger.clock())
            row = doubted or ledger.job(row.id)
        found = self.reconciliation(backend).run(row, policy=policy_for(row, backend))
        if found.remote_id is not None:
            return told(was, found, f"was made: it is {found.remote_id}")
        if found.status.terminal:
            return told(was, found, "was never made, and is cancelled as it was wished")
        return self.sent(was, found, backend)

    def sent(self, was: JobRow, row: JobRow, backend: Backend) -> Case:
        """Send a job, where its files are on this machine."""
        missing = [str(file.path) for file in row.data.values() if not file.path.is_file()]
        if missing:
            return told(was, row, f"does not exist there, and {missing[0]} is not on this machine", fix=f"Run its script on {row.host}.")
        context = self.context
        now = submit(context.ledger, backend, row, retry=context.retry, clock=context.clock, sleep=context.sleep)
        if now.remote_id is None:
            return told(was, now, f"does not exist there, and waits for {now.waiting}" if now.waiting else f"is {now.status.value}")
        return told(was, now, f"did not exist there and was sent{' again' if row.fence else ''}: it is {now.remote_id}")

    def _end(self, row: JobRow, backend: Backend) -> Case:
        """Ask again for the end of a job, and look whether it came."""
        seen = looking.looked(row, backend, self.context)
        if seen.status.terminal:
            return told(row, seen, f"has ended: {seen.status.value}")
        fix = f"`anytune reconcile {row.id}` asks again, as `anytune jobs show {row.id}` does."
        return told(row, seen, f"was asked to end and is {seen.status.value} still: it may bill until it has ended", open=True, fix=fix)

    def host(self, row: DeploymentRow, backend: Backend) -> Case:
        """Settle a host as far as that can be.

        Raises:
            AnytuneError: Its backend could not be asked, or refused.
        """
        context = self.context
        if row.stop_requested or "deploy" not in backend.capabilities.abilities:
            deployment = Deployment(row, context=context)
            try:
                deployment.stop(timeout_s=STOP_TIMEOUT_S if self.waits else _PATIENCE_S)
            except WaitTimeout as error:
                return told_host(row, deployment.row, error.message, open=True, fix=error.fix)
            return told_host(row, deployment.row, "is confirmed gone")
        made = located(row, backend, context.retry)
        left_s = unsettled_s(row, backend, context.ledger.clock())
        if made is not None:
            seen = context.ledger.record_deployment(row.id, made)
            return told_host(row, seen, f"was made: it is {made.id}, and ends at {row.expires_at:%Y-%m-%d %H:%M} UTC")
        if left_s <= 0:
            return told_host(row, context.ledger.record_deployment(row.id, absent(row)), "was never made")
        said = "was asked for, and nobody heard the answer; it is not listed, and may be made still"
        fix = f"In {left_s:.0f} s: `anytune reconcile`. If nobody needs it: `anytune deployments stop {row.id}`."
        return told_host(row, row, said, open=True, fix=fix, until=context.ledger.clock() + timedelta(seconds=left_s))

    def file(self, held: files.Unfinished, backend: Backend, word: str) -> Case | None:
        """Settle a file whose sender died; None where it lives, or may live."""
        if liveness(held.sender) != "dead":
            return None
        ledger, (name, account, sha256) = self.context.ledger, held.key
        case = Case(kind="file", id=sha256, name=sha256[:12], backend=word, was="sending", now="", open=False, said="")
        found = self.context.retry.read(lambda: backend.find_file(sha256), backend=backend)
        if found is not None:
            ledger.add_remote_file(name, account, found)
            return case.model_copy(update={"now": "there", "said": f"arrived: it is {found.id}"})
        with ledger.database.write() as connection:
            files.give_up(connection, held)
        return case.model_copy(update={"now": "absent", "said": "did not arrive; the next job that needs it sends it"})


def told(was: JobRow, now: JobRow, said: str, *, open: bool = False, fix: str = "", until: Any = None) -> Case:  # noqa: A002 - its name there
    """Tell what became of a job."""
    return Case(
        kind="job",
        id=now.id,
        name=now.name,
        backend=word_of(now),
        was=_state(was),
        now=now.status.value if now.submit_state in {"submitted", "rejected"} or now.status.terminal else now.submit_state,
        open=open,
        said=said,
        fix=fix,
        until=until,
        usd=(now.estimate or {}).get("cost_usd"),
    )


def told_host(was: DeploymentRow, now: DeploymentRow, said: str, *, open: bool = False, fix: str = "", until: Any = None) -> Case:  # noqa: A002 - as above
    """Tell what became of a host."""
    return Case(
        kind="deployment",
        id=now.id,
        name=now.name,
        backend=word_of(now),
        was="stopping" if was.stop_requested else was.state,
        now=now.state,
        open=open,
        said=said,
        fix=fix,
        until=until,
        hourly_usd=now.hourly_usd,
    )


def _state(row: JobRow) -> str:
    return "cancelling" if row.submit_state == "submitted" else row.submit_state
