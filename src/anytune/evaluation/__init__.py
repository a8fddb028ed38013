"""Was it worth it? The same held-out rows, asked of several arms, graded, compared with honest statistics, and priced.

`evaluate` does it all; what a user writes is `EvaluationSpec`, what comes out is `Evaluation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

_HOMES = {
    "Evaluation": "anytune.evaluation.values",
    "EvaluationSpec": "anytune.evaluation.spec",
    "Verdict": "anytune.evaluation.values",
    "evaluate": "anytune.evaluation.run",
}

__all__ = ["Evaluation", "EvaluationSpec", "Verdict", "evaluate"]

if TYPE_CHECKING:
    from anytune.evaluation.run import evaluate
    from anytune.evaluation.spec import EvaluationSpec
    from anytune.evaluation.values import Evaluation, Verdict


__getattr__ = loader(__name__, _HOMES)
