"""A migration in words, as Markdown for whoever decides on the switch. No row and no answer is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.migration.values import Migration, Plan

__all__ = ["markdown"]


def markdown(done: Migration) -> str:
    """Write a migration down, as far as it has come."""
    return "\n".join(_lines(done)) + "\n"


def _lines(done: Migration) -> Iterator[str]:
    plan = done.plan
    yield f"# {done.name}: {plan.origin.source} → {plan.to}\n"
    yield f"{_verdict(done)}\n"
    yield from _switch(done)
    yield from _what(plan)
    if done.candidates:
        yield "## Runs\n"
        yield f"| job | {plan.setting or 'tried'} | score | loss | |"
        yield "|---|---|---|---|---|"
        for each in done.candidates:
            cells = ("" if value is None else f"{value:g}" for value in (each.value, each.score, each.loss))
            yield f"| `{each.name}` | {' | '.join(cells)} | {'chosen: ' + done.why if each.job == done.chosen else ''} |"
        yield ""
    yield "## What does not come along\n"
    yield "| code | what | why | instead |"
    yield "|---|---|---|---|"
    for loss in plan.losses:
        yield f"| `{loss.code}` | {_cell(loss.what)} | {_cell(loss.why)} | {_cell(loss.instead)} |"


def _verdict(done: Migration) -> str:
    words = {
        "": "Old and new are not compared yet.",
        "pass": "**The new model is no worse than the old one**, by the margin that was fixed beforehand.",
        "fail": "**The new model is worse than the old one**, or may be by more than the margin.",
        "inconclusive": "**It is not shown** that the new model is no worse: more held-out rows, or a wider margin, would be needed.",
    }
    return "\n".join((words[done.outcome], *(f"- {reason}" for reason in (*done.reasons, *done.notes))))


def _switch(done: Migration) -> Iterator[str]:
    if done.switch is None:
        return
    yield "## The line to change\n"
    yield "```text"
    if done.switch.command:
        yield f"$ {done.switch.command}"
    if done.switch.before:
        yield f"- {done.switch.before}"
    yield f"+ {done.switch.line}"
    yield "```\n"


def _what(plan: Plan) -> Iterator[str]:
    yield "## What was moved\n"
    yield f"- from: {plan.origin.model or 'an unknown base'} at {plan.origin.backend or 'an unknown host'}"
    yield f"- to: {plan.model} at {plan.to}"
    yield from (f"- {role}: `{file.path.name}`, sha256 `{file.sha256}`" for role, file in plan.origin.files.items())
    method = plan.spec.get("method", {})
    yield f"- method: {', '.join(f'{name} {value}' for name, value in method.items())}"
    if plan.rate is not None:
        yield f"- learning rate: {plan.rate.basis}"
    if plan.dev_rows:
        yield f"- {plan.dev_rows} development rows, which no run trains on"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
