"""What is right: graders by their `type`, OpenAI's as they are and our own. Plugins add more (entry-point group `anytune.graders`)."""

from __future__ import annotations

from anytune.evaluation.graders.base import Desk, Grader, Keyed
from anytune.evaluation.graders.registry import graded, known_types, parsed

__all__ = ["Desk", "Grader", "Keyed", "graded", "known_types", "parsed"]
