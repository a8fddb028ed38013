"""OpenAI's `multi`: several graders, joined by a formula over their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from anytune.data import graders as shapes
from anytune.errors import ConfigError
from anytune.evaluation.graders.asked import LabelModel, ScoreModel
from anytune.evaluation.graders.checks import StringCheck, TextSimilarity
from anytune.evaluation.graders.formula import Formula
from anytune.evaluation.graders.sandbox import Python
from anytune.evaluation.graders.shaped import Reward, Shaped, Ungraded, bounds_of, model_of, summed, threshold_of
from anytune.evaluation.graders.templates import MissingValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.evaluation.graders.base import Desk
    from anytune.evaluation.graders.templates import Scene

__all__ = ["Multi"]

_KINDS: dict[str, type[Shaped]] = {each.type: each for each in (LabelModel, Python, ScoreModel, StringCheck, TextSimilarity)}


class Multi(Shaped):
    """Joins rewards. The formula sees each grader's reward in the grader's own range, as at OpenAI."""

    type: ClassVar[str] = "multi"
    beside: ClassVar[tuple[str, ...]] = ("pass_threshold", "range")

    def __init__(self, name: str, graders: Mapping[str, Shaped], formula: Formula, **more: Any) -> None:
        """Keep the parts."""
        super().__init__(name, **more)
        self._graders = dict(graders)
        self._formula = formula

    @classmethod
    def parsed(cls, raw: Mapping[str, Any], desk: Desk) -> Self:
        """Check the definition by OpenAI's schema, then each part by its own."""
        shape = model_of(shapes.Multi, raw, cls.beside)
        formula = Formula(shape.calculate_output)
        parts = {}
        for name, inner in raw["graders"].items():
            try:
                parts[name] = _KINDS[inner["type"]].parsed(inner, desk)
            except ConfigError as error:
                raise ConfigError(f"`graders.{name}`: {error.message}", fix=error.fix) from error
        return cls(raw["name"], parts, formula, bounds=bounds_of(raw), threshold=threshold_of(raw))

    def reward(self, scene: Scene) -> Reward:
        """Grade with each, then compute."""
        found: dict[str, Reward] = {}
        for name, grader in self._graders.items():
            try:
                found[name] = grader.reward(scene)
            except (MissingValue, Ungraded) as error:
                took = error.usage if isinstance(error, Ungraded) else {}
                raise Ungraded(f"{name}: {error}", summed(took, *(each.usage for each in found.values()))) from None
        usage = summed(*(each.usage for each in found.values()))
        rewards = {name: each.value for name, each in found.items()}
        try:
            value = self._formula.value(rewards)
        except (ArithmeticError, ValueError) as error:
            raise Ungraded(f"the formula cannot be computed: {error}", usage) from None
        return Reward(value, parts=rewards, usage=usage)

    def close(self) -> None:
        """Close each."""
        for grader in self._graders.values():
            grader.close()
