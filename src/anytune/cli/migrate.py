"""`anytune capture` and `anytune migrate`: keep what a model answers, then train the same job elsewhere and compare."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import options, show
from anytune.cli.exits import ExitCode
from anytune.cli.quotes import amounts, dollars
from anytune.cli.show import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.migration.capturing import Plan as CapturePlan
    from anytune.migration.values import Migration, Plan

__all__ = ["capture", "migrate"]

Params = Annotated[list[str] | None, typer.Option("--param", metavar="KEY=VALUE", help="What is sent with each question; repeat it.")]
_FEW = 3
_TOLD = 50


def capture(
    model: Annotated[str, typer.Argument(help="A job's name, `openai:ftjob-…`, or a model's id.")],
    data: Annotated[str, typer.Option("--data", metavar="FILE", help="Held-out rows.")],
    samples: Annotated[int, typer.Option(min=1, help="Answers for each question.")] = 3,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Who hosts the model, where its word does not say it.")] = None,
    base_url: Annotated[str | None, typer.Option(help="An OpenAI-compatible address up to /v1 instead.")] = None,
    api_key_env: Annotated[str | None, typer.Option(help="Environment variable that holds that address's key.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file; DATA.captured.jsonl by default.")] = None,
    param: Params = None,
    rows: Annotated[int | None, typer.Option(min=1, help="At most so many questions, drawn by hash.")] = None,
    max_usd: Annotated[float | None, typer.Option(min=0, help="Stop before more than this is spent.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions in flight.")] = 8,
    deploy: Annotated[
        list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="Of the host that the model needs; repeat it.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Keep what a model answers while it still does. Run it again, and only what is missing is asked."""
    from anytune.migration import capturing  # noqa: PLC0415 - keeps `--help` light

    key: Any = _key(api_key_env)
    done = capturing.capture(
        model, data, samples=samples, backend=backend, base_url=base_url, api_key=key, out=out,
        params=options.read(param) if param else None, rows=rows, max_usd=max_usd, concurrency=concurrency,
        deploy=options.read(deploy or ()), on_plan=_said, on_answer=_counted,
    )  # fmt: skip
    if as_json:
        known = {"path": done.path, "missing": done.missing, "agreement": done.agreement, "models": done.models}
        show.document(known | {"header": done.header})
    else:
        show.result(done.path)
        if done.agreement is not None:
            show.note(f"The model gave the same answer to the same question {done.agreement:.0%} of the times.")
    if done.missing:
        show.note(f"{done.missing} answers are missing or failed: run the same again.", "yellow")
        return ExitCode.BACKEND
    if done.header.samples < _FEW:
        show.note("With fewer than 3 samples a model's own noise is hardly seen: `--samples 3` adds what is missing.", "yellow")
    return ExitCode.OK


def migrate(
    source: Annotated[str, typer.Argument(help="`openai:ftjob-…`, `azure:ftjob-…`, a job's name, or `files:train.jsonl[,valid.jsonl]`.")],
    to: Annotated[str, typer.Option("--to", metavar="BACKEND", help="Who trains: a backend or profile.")],
    model: Annotated[str, typer.Option("--model", help="What is tuned there.")],
    name: Annotated[str | None, typer.Option(help="What the migration and its jobs are called.")] = None,
    train: Annotated[Path | None, typer.Option(help="Training rows, where the host has them no more.")] = None,
    validation: Annotated[Path | None, typer.Option(help="Validation rows, in the same way.")] = None,
    hyperparameters: Annotated[Path | None, typer.Option(metavar="YAML", help="For files: the method with its settings.")] = None,
    adapter: Annotated[str | None, typer.Option(help="lora, qlora or full.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the method, before what was found; repeat it.")
    ] = None,
    sweep: Annotated[bool | None, typer.Option("--sweep/--no-sweep", help="Try three rates; by default where it runs here.")] = None,
    accept_losses: Annotated[bool, typer.Option("--accept-losses", help="Accept all that is lost.")] = False,
    accept: Annotated[list[str] | None, typer.Option(metavar="CODE", help="Accept one kind of loss; repeat it.")] = None,
    data: Annotated[Path | None, typer.Option(help="Held-out rows on which old and new are compared.")] = None,
    captured: Annotated[Path | None, typer.Option(help="The old model's answers, of `anytune capture`.")] = None,
    criteria: Annotated[Path | None, typer.Option(help="An exported eval of OpenAI: its `testing_criteria` are the graders.")] = None,
    margin: Annotated[float, typer.Option(min=0.0001, max=0.99, help="How much worse is still no worse.")] = 0.03,
    param: Params = None,
    max_usd: Annotated[float | None, typer.Option(min=0, help="Nothing is trained where the quote is higher.")] = None,
    plan_only: Annotated[bool, typer.Option("--plan", help="Say what would be done, and make nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before jobs that cost money.")] = False,
    as_json: Json = False,
) -> int:
    """Train a tuned model's job elsewhere, compare old and new, and say which line of the app changes. Run it again, and it goes on."""
    from anytune.migration import migrating  # noqa: PLC0415 - keeps `--help` light
    from anytune.migration.criteria import read_criteria  # noqa: PLC0415 - as above
    from anytune.settings import read_yaml  # noqa: PLC0415 - as above

    method = read_yaml(hyperparameters, what="the method", fix="Write `type: sft` and settings.") if hyperparameters else None
    graders: dict[str, Any] = {} if criteria is None else {"graders": read_criteria(criteria)}
    done = migrating.migrate(
        source, to=to, model=model, name=name, train=train, validation=validation, method=method, adapter=adapter,
        settings=options.read(setting or ()), sweep=sweep, accept_losses=accept_losses, accept=accept or (), data=data, captured=captured,
        margin=margin, params=options.read(param) if param else None, max_usd=max_usd, on_plan=_asked(plan_only=plan_only, yes=yes),
        on_step=show.note, **graders,
    )  # fmt: skip
    if as_json:
        show.document(done)
    else:
        _ended(done)
    return ExitCode.FAILED if done.outcome in {"fail", "inconclusive"} else ExitCode.OK


