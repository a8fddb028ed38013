"""The runs of a migration, and which of them is the new model: chosen on development rows, never on those that are reported."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.errors import DataError
from anytune.evaluation.cases import read_cases
from anytune.job import FineTuneJob
from anytune.migration.planning import LOSSY
from anytune.migration.values import Candidate
from anytune.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from anytune.migration.values import Plan
    from anytune.runtime import Runtime

__all__ = ["Judging", "Run", "best", "scored", "trained"]

Run = tuple[FineTuneJob, float | None]
"""A job, and what it tried."""

_DEV_LOSSES = ("eval_loss", "full_valid_loss")


class Judging(NamedTuple):
    """How answers to development rows are scored.

    Attributes:
        graders: As an evaluation's spec has them; the first decides.
        models: Models that graders ask, as the spec has them.
        params: What is sent with each question.
        folder: Where answers are kept.
    """

    graders: Sequence[dict[str, Any]]
    models: dict[str, Any]
    params: dict[str, Any]
    folder: Path


def trained(plan: Plan, context: Runtime, *, poll_s: float | None, on_step: Callable[[str], object]) -> list[Run]:
    """Make every run of the plan, all at once, and wait for their models. The same plan again gives the same runs, running or done.

    Raises:
        JobFailed: A run failed; `anytune jobs retry` and the same migration again go on.
    """
    lossy = LOSSY if any(loss.code == "rows" for loss in plan.losses) else ()
    jobs = []
    for value in plan.tries or (None,):
        parts = dict(plan.spec)
        if value is not None:
            parts |= {"name": f"{plan.name}-lr-{value:g}", "method": dict(parts["method"]) | {plan.setting: value}}
        job = FineTuneJob.create(TrainingSpec(**parts), allow=lossy, context=context)
        on_step(f"Job {job.name} ({job.id}) is {job.status.value}.")
        jobs.append((job, value))
    for job, _ in jobs:
        job.wait(poll_s=poll_s)
        on_step(f"Job {job.name} has its model.")
    return jobs


def scored(
    plan: Plan, jobs: Sequence[Run], judging: Judging, context: Runtime, *, on_step: Callable[[str], object]
) -> tuple[Candidate, ...]:
    """Score each run on the development rows: by the graders where the rows can be asked, and by the loss that its trainer told.

    Hosts are up one after the other: one machine holds one model.

    Args:
        plan: What was trained.
        jobs: Its runs, with what each tried.
        judging: How answers are scored.
        context: Ledger, retries and clock.
        on_step: Called with a sentence now and then.
    """
    asked = len(jobs) > 1 and _can_be_asked(plan)
    found = []
    for job, value in jobs:
        score = None
        if asked:
            on_step(f"Asking {job.name} the development rows.")
            score = _score(plan, job, judging, context)
        found.append(Candidate(job=job.id, name=job.name, value=value, score=score, loss=_loss(job)))
    return tuple(found)


def best(plan: Plan, candidates: Sequence[Candidate]) -> tuple[Candidate, str]:
    """Choose: the highest score, of equals the lowest loss, of equals the one nearest to the table's rate; and say why."""
    if len(candidates) == 1:
        return candidates[0], "one run was made"
    middle = plan.tries[len(plan.tries) // 2]

    def rank(each: Candidate) -> tuple[float, float, float]:
        far = abs(math.log((each.value or middle) / middle))
        return (-(each.score or 0.0), math.inf if each.loss is None else each.loss, far)

    winner, *_ = sorted(candidates, key=rank)
    others = [each for each in candidates if each is not winner]
    if any(each.score != winner.score for each in others):
        how = f"it scored {winner.score:.3f}, the best of {len(candidates)}, on {plan.dev_rows} development rows"
    elif winner.loss is not None and any(each.loss != winner.loss for each in others):
        how = f"its loss on {plan.dev_rows} development rows, {winner.loss:.4f}, is the lowest of {len(candidates)}"
    else:
        how = f"nothing told the {len(candidates)} runs apart, and it is the one in the middle"
    return winner, how


def _can_be_asked(plan: Plan) -> bool:
    if not plan.dev_rows:
        return False
    try:
        return all(case.reference is not None or case.tool_calls for case in read_cases(_dev(plan)))
    except DataError:  # preferences, labels and plain text ask nothing
        return False


def _score(plan: Plan, job: FineTuneJob, judging: Judging, context: Runtime) -> float:
    """Give the mean score of a run; the copied nearest training answer stands beside it, since an evaluation compares."""
    from anytune.evaluation.run import evaluate  # noqa: PLC0415 - heavy, and only where something is asked
    from anytune.evaluation.spec import EvaluationSpec  # noqa: PLC0415 - as above

    parts: dict[str, Any] = {
        "name": "development", "data": _dev(plan), "train": plan.spec["train"], "graders": tuple(judging.graders),
        "params": judging.params, "models": judging.models | {"run": {"job": job.id}},
        "arms": {"run": {"type": "zero_shot", "model": "run"}, "nearest": {"type": "nearest"}},
        "rule": {"candidate": "run", "baseline": "nearest"},
    }  # fmt: skip
    evaluation = evaluate(EvaluationSpec(**parts), folder=judging.folder / job.id, context=context)
    run = next(arm for arm in evaluation.arms if arm.name == "run")
    return run.scores[evaluation.primary].value


def _dev(plan: Plan) -> Path:
    return TrainingSpec(**plan.spec).validation or plan.origin.files["train"].path


def _loss(job: FineTuneJob) -> float | None:
    """Give the last loss on development rows that the trainer told."""
    if "metrics" not in job.backend.capabilities.abilities:
        return None
    told = [value for metric in job.metrics() for name, value in metric.values.items() if name in _DEV_LOSSES]
    return told[-1] if told else None
