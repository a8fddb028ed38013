"""`anytune evaluate`, `gate` and `advise`: was tuning worth it, may it be promoted, should one tune at all?"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.exits import ExitCode
from anytune.cli.progress import questions_asked
from anytune.cli.show import Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from anytune.evaluation.advice import Advice
    from anytune.evaluation.run import Before
    from anytune.evaluation.spec import EvaluationSpec
    from anytune.evaluation.values import Evaluation

__all__ = ["advise", "evaluate", "gate"]

Spec = Annotated[Path | None, typer.Argument(metavar="[SPEC]", help="YAML file; docs/reference/evaluation.md lists its keys.")]
Data = Annotated[Path | None, typer.Option("--data", metavar="FILE", help="Held-out rows, instead of SPEC.")]
Train = Annotated[Path | None, typer.Option("--train", metavar="FILE", help="Training rows: examples and documents come from them.")]
Folder = Annotated[
    Path | None, typer.Option("--folder", metavar="DIR", help="Where answers and record are kept; a folder in ANYTUNE_HOME by default.")
]
Report = Annotated[
    list[Path] | None,
    typer.Option(
        "--report", metavar="FILE", help="Write it to a .html, .md, .json or .xml (JUnit) file too, or charts to a folder; repeat it."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Spend what is estimated without asking.")]


class _Told:
    """Tells what it will take before anything is asked, and hears whether it may."""

    def __init__(self, spec: EvaluationSpec, *, yes: bool, only: bool, as_json: bool) -> None:
        self.before: Before | None = None
        self._held = yes or spec.spending.max_usd is not None
        self._only, self._as_json, self._kind = only, as_json, spec.rule.kind

    def __call__(self, before: Before) -> bool:
        self.before = before
        for line in _estimate(before, self._kind):
            show.note(line)
        if self._only:
            return False
        if self._held or before.usd == 0 or not before.requests:
            return True
        if self._as_json or not sys.stdin.isatty():
            from anytune.errors import ConfigError  # noqa: PLC0415 - keeps `--help` light

            raise ConfigError(
                "This costs money, or may, and nobody is there to ask.",
                fix="Say `--yes`, or set `spending.max_usd` in the spec: it is held.",
            )
        return typer.confirm("Ask all of it?", err=True)


def evaluate(
    path: Spec = None,
    report: Report = None,
    folder: Folder = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Stop after saying what it would show and cost.")] = False,
    yes: Yes = False,
    job: Annotated[str | None, typer.Option("--job", metavar="NAME", help="Make a spec for this job's model, instead of SPEC.")] = None,
    data: Data = None,
    train: Train = None,
    write: Annotated[Path | None, typer.Option("--write", metavar="FILE", help="Where to write that spec.")] = None,
    as_json: Json = False,
) -> int:
    """Ask the same held-out rows of several arms, and say with honest statistics whether the candidate is better.

    What was answered before is not asked again: the same command goes on where it was stopped.
    """
    if job is not None or write is not None:
        return _started(path, job, data, train, write, as_json=as_json)
    if path is None or data is not None or train is not None:
        raise typer.BadParameter("Give SPEC; or --job, --data, --train and --write to have one written.")
    from anytune.evaluation import report as reports  # noqa: PLC0415 - keeps `--help` light
    from anytune.evaluation.run import Stopped, folder_of  # noqa: PLC0415 - as above
    from anytune.evaluation.run import evaluate as run  # noqa: PLC0415 - as above
    from anytune.evaluation.spec import EvaluationSpec  # noqa: PLC0415 - as above

    for file in report or ():
        reports.writable(file)
    spec = EvaluationSpec.read(path)
    told = _Told(spec, yes=yes, only=estimate, as_json=as_json)
    try:
        with _kept(spec.name) as progress:
            found = run(path, folder=folder, on_before=told, on_progress=progress)
    except Stopped:
        if as_json and told.before is not None:
            show.document({"before": told.before})
        elif not estimate:
            show.note("Nothing was asked.")
        return ExitCode.OK
    written = _saved(found, [(folder or folder_of(spec)) / "report.html", *(report or ())])
    if as_json:
        show.document({"evaluation": reports.plain(found), "written": [str(file) for file in written]})
        return ExitCode.OK
    _tell(found)
    show.note(f"Report: {written[0]}")
    return ExitCode.OK


def gate(
    path: Annotated[Path, typer.Argument(metavar="RECORD_OR_SPEC", help="An evaluation.json, or a spec, which is evaluated first.")],
    against: Annotated[
        Path | None, typer.Option("--spec", metavar="SPEC", help="The spec that a record has to answer: another rule is refused.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write Markdown for a pull request.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")] = None,
    report: Report = None,
    folder: Folder = None,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Decide by the rule that was fixed beforehand: 0 is pass, 1 fail, 2 inconclusive, and no mistake ends in one of them."""
    from anytune.evaluation import report as reports  # noqa: PLC0415 - keeps `--help` light
    from anytune.evaluation.gate import Gate, asked, held  # noqa: PLC0415 - as above
    from anytune.evaluation.run import Stopped  # noqa: PLC0415 - as above
    from anytune.evaluation.spec import EvaluationSpec  # noqa: PLC0415 - as above

    files = [file for file in (markdown, junit, *(report or ())) if file is not None]
    for file, ending in ((markdown, ".md"), (junit, ".xml")):
        if file is not None and file.suffix != ending:
            raise typer.BadParameter(f"{file.name!r} does not end in {ending}.")
    for file in files:
        reports.writable(file)
    if path.suffix == ".json":
        found = held(reports.read(path), EvaluationSpec.read(against) if against is not None else None)
    elif against is not None:
        raise typer.BadParameter("--spec is for a record: a spec is evaluated by itself.")
    else:
        spec = EvaluationSpec.read(path)
        told = _Told(spec, yes=yes, only=False, as_json=as_json)
        try:
            with _kept(spec.name) as progress:
                found = asked(path, folder=folder, on_before=told, on_progress=progress)
        except Stopped:
            show.note("Nothing was asked, and nothing is decided.")
            return ExitCode.NOT_GATED
    _saved(found, files)
    code = Gate.of(found)
    if as_json:
        show.document({"outcome": found.decision.outcome, "exit_code": int(code), "decision": found.decision, "drift": found.drift})
        return code
    _decided(found)
    return code


