"""Old against new: the evaluation that asks whether the new model is no worse, and the arms that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.evaluation import spec as words
from anytune.evaluation.cases import question_key, read_cases
from anytune.evaluation.goldens import read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from anytune.evaluation.values import Evaluation
    from anytune.migration.values import Plan
    from anytune.runtime import Runtime

__all__ = ["NEW", "OLD", "compared", "comparison", "overlap"]

OLD, NEW, AGAIN = "old", "new", "old-again"


def comparison(
    plan: Plan,
    job_id: str,
    data: Path,
    *,
    captured: Path | None,
    graders: Sequence[dict[str, Any]],
    models: Mapping[str, Any],
    margin: float,
    params: Mapping[str, Any] | None,
    max_usd: float | None,
) -> dict[str, Any]:
    """Give the spec of the comparison: the new model has to be no worse than the old one by the margin.

    Args:
        plan: What was moved.
        job_id: The job that made the new model.
        data: Held-out rows.
        captured: The old model's answers; None asks it now.
        graders: How answers are scored; the first decides.
        models: Models that graders ask.
        margin: How much worse still counts as no worse.
        params: What is sent with each question; None takes the captured ones, else the evaluation's own.
        max_usd: What asking may cost.
    """
    old = {"backend": plan.origin.profile or plan.origin.backend, "model": plan.origin.tuned}
    spec: dict[str, Any] = {
        "name": plan.name,
        "data": data,
        "graders": tuple(graders),
        "models": dict(models) | {NEW: {"job": job_id}},
        "arms": {OLD: {"type": "zero_shot", "model": OLD}, NEW: {"type": "zero_shot", "model": NEW}, AGAIN: {"type": "again", "of": OLD}},
        "rule": {"kind": "non_inferiority", "candidate": NEW, "baseline": OLD, "margin": margin},
        "spending": {"max_usd": max_usd},
    }
    if captured is None:
        spec["models"][OLD] = old
    else:
        header = read(captured).header
        spec["arms"] = {OLD: {"type": "captured", "file": captured}, NEW: spec["arms"][NEW]}
        spec["repeats"] = header.samples
        params = header.params if params is None else params
    if params is not None:
        spec["params"] = dict(params)
    return spec


def compared(spec: Mapping[str, Any], folder: Path, context: Runtime) -> Evaluation:
    """Ask, grade and compare. Run again, it goes on.

    Raises:
        BudgetExceeded: It would cost more than may be spent.
        BackendError: A model does not answer.
    """
    from anytune.evaluation.run import evaluate  # noqa: PLC0415 - heavy, and only where something is asked

    return evaluate(words.EvaluationSpec(**spec), folder=folder, context=context)


def overlap(data: Path, train: Path) -> tuple[int, int]:
    """Count the held-out questions that training rows ask too, and all of them."""
    held = {question_key(case) for case in read_cases(data)}
    return len(held & {question_key(case) for case in read_cases(train)}), len(held)
