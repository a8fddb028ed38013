"""`anytune jobs …`: the jobs of the ledger, and what can be done with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import attach, show
from anytune.cli.durations import human, seconds
from anytune.cli.exits import ExitCode
from anytune.cli.show import Json
from anytune.cli.words import known

if TYPE_CHECKING:
    from anytune.job import FineTuneJob

__all__ = ["app", "described", "last_day", "said"]

app = typer.Typer(name="jobs", help="List, watch and steer jobs.", no_args_is_help=True)

Job = Annotated[
    str, typer.Argument(metavar="JOB", help="Id, its beginning, or name (its latest attempt; NAME@BACKEND where several have it).")
]


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option(help="Only jobs that are queued, running, paused, succeeded, failed, cancelled, …")] = None,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Only jobs of this backend or profile.")] = None,
    name: Annotated[str | None, typer.Option(help="Only attempts under this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Look at each job that has not ended, instead of showing what was last seen.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List jobs, newest first, as they were last seen."""
    from anytune.job import FineTuneJob  # noqa: PLC0415 - keeps `--help` light
    from anytune.values import Status  # noqa: PLC0415 - as above

    words = [word.value for word in Status]
    if status is not None and status not in words:
        raise typer.BadParameter(f"{status!r} is no status; there is: {', '.join(words)}.")
    known(backend)
    found = FineTuneJob.list(status=status, name=name, limit=limit if backend is None else None)
    jobs = [job for job in found if backend in {None, job.backend_name, job.row.profile}][:limit]
    if refresh:
        for job in jobs:
            _look(job)
    if as_json:
        show.document({"jobs": [described(job) | {"answers_until": last_day(job)} for job in jobs]})
        return
    headings = ["id", "name", "backend", "attempt", "status", "progress", "started"]
    rows: list[list[Any]] = [[job.id, job.name, _where(job), job.attempt, job.status.value, _progress(job), _age(job)] for job in jobs]
    if any(_waiting(job) for job in jobs):
        headings.append("waits for")
        rows = [[*row, _waiting(job)] for row, job in zip(rows, jobs, strict=True)]
    days = [last_day(job) for job in jobs]
    if any(days):
        headings.append("answers until")
        rows = [[*row, day] for row, day in zip(rows, days, strict=True)]
    show.table(headings, rows, empty="There are no jobs.")
    for job in jobs:
        if job.row.submit_state == "in_doubt":
            show.note(f"{job.name} may run at {_where(job)}: its reply was lost. `anytune reconcile` finds out.", "yellow")


@app.command("show")
def show_(job: Job, as_json: Json = False) -> None:
    """Look at one job, and show all that is known of it."""
    found = _get(job)
    _look(found)
    about = described(found) | {"answers_until": last_day(found)}
    if as_json:
        show.document(about)
        return
    parts = ("estimate", "actual", "difference")
    known = {name: {k: v for k, v in (about[name] or {}).items() if v not in (None, "")} for name in parts}
    show.record(about | known)


