"""What an evaluation found, in words: one sentence that a manager understands, one for an engineer, and what each part means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from anytune.evaluation.report import figures
from anytune.evaluation.values import Comparison, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.evaluation.values import ArmResult, Decision, Evaluation, Power

__all__ = ["OUTCOMES", "VERDICTS", "answered", "break_even", "compared", "headline", "noise", "power", "probes", "rule", "task"]

OUTCOMES = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive"}

VERDICTS = {
    Verdict.TOO_FEW_SAMPLES: "too few rows",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NO_CHANGE: "no change",
    Verdict.IMPROVED: "improved",
    Verdict.DEGRADED: "degraded",
}


def headline(evaluation: Evaluation) -> str:
    """Say in one sentence, without a term of statistics, what came out."""
    decision, first = evaluation.decision, _first(evaluation)
    candidate, baselines = _name(decision.candidate), listed(decision.baselines or (evaluation.baseline,))
    if decision.outcome == "pass":
        if decision.kind == "superiority":
            return f"Yes: {candidate} is better than {baselines}."
        better = ", and even better" if first is not None and first.verdict is Verdict.IMPROVED else ""
        return f"Yes: {candidate} is no more than {_margin(decision)} points worse than {baselines}{better}."
    if decision.outcome == "fail":
        return f"No: {_why_not(evaluation, first, candidate, baselines)}"
    if first is None:
        return "Not known: nothing could be compared."
    if first.verdict is Verdict.TOO_FEW_SAMPLES:
        return f"Not known yet: {_rows(first)} are too few to decide whether {candidate} is {_asked(decision)} {baselines}."
    if first.verdict is Verdict.IMPROVED:  # another comparison, or the drift check, is open
        return f"Not known yet: {candidate} is better than {_name(first.baseline)}, but not all that was asked for is shown."
    span = f"it may be anything from {_side(first.low)} to {_side(first.high)}"
    return f"Not known yet whether {candidate} is {_asked(decision)} {_name(first.baseline)}: {span}."


def _asked(decision: Decision) -> str:
    return "better than" if decision.kind == "superiority" else f"no more than {_margin(decision)} points worse than"


def _why_not(evaluation: Evaluation, first: Comparison | None, candidate: str, baselines: str) -> str:
    if first is not None and first.verdict is Verdict.DEGRADED:
        return f"{candidate} is worse than {_name(first.baseline)}."
    shown = first is not None and (first.verdict is Verdict.IMPROVED or evaluation.decision.kind == "non_inferiority")
    if shown and evaluation.drift:
        return f"{candidate} holds its own at the task, but not all that was asked for holds: the reasons are below."
    if evaluation.decision.kind == "non_inferiority":
        return f"{candidate} is worse than {baselines} by more than {_margin(evaluation.decision)} points."
    return f"{candidate} did not turn out better than {baselines}."


def task(evaluation: Evaluation) -> str:
    """Say how well both did, and what each costs, as far as that is known."""
    first = _first(evaluation)
    if first is None:
        return ""
    right = "answered {} of {} held-out questions right" if first.binary else "scored {} on {} held-out questions"
    said = right.format(figures.percent(first.candidate_score), f"{first.rows:,}")
    parts = [f"{_name(first.candidate)} {said}, {_name(first.baseline)} {figures.percent(first.baseline_score)}."]
    arms = {arm.name: arm for arm in evaluation.arms}
    ours, theirs = arms.get(first.candidate), arms.get(first.baseline)
    if ours and theirs and ours.usd_per_request is not None and theirs.usd_per_request is not None:
        parts.append(
            f"1,000 requests cost {figures.usd(ours.usd_per_request * 1000)} instead of {figures.usd(theirs.usd_per_request * 1000)}."
        )
    return " ".join(parts)


def compared(comparison: Comparison) -> str:
    """Say for an engineer what a comparison found, and by which methods."""
    found = comparison
    bounds = f"{figures.percent(found.level, 0)} interval {figures.points(found.low)} to {figures.points(found.high)}"
    text = (
        f"{_name(found.grader)}: {figures.percent(found.candidate_score)} against {figures.percent(found.baseline_score)}, "
        f"difference {figures.points(found.difference)} points, {bounds} ({found.interval}); {_p(found)} ({found.test}); "
        f"{found.wins:,} won, {found.losses:,} lost, {found.ties:,} the same, {_rows(found)}"
    )
    if found.margin is not None:
        text += f"; margin {found.margin * 100:g} points, p = {figures.p_value(found.p_non_inferior)} against being worse by it"
    return text + "."


def rule(decision: Decision, evaluation: Evaluation) -> str:
    """Say which rule was fixed beforehand."""
    wanted = f"has to be {_asked(decision)}"
    each = "each of " if len(decision.baselines) > 1 else ""
    by = _name(evaluation.primary)
    return f"{_name(decision.candidate)} {wanted} {each}{listed(decision.baselines)}, by {by}: so says the spec."


def noise(evaluation: Evaluation) -> str:
    """Say what the same arm asked twice shows."""
    found = evaluation.noise
    if found is None:
        return "No arm was asked twice (`again`): how much chance alone moves was not measured."
    moved = found.wins + found.losses
    return (
        f"{_name(found.baseline)} was asked twice. Nothing differs but chance, and {moved:,} of {_rows(found)} came out otherwise: "
        f"{figures.points(found.difference)} points ({figures.points(found.low)} to {figures.points(found.high)}). "
        "A difference within that interval may be chance."
    )


def power(found: Power, kind: str) -> str:
    """Say what so many rows can show, as it is said before anything is asked; `kind` is what has to be shown."""
    if found.gain is None:
        return f"{found.rows:,} independent rows cannot show any gain ({found.assumed})."
    often = f"in {figures.percent(found.power, 0)} of cases"
    if kind == "non_inferiority":
        text = f"{found.rows:,} independent rows show that a candidate is no worse by the margin where it truly is at"
        return f"{text} {figures.points(found.gain)} points or better, {often}. Assumed: {found.assumed}."
    text = (
        f"{found.rows:,} independent rows find a true gain of {found.gain * 100:.1f} points {often}; a smaller one is likely to be missed."
    )
    return f"{text} At most {figures.percent(found.alpha, 0)} of useless candidates pass. Assumed: {found.assumed}."


def break_even(evaluation: Evaluation) -> str:
    """Say from when on the candidate is the cheaper one, or that this was not established."""
    found = evaluation.break_even
    if found is None:
        return "Break-even was not computed: costs of both arms are not known."
    basis = f" {found.basis[:1].upper()}{found.basis[1:].rstrip('.')}." if found.basis else ""
    if found.requests is None:
        return f"No break-even established between {_name(found.candidate)} and {_name(found.baseline)}.{basis}"
    bounds = figures.interval(found.requests, figures.count)
    told = f"after {figures.count(found.requests.value)} requests" + (f" ({bounds})" if bounds else "")
    return f"{_name(found.candidate)} is the cheaper one {told}.{basis}"


def probes(evaluation: Evaluation) -> list[tuple[str, Comparison | None]]:
    """Give the findings of the drift check by their names; a finding whose comparison cannot be read is kept, without it."""
    found: list[tuple[str, Comparison | None]] = []
    for raw in evaluation.drift:
        try:
            comparison = Comparison.model_validate(raw.get("comparison"))
        except ValidationError:
            comparison = None
        found.append((str(raw.get("probe", "")), comparison))
    return found


def answered(arm: ArmResult) -> str:
    """Say how many answers of an arm count as wrong because there is none, or none that could be graded."""
    parts = [f"{arm.errors:,} failed" if arm.errors else "", f"{arm.ungraded:,} not gradable" if arm.ungraded else ""]
    return ", ".join(part for part in parts if part) or "none"


def listed(names: Sequence[str]) -> str:
    """Write names one after the other.

    Example:
        >>> listed(["base", "few_shot", "retrieval"])
        'base, few_shot and retrieval'
    """
    *before, last = [_name(name) for name in names] or ["nothing"]
    return f"{', '.join(before)} and {last}" if before else last


def _first(evaluation: Evaluation) -> Comparison | None:
    return evaluation.comparisons[0] if evaluation.comparisons else None


def _name(name: str) -> str:
    """Keep a name a name: no report is made unreadable by a long one."""
    return name if len(name) <= 60 else f"{name[:60]}…"  # noqa: PLR2004 - a line


def _margin(decision: Decision) -> str:
    return f"{(decision.margin or 0) * 100:g}"


def _side(difference: float) -> str:
    return f"{abs(difference) * 100:.1f} points {'worse' if difference < 0 else 'better'}"


def _rows(found: Comparison) -> str:
    rows = f"{found.rows:,} rows"
    return rows if found.groups is None else f"{rows} in {found.groups:,} groups"


def _p(found: Comparison) -> str:
    value = figures.p_value(found.p_value)
    text = f"p {value}" if value.startswith("<") else f"p = {value}"
    return text if found.p_adjusted is None else f"{text}, after Holm {figures.p_value(found.p_adjusted)}"
