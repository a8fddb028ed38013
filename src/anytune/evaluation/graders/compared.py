"""Graders that hold one text against another: where both come from, and what is said where one of them is missing."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import PrivateAttr

from anytune.evaluation.graders.base import Keyed
from anytune.evaluation.graders.templates import MissingValue, Scene, Template
from anytune.evaluation.values import Grade

if TYPE_CHECKING:
    from anytune.evaluation.graders.base import Desk
    from anytune.evaluation.values import Case, Sample

__all__ = ["Answered", "Compared", "Referenced", "missing", "right_answer"]

_OWN = "reference"
"""What a `MissingValue` names where the row itself has no right answer."""


class Answered(Keyed):
    """A grader that looks at one text of the answer."""

    input: str = "{{sample.output_text}}"
    """What is graded, with templates; the whole answer by default."""
    _input: Template = PrivateAttr()

    def prepare(self, desk: Desk) -> None:
        """Read the templates."""
        del desk
        self._input = Template(self.input, "input")

    def grade(self, case: Case, sample: Sample) -> Grade:
        """Fill in what is graded, then grade it."""
        scene = Scene(case, sample)
        try:
            return self.judged(self._input.fill(scene), scene)
        except MissingValue as error:
            return missing(error)

    @abstractmethod
    def judged(self, text: str, scene: Scene) -> Grade:
        """Grade a text; a `MissingValue` may be raised."""


class Referenced(Answered):
    """A grader that needs the right text beside it."""

    reference: str | None = None
    """What is right, with templates; the row's own answer by default."""
    _reference: Template | None = PrivateAttr(default=None)

    def prepare(self, desk: Desk) -> None:
        """Read the templates."""
        super().prepare(desk)
        self._reference = None if self.reference is None else Template(self.reference, "reference")

    def right(self, scene: Scene) -> str:
        """Give what is right.

        Raises:
            MissingValue: The row does not have it.
        """
        return right_answer(scene) if self._reference is None else self._reference.fill(scene)


class Compared(Referenced):
    """A grader that holds one text of the answer against the right one."""

    def judged(self, text: str, scene: Scene) -> Grade:
        """Fill in what is right, then compare."""
        return self.compared(text, self.right(scene))

    @abstractmethod
    def compared(self, text: str, right: str) -> Grade:
        """Grade a text by the right one."""


def right_answer(scene: Scene) -> str:
    """Give the row's own right answer.

    Raises:
        MissingValue: It has none.
    """
    if scene.case.reference is None:
        raise MissingValue(_OWN)
    return scene.case.reference


def missing(error: MissingValue) -> Grade:
    """Give the grade of an answer for which a template could not be filled in."""
    if error.path == _OWN:
        return Grade(score=None, error="the row has no right answer: say in the grader what is right")
    why = "the answer is no JSON, or has no such field" if error.answers else "the row has no such field"
    return Grade(score=None, error=f"{error}: {why}")
