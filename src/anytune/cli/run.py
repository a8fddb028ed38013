"""`anytune run` and `anytune preflight`: a spec file becomes a job, after all that can be known about it was said."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.durations import seconds
from anytune.cli.exits import ExitCode, exit_code
from anytune.cli.progress import bytes_read
from anytune.cli.quotes import amounts
from anytune.cli.show import Json

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    from anytune.errors import AnytuneError  # noqa: PLC0415 - as above
    from anytune.job import FineTuneJob  # noqa: PLC0415 - as above

    spec = _read(path, backend)
    report: Preflight | None = None

    def told(found: Preflight) -> None:
        nonlocal report
        report = found
        _tell(found)

    try:
        with _known_hosts(spec):
            job = FineTuneJob.create(spec, new_attempt=new_attempt, allow=allow or (), on_preflight=told)
    except AnytuneError as error:
        if as_json or report is None or report.ok:
            raise
        show.note(f"Nothing was sent or created: {_errors(report)}.", "bold red")  # which ones is said above
        return exit_code(error)
    except KeyboardInterrupt:
        _unanswered(spec)
        raise
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
        ready = job.status.value == "succeeded"
        show.note(f"Done. Serve it: anytune deploy {job.name}" if ready else f"Watch it: anytune jobs watch {job.id}")
    return ExitCode.OK


def _unanswered(spec: TrainingSpec) -> None:
    """Say it where a job was being sent when somebody stopped the command: the provider may have it, and bill it."""
    from anytune.job import FineTuneJob  # noqa: PLC0415 - keeps `--help` light

    for job in FineTuneJob.list(name=spec.job_name, limit=1):
        if job.row.submit_state in {"sending", "in_doubt"}:
            show.note(
                f"Job {job.name} was being sent: {job.backend_name} may run and bill it. The same command finds out, and sends nothing "
                f"twice; `anytune jobs cancel {job.id}` ends it.",
                "yellow",
            )


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
    from anytune.report import save, writable  # noqa: PLC0415 - as above

    spec = _read(path, backend)
    if report is not None:
        writable(report)
    with _known_hosts(spec), bytes_read(spec.train.name) as progress:
        found = FineTuneJob.preflight(spec, allow=allow or (), skip=skip or (), deep=deep, probe=probe, progress=progress)
    if report is not None:
        save(found, report, title=f"{spec.job_name} on {spec.backend}")
    if as_json:
        show.document(_plain(found))
    else:
        _tell(found)
        show.result("ready to run" if found.ok else f"not ready: {_errors(found)}")
    return ExitCode.OK if found.ok else ExitCode.FAILED


def _read(path: Path, backend: str | None) -> TrainingSpec:
    from anytune.spec import TrainingSpec  # noqa: PLC0415 - keeps `--help` light

    spec = TrainingSpec.read(path)
    return spec if backend is None else spec.model_copy(update={"backend": backend})


@contextmanager
def _known_hosts(spec: TrainingSpec) -> Iterator[None]:
    """Where a host's plugin is missing, say what can be known of it without."""
    from anytune import catalog  # noqa: PLC0415 - keeps `--help` light
    from anytune.catalog.names import named  # noqa: PLC0415 - as above
    from anytune.errors import BackendMissing, ConfigError  # noqa: PLC0415 - as above

    try:
        yield
    except BackendMissing as error:
        if spec.backend not in catalog.hosts():
            raise
        known = catalog.opened(spec.backend)
        try:
            model = spec.model_for(spec.backend, spec.backend)
        except ConfigError:
            model = ""
        if known is None or named(known.host, model) is None:
            model = "MODEL"  # the spec names another backend's
        method = spec.method.type
        look = f"anytune data check {spec.train} --backend {spec.backend} --model {model} --method {method}"
        fix = f"{error.fix} Its dated rules and prices need no plugin: {look}"
        raise BackendMissing(error.message, fix=fix) from error


def _errors(report: Preflight) -> str:
    count = len(report.errors)
    return "1 error" if count == 1 else f"{count:,} errors"


def _tell(report: Preflight) -> None:
    show.findings((*report.findings, *report.losses))
    quote, tokens = report.quote, report.stats.tokens
    words = ["1 row" if report.stats.rows == 1 else f"{report.stats.rows:,} rows"]
    if quote == type(quote)():
        if report.ok:
            words += [] if tokens is None else [f"{tokens:,} tokens a pass"]
            show.note(f"quote: {', '.join(words)}; no price is known for this run")
        return
    words += amounts(quote)
    show.note(f"quote: {', '.join(words)}" + (f" ({quote.basis})" if quote.basis else ""))


def _plain(report: Preflight | None) -> dict[str, Any] | None:
    return None if report is None else {"ok": report.ok, **report.model_dump(mode="json")}
