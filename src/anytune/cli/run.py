"""`anytune run` and `anytune preflight`: a spec file becomes a job, after all that can be known about it was said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.durations import human, seconds
from anytune.cli.exits import ExitCode
from anytune.cli.progress import bytes_read
from anytune.cli.show import Json

if TYPE_CHECKING:
    from anytune.preflight import Preflight
    from anytune.spec import TrainingSpec

__all__ = ["preflight", "run"]

Spec = Annotated[Path, typer.Argument(metavar="SPEC", help="YAML file; docs/reference/spec.md lists its keys.")]
Allow = Annotated[list[str] | None, typer.Option("--allow", metavar="CODE", help="Code of an error that shall not stop it; repeat it.")]
OnBackend = Annotated[str | None, typer.Option("--backend", "-b", help="Backend or profile to use instead of the one in the file.")]


def run(
    path: Spec,
    backend: OnBackend = None,
    new_attempt: Annotated[bool, typer.Option("--new-attempt", help="Start the next attempt after one that ended.")] = False,
    allow: Allow = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until the job has ended.")] = True,
    timeout: Annotated[
        float | None, typer.Option(parser=seconds, metavar="DURATION", help="Stop waiting after 90s, 30m, 1h; the job goes on.")
    ] = None,
    poll: Annotated[
        float | None, typer.Option(parser=seconds, metavar="DURATION", help="Time between two looks; the backend's usual one by default.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Run a spec as a job. The same spec again gives the same job; Ctrl-C stops the watching, not the job."""
    from anytune.cli.follow import detached, follow  # noqa: PLC0415 - keeps `--help` light
    from anytune.cli.jobs import described  # noqa: PLC0415 - as above
    from anytune.job import FineTuneJob  # noqa: PLC0415 - as above

    spec = _read(path, backend)
    report: Preflight | None = None

    def told(found: Preflight) -> None:
        nonlocal report
        report = found
        _tell(found)

    job = FineTuneJob.create(spec, new_attempt=new_attempt, allow=allow or (), on_preflight=told)
    show.note(f"Job {job.id} ({job.name}, attempt {job.attempt}) is {job.status.value} on {job.backend_name}.")
    model = None
    if wait:
        try:
            model = follow(job, timeout_s=timeout, poll_s=poll)
        except KeyboardInterrupt:
            return detached(job, as_json=as_json)
    if as_json:
        show.document({"job": described(job), "preflight": _plain(report)})
    elif model is not None:
        show.result(model.id)
        show.note(f"Done. Serve it: anytune deploy {job.name}")
    else:
        show.result(job.id)
        show.note(f"Watch it: anytune jobs watch {job.id}")
    return ExitCode.OK


def preflight(
    path: Spec,
    backend: OnBackend = None,
    allow: Allow = None,
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip", metavar="CHECK", help="Check of the data to leave out: secrets, personal-data, near-duplicates, or a code."),
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Look at all rows of long files, not at a sample.")] = False,
    probe: Annotated[bool, typer.Option("--probe", help="Measure speed and memory by a few real steps on the longest rows.")] = False,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write it to a .html or .json file too.")] = None,
    as_json: Json = False,
) -> int:
    """Check a spec and its data, list what the backend has no word for, and quote the run. Makes no job."""
    from anytune.job import FineTuneJob  # noqa: PLC0415 - keeps `--help` light
    from anytune.report import save  # noqa: PLC0415 - as above

    spec = _read(path, backend)
    with bytes_read(spec.train.name) as progress:
        found = FineTuneJob.preflight(spec, allow=allow or (), skip=skip or (), deep=deep, probe=probe, progress=progress)
    if report is not None:
        save(found, report, title=f"{spec.job_name} on {spec.backend}")
    if as_json:
        show.document(_plain(found))
    else:
        _tell(found)
        show.result("ready to run" if found.ok else f"not ready: {len(found.errors)} error(s)")
    return ExitCode.OK if found.ok else ExitCode.FAILED


def _read(path: Path, backend: str | None) -> TrainingSpec:
    from anytune.spec import TrainingSpec  # noqa: PLC0415 - keeps `--help` light

    spec = TrainingSpec.read(path)
    return spec if backend is None else spec.model_copy(update={"backend": backend})


def _tell(report: Preflight) -> None:
    show.findings((*report.findings, *report.losses))
    quote = report.quote
    if quote == type(quote)():
        return
    amounts = [f"{report.stats.rows} rows"]
    if quote.tokens is not None:
        amounts.append(f"{quote.tokens:,} tokens")
    if quote.minutes is not None:
        amounts.append(f"about {human(quote.minutes * 60)}")
    if quote.cost_usd is not None:
        amounts.append(f"${quote.cost_usd:,.2f}")
    if quote.hosting_usd_per_hour:
        amounts.append(f"then ${quote.hosting_usd_per_hour:,.2f} an hour while it is deployed")
    if quote.memory_bytes is not None:
        amounts.append(f"{show.size(quote.memory_bytes)} of memory")
    show.note(f"quote: {', '.join(amounts)}" + (f" ({quote.basis})" if quote.basis else ""))


def _plain(report: Preflight | None) -> dict[str, Any] | None:
    return None if report is None else {"ok": report.ok, **report.model_dump(mode="json")}
