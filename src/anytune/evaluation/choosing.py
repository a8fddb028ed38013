"""Choices on development rows: prompts, numbers of examples, checkpoints, the strongest baseline. Reported rows are never asked here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anytune.errors import ConfigError
from anytune.evaluation import spec as words
from anytune.evaluation.arms import built, variants
from anytune.evaluation.cases import drawn, question_key, read_cases
from anytune.evaluation.values import Choice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anytune.evaluation.arms import Arm, Candidate, Pool
    from anytune.evaluation.grading import Marks
    from anytune.evaluation.spec import EvaluationSpec
    from anytune.evaluation.values import Case

    Asked = Callable[[Sequence[Case], Sequence[Arm]], Marks]

__all__ = ["Chosen", "chosen", "development", "others"]


class Chosen(NamedTuple):
    """What the development rows decided.

    Attributes:
        arms: Every arm of the spec, ready to be asked.
        baselines: The arms that the candidate has to be held against.
        choices: How each choice was made.
    """

    arms: list[Arm]
    baselines: tuple[str, ...]
    choices: tuple[Choice, ...]


def development(spec: EvaluationSpec, held_out: Sequence[Case], train: Sequence[Case]) -> list[Case]:
    """Give the rows that choices are made on: none where nothing is left to choose.

    A row that asks what a held-out row asks is no development row: what was chosen on it would be chosen on the rows that are reported.

    Raises:
        ConfigError: Something is to be chosen, and there are no rows to choose on.
    """
    if spec.rule.baseline != "best" and not any(variants(spec, name) for name in spec.arms):
        return []
    rows = read_cases(spec.dev.data) if spec.dev.data is not None else train
    reported = {question_key(case) for case in held_out}
    free = drawn([case for case in rows if question_key(case) not in reported], spec.dev.rows, spec.seed)
    if not free:
        raise ConfigError(
            "There are no development rows: prompts, examples and the strongest baseline are never chosen on the rows that are reported.",
            fix="Give `train` or `dev.data`, or leave nothing to choose: one value for each setting, and `rule.baseline` by name.",
        )
    return free


def chosen(spec: EvaluationSpec, pool: Pool | None, dev: Sequence[Case], ask: Asked, primary: str) -> Chosen:
    """Make every choice that the spec leaves open.

    Args:
        spec: The spec.
        pool: Examples for arms.
        dev: Development rows.
        ask: Asks arms for cases, and gives the graded answers.
        primary: The grader that decides.
    """
    best: dict[str, Candidate] = {}
    choices: list[Choice] = []
    scores: dict[str, float] = {}
    for name in spec.arms:
        candidates = [] if isinstance(spec.arms[name], words.Again) else variants(spec, name)
        if not candidates:
            continue
        tried = {f"{name} [{one.word}]": one for one in candidates}
        marks = ask(dev, [_named(built(spec, name, pool, one), word) for word, one in tried.items()])
        means = {word: _mean(marks.scores(word, primary)) for word in tried}
        winner = max(means, key=means.__getitem__)  # of equals the first: the spec's order says which is preferred
        best[name], scores[name] = tried[winner], means[winner]
        told = {one.word: means[word] for word, one in tried.items()}
        choices.append(Choice(arm=name, setting=tried[winner].setting, chosen=tried[winner].word, scores=told, rows=len(dev)))
    arms = [built(spec, name, pool, best.get(_origin(spec, name))) for name in spec.arms]
    baselines, choice = _baselines(spec, arms, dev, ask, primary, scores)
    return Chosen(arms, baselines, (*choices, *([choice] if choice else [])))


def others(spec: EvaluationSpec) -> list[str]:
    """Give the arms that a candidate can be held against: all but itself, other arms of its model, and repeats."""
    candidate = spec.arms[spec.rule.candidate]
    model = getattr(candidate, "model", None)
    return [
        name
        for name, arm in spec.arms.items()
        if name != spec.rule.candidate and not isinstance(arm, words.Again) and (model is None or getattr(arm, "model", None) != model)
    ]


def _baselines(
    spec: EvaluationSpec, arms: Sequence[Arm], dev: Sequence[Case], ask: Asked, primary: str, known: dict[str, float]
) -> tuple[tuple[str, ...], Choice | None]:
    wish = spec.rule.baseline
    if not isinstance(wish, str):
        return tuple(wish), None
    if wish in spec.arms:
        return (wish,), None
    names = others(spec)
    if not names:
        raise ConfigError("There is no other arm to hold the candidate against.", fix="Add one to `arms`, such as `base`.")
    if wish == "all":
        return tuple(names), None
    left = [arm for arm in arms if arm.name in names and arm.name not in known]
    marks = ask(dev, left)
    scores = {name: known[name] if name in known else _mean(marks.scores(name, primary)) for name in names}
    best = max(scores, key=scores.__getitem__)
    return (best,), Choice(arm=spec.rule.candidate, setting="baseline", chosen=best, scores=scores, rows=len(dev))


def _origin(spec: EvaluationSpec, name: str) -> str:
    arm = spec.arms[name]
    return arm.of if isinstance(arm, words.Again) else name


def _named(arm: Arm, name: str) -> Arm:
    arm.name = name
    return arm


def _mean(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores) if scores else 0.0