def _key(name: str | None) -> object:
    from pydantic import SecretStr  # noqa: PLC0415 - keeps `--help` light

    from anytune.errors import AuthError  # noqa: PLC0415 - as above

    if name is None:
        return None
    if not os.environ.get(name):
        raise AuthError(f"{name} is not set.", fix=f"export {name}=…")
    return SecretStr(os.environ[name])


def _said(plan: CapturePlan) -> None:
    from anytune.values import now  # noqa: PLC0415 - keeps `--help` light

    cost = f"about {dollars(plan.cost.usd)}, at most {dollars(plan.cost.most_usd or 0)}" if plan.cost.usd is not None else "cost not known"
    show.note(f"{plan.missing:,} of {plan.cases * plan.samples:,} answers to come from {plan.model}: {cost} ({plan.cost.basis}).")
    if plan.answers_until is not None:
        left = (plan.answers_until - now().date()).days
        words = f"in {left} days" if left > 0 else "it may not answer any more"
        show.note(f"{plan.model} stops answering on {plan.answers_until} ({words}), by the catalogue.", "yellow")


def _counted(count: int, total: int) -> None:
    if count % _TOLD == 0 or count == total:
        show.note(f"{count:,} of {total:,} answers")


def _asked(*, plan_only: bool, yes: bool) -> Callable[[Plan], bool]:
    """Make what shows the plan, and asks before money is spent."""

    def ask(plan: Plan) -> bool:
        _planned(plan)
        if plan_only:
            return False
        if yes or not plan.usd:
            return True
        if not sys.stdin.isatty():
            raise typer.BadParameter(f"{plan.runs} runs cost about {dollars(plan.usd)}: say --yes, or --plan to see the plan alone.")
        return typer.confirm(f"{plan.runs} runs cost about {dollars(plan.usd)}. Go on?", err=True)

    return ask


def _planned(plan: Plan) -> None:
    show.note(f"{plan.origin.source} → {plan.model} at {plan.to}, as {plan.name}.")
    for loss in plan.losses:
        show.note(f"loses `{loss.code}`: {loss.what}; {loss.why}. Instead: {loss.instead}.", "yellow")
    show.findings(plan.findings)
    if plan.rate is not None:
        show.note(f"Learning rate: {plan.rate.basis}.")
    tried = f" ({plan.setting}: {', '.join(f'{value:g}' for value in plan.tries)})" if plan.tries else ""
    each = ", ".join(amounts(plan.quote)) or "no figures are known"
    show.note(f"{plan.runs} {'run' if plan.runs == 1 else 'runs'}{tried}; each: {each}.")


def _ended(done: Migration) -> None:
    if done.state == "planned":
        show.result(done.folder)
        show.note("Nothing was made. Without `--plan`, and with the losses accepted, it is.")
        return
    for line in (*done.reasons, *done.notes):
        show.note(line)
    if done.outcome:
        show.note(f"The comparison says: {done.outcome}.", None if done.outcome == "pass" else "bold red")
    if done.switch is not None:
        if done.switch.command:
            show.note(f"Start its host: {done.switch.command}")
        show.note("The line to change in the app:")
        if done.switch.before:
            show.result(f"- {done.switch.before}")
        show.result(f"+ {done.switch.line}")
    show.note(f"The report: {done.folder}/migration.md")