def advise(
    path: Spec = None,
    requests_per_month: Annotated[
        int | None, typer.Option("--requests-per-month", metavar="N", min=1, help="How often the app will ask; the spec's by default.")
    ] = None,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Who would train, and hosts the base meanwhile.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="What would be tuned.")] = None,
    data: Data = None,
    train: Train = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write it to a .md or .json file too.")] = None,
    folder: Folder = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Stop after saying what it would show and cost.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Should I tune? Asks the untuned arms, quotes the tuning, and says what gain would pay for it. Makes no job."""
    from anytune.evaluation import advice as room  # noqa: PLC0415 - keeps `--help` light
    from anytune.evaluation.report import plain  # noqa: PLC0415 - as above
    from anytune.evaluation.run import Stopped  # noqa: PLC0415 - as above

    if report is not None and report.suffix not in {".md", ".json"}:
        raise typer.BadParameter(f"{report.name!r} ends in neither .md nor .json.")
    spec = _advised(path, backend, model, data, train)
    told = _Told(spec, yes=yes, only=estimate, as_json=as_json)
    try:
        with _kept(spec.name) as progress:
            found = room.advise(
                spec,
                requests_per_month=requests_per_month,
                backend=backend,
                model=model,
                folder=folder,
                on_before=told,
                on_progress=progress,
            )
    except Stopped:
        if as_json and told.before is not None:
            show.document({"before": told.before})
        return ExitCode.OK
    if report is not None:
        room.save(found, report)
    if as_json:
        show.document(plain(found))
    else:
        _advice(found)
    return ExitCode.OK


@contextmanager
def _kept(what: str) -> Iterator[Callable[[int, int], object] | None]:
    """Draw how far the asking is, and say on Ctrl-C that nothing of it is lost."""
    try:
        with questions_asked(what) as progress:
            yield progress
    except KeyboardInterrupt:
        show.note("What was answered is kept: the same command goes on from there.", "yellow")
        raise


def _started(path: Path | None, job: str | None, data: Path | None, train: Path | None, write: Path | None, *, as_json: bool) -> int:
    from anytune.evaluation.starting import of_job, written  # noqa: PLC0415 - keeps `--help` light

    if path is not None or job is None or data is None or train is None or write is None:
        raise typer.BadParameter("A spec is written by --job, --data, --train and --write together, without SPEC.")
    spec = of_job(job, data=data, train=train)
    written(spec, write)
    if as_json:
        show.document({"written": str(write), "spec": spec})
        return ExitCode.OK
    show.result(write)
    show.note(f"Read it, above all the prompt and the graders. Then: anytune evaluate {write}")
    return ExitCode.OK


def _advised(path: Path | None, backend: str | None, model: str | None, data: Path | None, train: Path | None) -> EvaluationSpec:
    from anytune.evaluation.spec import EvaluationSpec  # noqa: PLC0415 - keeps `--help` light
    from anytune.evaluation.starting import of_model  # noqa: PLC0415 - as above

    if path is not None:
        if data is not None or train is not None:
            raise typer.BadParameter("SPEC names its own rows: leave --data and --train out.")
        return EvaluationSpec.read(path)
    if backend is None or model is None or data is None or train is None:
        raise typer.BadParameter("Give SPEC, or --backend, --model, --data and --train.")
    return of_model(backend, model, data=data, train=train)


def _estimate(before: Before, kind: str) -> Sequence[str]:
    from anytune.cli.quotes import dollars  # noqa: PLC0415 - keeps `--help` light
    from anytune.evaluation.report import words  # noqa: PLC0415 - as above

    cost = "at a price that is not known" if before.usd is None else f"for {_about(dollars(before.usd))}"
    most = "" if not before.usd_at_most else f", {dollars(before.usd_at_most)} at most"
    lines = [
        words.power(before.power, kind),
        f"{before.requests:,} questions, {cost}{most} ({before.basis}); what was answered before is not asked again.",
    ]
    return [*lines, *([before.left_out] if before.left_out else [])]


def _about(amount: str) -> str:
    return "nothing" if amount == "$0.00" else amount if amount.startswith("less") else f"about {amount}"


def _saved(found: Evaluation, files: Sequence[Path]) -> list[Path]:
    from anytune.evaluation.report import save  # noqa: PLC0415 - keeps `--help` light

    for file in files:
        save(found, file)
    return list(files)


def _tell(found: Evaluation) -> None:
    from anytune.evaluation.report import figures, words  # noqa: PLC0415 - keeps `--help` light

    def row(arm: Any) -> tuple[str, ...]:
        score, latency = arm.scores.get(found.primary), arm.latency_p50_s
        costs = [figures.usd(value if value is None else value * 1000) for value in (arm.usd_per_request, arm.usd_per_correct)]
        told = figures.UNKNOWN if score is None else figures.percent(score.value)
        half = figures.seconds(latency.value if latency is not None else None)
        return (arm.name, told, figures.interval(score), words.answered(arm), *costs, half)

    headings = ("arm", found.primary, "interval", "failed or not gradable", "1,000 requests", "1,000 correct", "half within")
    show.table(headings, [row(arm) for arm in found.arms], empty="No arm.")
    _decided(found)


def _decided(found: Evaluation) -> None:
    from anytune.evaluation.report import words  # noqa: PLC0415 - keeps `--help` light

    show.result(f"{found.decision.outcome}: {words.headline(found)}")
    for line in (words.task(found), *found.decision.reasons):
        show.note(line)


def _advice(found: Advice) -> None:
    _tell_arms(found)
    for number, one in enumerate(found.questions, start=1):
        show.result(f"{number}. {one.question}\n   {one.answer}")


def _tell_arms(found: Advice) -> None:
    from anytune.evaluation.report import figures  # noqa: PLC0415 - keeps `--help` light

    arms = [(arm, arm.scores.get(found.evaluation.primary)) for arm in found.evaluation.arms]
    rows = [
        (arm.name, figures.percent(score.value), figures.interval(score), figures.usd(arm.usd_per_request and arm.usd_per_request * 1000))
        for arm, score in arms
        if score is not None
    ]
    show.table(("untuned", found.evaluation.primary, "interval", "1,000 requests"), rows, empty="No arm.")
