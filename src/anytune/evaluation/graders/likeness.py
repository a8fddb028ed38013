"""How like the right text an answer is: graders of our own over the measures."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

from pydantic import Field

from anytune.evaluation.graders.compared import Compared
from anytune.evaluation.graders.measures import LONGEST, MEASURES, chrf
from anytune.evaluation.values import Grade

__all__ = ["Bleu", "Chrf", "Rouge", "too_long"]


class _Measured(Compared):
    def compared(self, text: str, right: str) -> Grade:
        """Measure."""
        return too_long(text, right) or Grade(score=self.measured(text, right))

    @abstractmethod
    def measured(self, text: str, right: str) -> float:
        """Measure two texts, from 0 to 1."""


class Chrf(_Measured):
    """chrF, or chrF++: n-grams of characters, good for any language."""

    type: ClassVar[str] = "chrf"
    words: int = Field(default=0, ge=0, le=2)
    """Longest n-grams of words beside those of characters; 2 is chrF++."""

    def measured(self, text: str, right: str) -> float:
        """Measure."""
        return chrf(text, right, words=self.words)


class Bleu(_Measured):
    """BLEU of one sentence."""

    type: ClassVar[str] = "bleu"

    def measured(self, text: str, right: str) -> float:
        """Measure."""
        return MEASURES["bleu"](text, right)


class Rouge(_Measured):
    """ROUGE as F1."""

    type: ClassVar[str] = "rouge"
    variant: Literal["rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l"] = "rouge_l"
    """n-grams of this order, or the longest common subsequence."""

    def measured(self, text: str, right: str) -> float:
        """Measure."""
        return MEASURES[self.variant](text, right)


def too_long(text: str, right: str) -> Grade | None:
    """Refuse texts that would take long to compare; None where they do not."""
    if max(len(text), len(right)) <= LONGEST:
        return None
    return Grade(score=None, error=f"a text is longer than {LONGEST:,} characters, and is not compared")