@app.command("watch")
def watch(
    jobs: Annotated[list[str] | None, typer.Argument(metavar="JOB", help="Ids, their beginnings or names, as in `jobs show`.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All jobs that have not ended.")] = False,
    timeout: Annotated[float | None, typer.Option(parser=seconds, metavar="DURATION", help="Stop watching after 90s, 30m, 1h.")] = None,
    poll: Annotated[
        float | None, typer.Option(parser=seconds, metavar="DURATION", help="Time between two looks; the backend's usual one by default.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Watch a job, or several, until all have ended; with --json, one JSON line for each event, metric and change."""
    from anytune.cli import fleet, follow  # noqa: PLC0415 - keeps `--help` light

    if bool(jobs) is every:
        raise typer.BadParameter("Name jobs, or say --all.")
    if not jobs or len(jobs) > 1:
        return fleet.watch([_get(job) for job in jobs] if jobs else None, timeout_s=timeout, poll_s=poll, as_json=as_json)
    found = _get(jobs[0])
    try:
        if as_json:
            follow.stream(found, timeout_s=timeout, poll_s=poll)
            return ExitCode.OK if found.status.value == "succeeded" else ExitCode.FAILED
        show.result(follow.follow(found, timeout_s=timeout, poll_s=poll).id)
    except KeyboardInterrupt:
        return follow.detached(found, as_json=as_json)
    return ExitCode.OK


@app.command("events")
def events(
    job: Job, after: Annotated[str | None, typer.Option(help="Only events after the one with this id.")] = None, as_json: Json = False
) -> None:
    """Print a job's events, oldest first; with --json, one JSON line each."""
    for event in _get(job).events(after=after):
        if as_json:
            show.document(event)
        else:
            show.result(f"{event.at:%Y-%m-%d %H:%M:%S}  {event.level:7}  {event.message}")


@app.command("cancel")
def cancel(job: Job, as_json: Json = False) -> None:
    """Ask for the end of a job; asking again is no error."""
    found = _get(job).cancel()
    said(found, as_json=as_json)
    if found.row.submit_state in {"sending", "in_doubt"}:
        show.note(
            f"The reply to its sending was lost: {found.backend_name} may run and bill it until a look finds and ends it: "
            f"anytune jobs show {found.id}",
            "yellow",
        )


@app.command("pause")
def pause(job: Job, as_json: Json = False) -> None:
    """Ask a job to write a checkpoint and stop, so that `resume` can go on."""
    said(_get(job).pause(), as_json=as_json)


@app.command("resume")
def resume(job: Job, as_json: Json = False) -> None:
    """Let a paused or interrupted job go on from its last checkpoint."""
    said(_get(job).resume(), as_json=as_json)


app.command("attach")(attach.attach)


@app.command("rm")
def rm(jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Jobs that have ended.")], as_json: Json = False) -> None:
    """Forget jobs that have ended. Their files stay until `anytune gc`; models at a hosted backend are not touched."""
    from anytune.errors import ConfigError  # noqa: PLC0415 - keeps `--help` light
    from anytune.runtime import runtime  # noqa: PLC0415 - as above

    found = [_get(job) for job in jobs]
    for job in found:  # all are looked at before one is forgotten
        if not job.status.terminal:
            _look(job)
        if not job.status.terminal:
            raise ConfigError(
                f"Job {job.name} is {job.status.value}.", fix=f"Cancel it first: `anytune jobs cancel {job.id}`.", job_id=job.id
            )
    for job in found:
        runtime().ledger.remove(job.id)
    if as_json:
        show.document({"removed": [job.id for job in found]})
    else:
        show.note(f"Forgot {len(found)} job(s). `anytune gc` shows what can be deleted now.")


def described(job: FineTuneJob) -> dict[str, Any]:
    """Give what is known of a job as plain values, for `--json` and for people."""
    row, seen = job.row, job.snapshot
    actual = job.actual.model_dump(mode="json")
    return {
        "id": row.id,
        "name": row.name,
        "backend": row.backend,
        "attempt": row.attempt,
        "status": row.status.value,
        "submit_state": row.submit_state,
        "cancel_requested": row.cancel_requested,
        "waiting": _waiting(job),
        "remote_id": row.remote_id,
        "host": row.host,
        "base_model": row.model,
        "step": seen.step,
        "total_steps": seen.total_steps,
        "tokens_per_second": seen.tokens_per_second,
        "eta_s": seen.eta_s,
        "cost_usd": seen.cost_usd,
        "estimate": row.estimate,
        "actual": actual,
        "difference": _difference(row.estimate or {}, actual),
        "error": row.error or seen.error,
        "model": seen.model.model_dump(mode="json") if seen.model else row.model_ref,
        "created_at": row.created_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "spec": row.spec,
        "resolved": row.resolved,
        "losses": [_plain(loss) for loss in row.losses],
    }


def said(job: FineTuneJob, *, as_json: bool) -> None:
    """Print one job: all of it as JSON, or a line."""
    if as_json:
        show.document(described(job))
        return
    wish = " (cancel requested)" if job.row.cancel_requested and not job.status.terminal else ""
    wish = f" (waits for {_waiting(job)})" if _waiting(job) else wish
    show.result(f"{job.id}  {job.name}  {job.status.value}{wish}")


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if dump else value


def _get(job: str) -> FineTuneJob:
    from anytune.job import FineTuneJob  # noqa: PLC0415 - keeps `--help` light

    return FineTuneJob.get(job)


def _look(job: FineTuneJob) -> None:
    """Look at a job, also at one that succeeded: its files may be gone. What was last seen is shown where its backend cannot be asked."""
    from anytune.errors import AnytuneError  # noqa: PLC0415 - keeps `--help` light

    try:
        job.refresh()
    except AnytuneError as error:
        show.note(f"{job.name}: as last seen, because its backend could not be asked: {error}", "yellow")


def last_day(job: FineTuneJob) -> str | None:
    """Give the day from which the tuned model does not answer any more, where the catalogue knows one; nothing is asked."""
    from anytune import catalog  # noqa: PLC0415 - keeps `--help` light
    from anytune.errors import AnytuneError  # noqa: PLC0415 - as above

    made = job.snapshot.model
    if made is None or made.artifacts:  # files of one's own have no such day
        return None
    try:
        host = job.backend.catalog if job.backend.account == job.row.account else None  # the word may mean another host by now
        day = None if host is None else catalog.answers_until(host, made.base_model or job.row.model or made.id)
    except AnytuneError:  # without its key or plugin, nobody knows which host that backend speaks to
        return None
    return None if day is None else day.isoformat()


def _where(job: FineTuneJob) -> str:
    """Give the backend, with the place where it computes if one was named: one of them may cost money."""
    word = job.row.profile or ""
    return word if "@" in word else job.backend_name


def _waiting(job: FineTuneJob) -> str:
    """Say what a job waits for before it is sent."""
    row = job.row
    return row.waiting if row.submit_state == "intent" and not row.status.terminal else ""


def _difference(estimate: dict[str, Any], actual: dict[str, Any]) -> dict[str, float]:
    """Take the estimate from what the run took so far, figure by figure; below 0 it took less."""
    figures = ("tokens", "cost_usd", "minutes", "memory_bytes")
    return {
        name: round(actual[name] - estimate[name], 6) for name in figures if actual.get(name) is not None and estimate.get(name) is not None
    }


def _progress(job: FineTuneJob) -> str:
    seen = job.snapshot
    if seen.step is None:
        return ""
    return f"{seen.step}/{seen.total_steps}" if seen.total_steps else str(seen.step)


def _age(job: FineTuneJob) -> str:
    from anytune.values import now  # noqa: PLC0415 - keeps `--help` light

    age = f"{human((now() - job.row.created_at).total_seconds())} ago"
    return age if job.row.spec_hash else f"attached {age}"  # when the provider began it is not known here
