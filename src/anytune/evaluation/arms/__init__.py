"""What an arm asks of a model for a case, and what the arms that ask no model answer."""

from __future__ import annotations

from anytune.evaluation.arms.base import Arm, Ask, Asking, Silent
from anytune.evaluation.arms.building import Candidate, built, variants
from anytune.evaluation.arms.kinds import Copying, Recalling
from anytune.evaluation.arms.pool import Example, Pool

__all__ = ["Arm", "Ask", "Asking", "Candidate", "Copying", "Example", "Pool", "Recalling", "Silent", "built", "variants"]
