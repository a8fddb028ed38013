"""May the candidate be promoted? By the rule that was fixed before anything was asked: nobody bends it after the answers were seen."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from anytune.errors import ConfigError
from anytune.evaluation.decision import decided
from anytune.evaluation.fixing import FIXED, fixed
from anytune.evaluation.report import read
from anytune.evaluation.spec import EvaluationSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anytune.evaluation.run import Before
    from anytune.evaluation.values import Evaluation
    from anytune.runtime import Runtime

__all__ = ["Gate", "asked", "held"]


class Gate(IntEnum):
    """Exit codes of `anytune gate`."""

    PASS = 0
    FAIL = 1
    INCONCLUSIVE = 2

    @classmethod
    def of(cls, evaluation: Evaluation) -> Gate:
        """Give the code of what was decided."""
        return cls[evaluation.decision.outcome.upper()]


def held(evaluation: Evaluation, spec: EvaluationSpec | None = None) -> Evaluation:
    """Hold a record against its own rule, and against the spec that it is said to answer.

    Args:
        evaluation: The record.
        spec: What was asked for; None takes the record's own word.

    Raises:
        ConfigError: The rule was changed afterwards, or the record does not say what its own figures give.
    """
    own = _spec(evaluation)
    if spec is not None and fixed(spec) != fixed(own):
        changed = [key for key in sorted(FIXED) if _said(spec, key) != _said(own, key)]
        raise ConfigError(
            f"{evaluation.name} was evaluated by another rule: {', '.join(f'`{key}`' for key in changed)} changed since "
            f"(sha256 {fixed(own)[:12]}, now {fixed(spec)[:12]}).",
            fix="A rule holds for rows that nobody has seen the answers of: put the old one back, or take other rows and a new `name`.",
        )
    if evaluation.hashes.get("rule", fixed(own)) != fixed(own):
        raise ConfigError(
            f"The rule of {evaluation.name} was changed after answers to these rows were there (sha256 {evaluation.hashes['rule'][:12]} at "
            f"first, {fixed(own)[:12]} in the record).",
            fix="Put the first rule back and evaluate again, which asks nothing anew; or take other rows.",
        )
    decision = evaluation.decision
    own_pairs = [one for one in evaluation.comparisons if one.grader == evaluation.primary and one.baseline in decision.baselines]
    again = decided(own.rule, own_pairs, evaluation.drift)
    if (again.outcome, again.kind, again.candidate, again.margin) != (decision.outcome, decision.kind, decision.candidate, decision.margin):
        raise ConfigError(
            f"The record of {evaluation.name} says {decision.outcome}, and its own figures say {again.outcome} by its rule.",
            fix="The record was edited, or another version decides otherwise: evaluate again; answers that are kept cost nothing.",
        )
    return evaluation


def asked(
    spec: Path,
    *,
    folder: Path | None = None,
    context: Runtime | None = None,
    on_before: Callable[[Before], bool] | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> Evaluation:
    """Evaluate, or go on where it was left, unless the rule was changed since. Arguments as for `anytune.evaluate`, the spec as a file.

    Raises:
        ConfigError: As `held` says.
    """
    from anytune.evaluation.run import RECORD, evaluate, folder_of  # noqa: PLC0415 - a record alone needs none of it

    wanted = EvaluationSpec.read(spec)
    record = (folder or folder_of(wanted)) / RECORD
    if record.is_file():
        held(read(record), wanted)
    return held(evaluate(spec, folder=folder, context=context, on_before=on_before, on_progress=on_progress), wanted)


def _spec(evaluation: Evaluation) -> EvaluationSpec:
    try:
        return EvaluationSpec(**evaluation.spec)
    except (ConfigError, TypeError) as error:
        fix = "Give the evaluation.json that `anytune evaluate` wrote."
        raise ConfigError(f"The record of {evaluation.name} holds no spec that can be read: {error}", fix=fix) from error


def _said(spec: EvaluationSpec, key: str) -> object:
    return spec.model_dump(mode="json", include={key})[key]
