"""`anytune reconcile` and `anytune orphans`: what is in doubt is cleared up, and what nobody knows of is shown."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.exits import ExitCode, exit_code
from anytune.cli.quotes import dollars
from anytune.cli.show import Json
from anytune.cli.words import known
from anytune.errors import AnytuneError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.upkeep import Case, Orphan, Orphans, Reconciled

__all__ = ["orphans", "reconcile"]

Backend = Annotated[str | None, typer.Option("--backend", "-b", help="Only this backend or profile.")]


def reconcile(
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="Only this job: id, its beginning, or name.")] = None,
    backend: Backend = None,
    resend: Annotated[bool, typer.Option("--resend", help="JOB does not exist at its provider, you say: send it again.")] = False,
    sure: Annotated[
        bool, typer.Option("--sure", help="With --resend: also while the provider's listing is cut short, may lag, or cannot be had.")
    ] = False,
    send: Annotated[bool, typer.Option("--send", help="Send jobs that were never sent, as their scripts would.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until a listing proves something (minutes), and until hosts are gone.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Clear up what is in doubt: lost replies, ends that nobody confirmed, second jobs. Made to be run by hand or by cron.

    Ends in 0 when nothing is open, and in 6 while something may exist or bill at a provider that nobody has confirmed.
    """
    from anytune import upkeep  # noqa: PLC0415 - keeps `--help` light

    if sure and not resend:
        raise typer.BadParameter("--sure goes with --resend.")
    if resend and (job is None or backend is not None or send):
        raise typer.BadParameter("--resend is for one JOB, and goes with --sure and --wait only.")
    known(backend)
    if resend and job is not None:
        done = upkeep.Reconciled(cases=(upkeep.resend(job, sure=sure),))
    else:
        done = upkeep.reconcile(job, backend=backend, wait=wait, send=send)
    if as_json:
        show.document({**done.model_dump(mode="json"), "open": done.open})
    else:
        _tell(done, job)
    return ExitCode.IN_DOUBT if done.open else ExitCode.OK


def _tell(done: Reconciled, job: str | None) -> None:
    for case in done.cases:
        show.result(f"{case.kind} {case.name} ({case.id}) at {case.backend}: {_moved(case)}")
        said = case.said if case.said[:1].isupper() else f"It {case.said}."
        show.note(f"  {said}{_bill(case)}", "yellow" if case.open else None)
        if case.fix:
            show.note(f"  {case.fix}")
    for extra in done.extras:
        what = "was cancelled" if extra.cancelled else "could not be cancelled, and may bill: run this again"
        show.result(f"second job {extra.remote_id} of {extra.job_id} at {extra.backend}: {what}")
    for one in done.failed:
        show.note(f"{one.backend} could not be asked: {one.message} {one.fix}".rstrip(), "yellow")
    if not (done.cases or done.extras or done.failed):
        show.note("Nothing is in doubt." if job is None else f"Nothing is in doubt about {job}: `anytune jobs show {job}` looks at it.")
    elif done.open:
        show.note("Something is open still; nothing was sent twice.", "yellow")


def _moved(case: Case) -> str:
    return case.was if case.was == case.now else f"{case.was} → {case.now}"


def _bill(case: Case) -> str:
    if not case.open or "$" in case.said:
        return ""
    if case.kind == "deployment" and case.hourly_usd:
        return f" It bills {dollars(case.hourly_usd)} an hour while it is there."
    return ""


