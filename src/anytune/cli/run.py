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
    from collections.abc import Iterator, Sequence

    from anytune.backend import Pushed
    from anytune.job import FineTuneJob
    from anytune.model import TunedModel
    from anytune.preflight import Preflight
    from anytune.spec import TrainingSpec
    from anytune.values import Finding

__all__ = ["preflight", "run", "submitted"]

Spec = Annotated[Path | None, typer.Argument(metavar="[SPEC]", help="YAML file; docs/reference/spec.md lists its keys.")]
AutoTrain = Annotated[Path | None, typer.Option("--autotrain", metavar="CONFIG", help="An AutoTrain YAML, instead of SPEC.")]
NewAttempt = Annotated[bool, typer.Option("--new-attempt", help="Start the next attempt after one that ended.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until the job has ended.")]
Timeout = Annotated[
    float | None, typer.Option(parser=seconds, metavar="DURATION", help="Stop waiting after 90s, 30m, 1h; the job goes on.")
]
Poll = Annotated[
    float | None, typer.Option(parser=seconds, metavar="DURATION", help="Time between two looks; the backend's usual one by default.")
]
Allow = Annotated[list[str] | None, typer.Option("--allow", metavar="CODE", help="Code of an error that shall not stop it; repeat it.")]
OnBackend = Annotated[str | None, typer.Option("--backend", "-b", help="Backend or profile to use instead of the one in the file.")]


def run(
    path: Spec = None,
    backend: OnBackend = None,
    autotrain: AutoTrain = None,
    new_attempt: NewAttempt = False,
    allow: Allow = None,
    wait: Wait = True,
    timeout: Timeout = None,
    poll: Poll = None,
    as_json: Json = False,
) -> int:
    """Run a spec as a job. The same spec again gives the same job; Ctrl-C stops the watching, not the job."""
    spec, translation = _read(path, backend, autotrain)
    return submitted(
        spec, translation, new_attempt=new_attempt, allow=allow or (), wait=wait, timeout_s=timeout, poll_s=poll, as_json=as_json
    )


def submitted(
    spec: TrainingSpec,
    translation: Sequence[Finding] | None = None,
    *,
    new_attempt: bool = False,
    allow: Sequence[str] = (),
    wait: bool = True,
    timeout_s: float | None = None,
    poll_s: float | None = None,
    as_json: bool = False,
) -> int:
    """Make the spec's job, watch it, and push its model where the spec asks for that.

    Args:
        spec: The spec.
        translation: What was found when it was translated from another tool's config; None where it was not.
        new_attempt: Start the next attempt after one that ended.
        allow: Codes of errors that shall not stop it.
        wait: Stay until the job has ended.
        timeout_s: Seconds of patience.
        poll_s: Seconds between two looks.
        as_json: Print one JSON document.
    """
    from anytune.cli.follow import detached, follow  # noqa: PLC0415 - keeps `--help` light
    from anytune.cli.jobs import described  # noqa: PLC0415 - as above
    from anytune.errors import AnytuneError  # noqa: PLC0415 - as above
    from anytune.job import FineTuneJob  # noqa: PLC0415 - as above

    repo = _repository(spec)
    report: Preflight | None = None

    def told(found: Preflight) -> None:
        nonlocal report
        report = found
        _tell(found)

    try:
        with _known_hosts(spec):
            job = FineTuneJob.create(spec, new_attempt=new_attempt, allow=allow, on_preflight=told)
    except AnytuneError as error:
        if as_json or report is None or report.ok:
            raise
        show.note(f"Nothing was sent or created: {_errors(report)}.", "bold red")  # which ones is said above
        return exit_code(error)
    except KeyboardInterrupt:
        _unanswered(spec)
        raise
    _begun(job)
    model = None
    if wait:
        try:
            model = follow(job, timeout_s=timeout_s, poll_s=poll_s)
        except KeyboardInterrupt:
            return detached(job, as_json=as_json)
    pushed = None if model is None or repo is None else model.push(repo, private=True)
    document = {"job": described(job), "preflight": _plain(report)} | ({} if translation is None else {"translation": list(translation)})
    _ended(job, model, pushed, document if as_json else None)
    if repo is not None and model is None:
        show.note(f"The model is not pushed to {repo} by itself: run this again when the job is done, or `anytune push {job.name} {repo}`.")
    return ExitCode.OK


def _begun(job: FineTuneJob) -> None:
    from anytune.observe import standing  # noqa: PLC0415 - keeps `--help` light

    show.note(f"Job {job.id} ({job.name}, attempt {job.attempt}, {job.row.profile or job.backend_name}) {standing(job.row)}.")


def _ended(job: FineTuneJob, model: TunedModel | None, pushed: Pushed | None, document: dict[str, Any] | None) -> None:
    if pushed is not None:
        show.note(f"Pushed to {pushed.url or pushed.repo}.")
    if document is not None:
        show.document(document | ({} if pushed is None else {"pushed": pushed}))
        return
    if model is not None:
        show.result(model.id)
        show.note(f"Done. Serve it: anytune deploy {job.name}")
        return
    show.result(job.id)
    ready = job.status.value == "succeeded"
    watch = "It is sent once somebody waits for it" if job.row.submit_state == "intent" else "Watch it"
    show.note(f"Done. Serve it: anytune deploy {job.name}" if ready else f"{watch}: anytune jobs watch {job.id}")


def _repository(spec: TrainingSpec) -> str | None:
    """Give the repository that a model of AutoTrain's words is to be pushed to.

    Raises:
        ConfigError: Nobody is named whom it shall belong to.
    """
    options = spec.options.get("autotrain", {})
    if not options.get("push_to_hub"):
        return None
    from anytune.errors import ConfigError  # noqa: PLC0415 - only here

    if not options.get("username"):
        raise ConfigError("`options.autotrain.push_to_hub` needs a `username` beside it.", fix="Name the account or organisation.")
    return f"{options['username']}/{spec.job_name}"


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
    path: Spec = None,
    backend: OnBackend = None,
    autotrain: AutoTrain = None,
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

    spec, translation = _read(path, backend, autotrain)
    if report is not None:
        writable(report)
    with _known_hosts(spec), bytes_read(spec.train.name) as progress:
        found = FineTuneJob.preflight(spec, allow=allow or (), skip=skip or (), deep=deep, probe=probe, progress=progress)
    if report is not None:
        save(found, report, title=f"{spec.job_name} on {spec.backend}")
    if as_json:
        show.document((_plain(found) or {}) | ({} if translation is None else {"translation": list(translation)}))
    else:
        _tell(found)
        show.result("ready to run" if found.ok else f"not ready: {_errors(found)}")
    return ExitCode.OK if found.ok else ExitCode.FAILED


def _read(path: Path | None, backend: str | None, autotrain: Path | None) -> tuple[TrainingSpec, tuple[Finding, ...] | None]:
    """Read the spec, or translate the config that stands in for it and say what that leaves out."""
    from anytune.spec import TrainingSpec  # noqa: PLC0415 - keeps `--help` light

    if (path is None) == (autotrain is None):
        raise typer.BadParameter("Give either SPEC or --autotrain CONFIG.")
    if autotrain is not None:
        from anytune.cli.autotrain import translated  # noqa: PLC0415 - as above
        from anytune.recipes.autotrain import from_yaml  # noqa: PLC0415 - as above

        return translated(from_yaml(autotrain), backend)
    spec = TrainingSpec.read(path or Path())
    return (spec if backend is None else spec.model_copy(update={"backend": backend})), None


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
