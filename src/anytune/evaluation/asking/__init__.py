"""Asking: each case of each arm once, in random order, as fast as hosts allow, kept on disk at once, within a budget."""

from __future__ import annotations

from anytune.evaluation.asking.answers import Answers
from anytune.evaluation.asking.crew import Progress, ask_all
from anytune.evaluation.asking.plan import Plan, Step
from anytune.evaluation.asking.purse import Budget
from anytune.evaluation.asking.store import Store

__all__ = ["Answers", "Budget", "Plan", "Progress", "Step", "Store", "ask_all"]
