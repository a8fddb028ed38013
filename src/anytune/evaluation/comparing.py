"""Which arms are compared, by which grader, and what this evaluation cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from anytune.evaluation import spec as words
from anytune.evaluation.statistics import adjusted, compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anytune.evaluation.choosing import Chosen
    from anytune.evaluation.grading import Marks
    from anytune.evaluation.spec import EvaluationSpec
    from anytune.evaluation.values import Choice, Comparison

__all__ = ["Compared", "compared", "limits"]


class Compared(NamedTuple):
    """What was compared.

    Attributes:
        headline: The candidate against each baseline of the rule, by the primary grader: what the gate decides on.
        rest: Against other arms and by other graders, with p-values after Holm: one of several may look good by chance.
        noise: An arm against itself; None where no arm was asked again.
    """

    headline: list[Comparison]
    rest: list[Comparison]
    noise: Comparison | None


def compared(spec: EvaluationSpec, marks: Marks, baselines: Sequence[str], graders: Mapping[str, bool], primary: str) -> Compared:
    """Compare arms on the same rows.

    Args:
        spec: The spec, whose rule was fixed beforehand.
        marks: The graded answers.
        baselines: Arms that the candidate has to be held against.
        graders: By name, whether each score is right or wrong.
        primary: The grader that decides.
    """
    groups = [case.group for case in marks.cases] if spec.group_by else None
    rule = spec.rule

    def one(baseline: str, candidate: str, grader: str, kind: Literal["superiority", "non_inferiority"] = "superiority") -> Comparison:
        return compare(
            marks.scores(baseline, grader),
            marks.scores(candidate, grader),
            grader=grader,
            names=(baseline, candidate),
            groups=groups,
            binary=graders[grader] and spec.repeats == 1,
            kind=kind,
            margin=rule.margin,
            alpha=rule.alpha,
            power=rule.power,
            min_rows=rule.min_rows,
            seed=spec.seed,
        )

    asked_again = {name: arm.of for name, arm in spec.arms.items() if isinstance(arm, words.Again)}
    also = [name for name in spec.arms if name not in {*baselines, *asked_again, rule.candidate}]
    headline = [one(baseline, rule.candidate, primary, rule.kind) for baseline in baselines]
    rest = [one(name, rule.candidate, primary) for name in also]
    rest += [one(baselines[0], rule.candidate, grader) for grader in graders if grader != primary]
    noise = next((one(of, name, primary) for name, of in asked_again.items()), None)
    return Compared(headline, adjusted(rest), noise)


def limits(spec: EvaluationSpec, marks: Marks, primary: str, chosen: Chosen, *, judged: bool, left_out: str) -> tuple[str, ...]:
    """Say in words what an evaluation cannot tell.

    Args:
        spec: The spec.
        marks: The graded answers.
        primary: The grader that decides.
        chosen: What the development rows decided.
        judged: The primary grader asks a model.
        left_out: What was left out of the training rows that arms may show.
    """
    shown = [spec.rule.candidate, *chosen.baselines]
    found = [*(_close(choice) for choice in chosen.choices if _is_close(choice))]
    found += [
        f"It speaks of rows like these {len(marks.cases):,}: what people ask otherwise is not in it.",
        "The candidate is one training run: another seed, or other rows, may do better or worse.",
    ]
    if spec.repeats == 1:
        found.append("Each question was asked once: how much an answer changes from one time to the next is not in the intervals.")
    if not any(isinstance(arm, words.Again) for arm in spec.arms.values()):
        found.append("No arm was asked twice, so what chance alone moves was not seen. Add an arm of type `again`.")
    if judged:
        found.append("A model graded: it has its own taste (length, order, its own family), and its agreement with people has to be shown.")
    if ungraded := sum(marks.ungraded(arm, primary) for arm in shown):
        found.append(f"{ungraded:,} answers could not be graded and count as wrong.")
    if failed := sum(bool(sheet.answer.error) for arm in shown for sheet in marks.of(arm)):
        found.append(f"{failed:,} questions got no answer and count as wrong: a host that fails looks like a model that errs.")
    if spec.drift is None:
        found.append("General abilities and refusals were not looked at. Give `drift` to check for losses.")
    if left_out:
        found.append(left_out)
    return tuple(found)


def _is_close(choice: Choice) -> bool:
    """Tell whether two candidates lie nearer to each other than twice the standard error of their difference: 4 variances."""
    scores = sorted(choice.scores.values())
    if len(scores) <= 1 or scores[-1] == 0:
        return False
    best, second = scores[-1], scores[-2]
    return choice.rows * (best - second) ** 2 <= 4 * (best * (1 - best) + second * (1 - second))


def _close(choice: Choice) -> str:
    what = (
        f"{choice.chosen} as the strongest baseline"
        if choice.setting == "baseline"
        else f"{choice.setting} of {choice.arm} ({choice.chosen})"
    )
    rows = f"rests on {choice.rows} development rows that hardly tell it from the next one"
    return f"The choice of {what} {rows}: another choice may be stronger."