def orphans(
    backend: Backend = None,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take this ledger's jobs that have no row into the ledger.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Take this ledger's hosts down that are listed; asks first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --stop: do not ask.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Look at so many jobs of each account at most, the newest first.")] = 1000,
    as_json: Json = False,
) -> int:
    """Show what runs or bills at providers and the ledger does not know, with dollars a day.

    Other ledgers' jobs and hosts are shown apart and never touched; what carries no tag of anytune's is not shown. Ends in 6 where a
    provider could not be asked.
    """
    from anytune import upkeep  # noqa: PLC0415 - keeps `--help` light

    if yes and not stop:
        raise typer.BadParameter("--yes goes with --stop.")
    found = upkeep.orphans(backend=backend, limit=limit)
    hosts = [one for one in found.ours if one.kind == "deployment"]
    if stop and hosts and not yes and (as_json or not sys.stdin.isatty()):
        raise ConfigError("Nobody is there to ask.", fix="Say `--yes` to stop them; without `--stop` they are only shown.")
    if not as_json:
        _show(found)
    done = _Done()
    if adopt:
        done.adopt([one for one in found.ours if one.kind == "job" and one.row is None])
    if stop and hosts and (yes or typer.confirm("Take all of this ledger's hosts above down?", err=True)):
        done.stop(hosts)
    if as_json:
        sums = {"usd_per_day": round(found.usd_per_day, 6), "at_least": found.at_least}
        show.document({**found.model_dump(mode="json"), **sums, **done.document()})
    else:
        done.tell()
    if done.failed:
        return exit_code(done.failed[0][1])
    return ExitCode.IN_DOUBT if found.failed else ExitCode.OK


@dataclass
class _Done:
    """What was adopted and stopped, and what could not be."""

    adopted: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    failed: list[tuple[Orphan, AnytuneError]] = field(default_factory=list)

    def adopt(self, found: Iterable[Orphan]) -> None:
        from anytune import upkeep  # noqa: PLC0415 - keeps `--help` light

        for one in found:
            try:
                row = upkeep.adopt(one)
            except AnytuneError as error:
                self.failed.append((one, error))
            else:
                self.adopted.append({"remote_id": one.remote_id, "id": row.id, "name": row.name, "status": row.status.value})

    def stop(self, hosts: Iterable[Orphan]) -> None:
        from anytune import upkeep  # noqa: PLC0415 - as above

        for one in hosts:
            try:
                upkeep.end(one)
            except AnytuneError as error:
                self.failed.append((one, error))
            else:
                self.stopped.append(one.remote_id)

    def document(self) -> dict[str, Any]:
        told = [{"remote_id": one.remote_id, "type": type(error).__name__, "message": str(error)} for one, error in self.failed]
        return {"adopted": self.adopted, "stopped": self.stopped, "unfinished": told}

    def tell(self) -> None:
        for row in self.adopted:
            show.note(f"{row['remote_id']} is in the ledger now: {row['name']} ({row['id']}).")
        for remote_id in self.stopped:
            show.note(f"{remote_id} is gone.")
        for one, error in self.failed:
            show.note(f"{one.remote_id}: {error}", "bold red")


def _show(found: Orphans) -> None:
    headings = ("what", "backend", "remote id", "state", "name or model", "a day", "why")
    asked = ", ".join(found.asked) or "no backend"
    show.table(headings, [_line(one) for one in found.ours], empty=f"Nothing of this ledger's is orphaned; asked: {asked}.")
    if any(one.kind == "deployment" for one in found.ours):
        show.note(f"{'At least ' if found.at_least else ''}{dollars(found.usd_per_day)} a day.", "yellow")
    for fix in dict.fromkeys(one.fix for one in found.ours if one.fix):
        show.note(fix)
    if found.others:
        show.note("Not this ledger's, and never touched from here:")
        show.table(headings, [_line(one) for one in found.others], empty="")
    for word in found.cut:
        show.note(f"{word}: at least these; its list of jobs goes on. `--limit` looks further.", "yellow")
    for one in found.failed:
        part = "could not be asked for all of it" if one.backend in found.asked else "was not asked"
        show.note(f"{one.backend} {part}: {one.message} {one.fix}".rstrip(), "yellow")
    if found.idle:
        show.note(f"Not set up here, and not asked: {', '.join(found.idle)}.")


def _line(one: Orphan) -> tuple[str, ...]:
    day = "" if one.kind == "job" else "not known" if one.usd_per_day is None else dollars(one.usd_per_day)
    return (one.kind, one.backend, one.remote_id, one.state, one.name or one.model or "", day, one.why)
