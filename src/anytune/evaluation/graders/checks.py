"""OpenAI's graders that ask nobody, or only for embeddings: `string_check` and `text_similarity`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Self

from anytune.data import graders as shapes
from anytune.errors import ConfigError
from anytune.evaluation.graders.likeness import too_long
from anytune.evaluation.graders.measures import MEASURES
from anytune.evaluation.graders.panel import Panel
from anytune.evaluation.graders.shaped import Reward, Shaped, Ungraded, model_of, threshold_of
from anytune.evaluation.graders.templates import Template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anytune.evaluation.graders.base import Desk
    from anytune.evaluation.graders.templates import Scene

__all__ = ["StringCheck", "TextSimilarity"]

EMBEDDER = "text-embedding-3-large"
"""The model of `cosine` at OpenAI (its guide to graders): one of the spec's `models` has to be called so, or as `embedding_model` says."""


class StringCheck(Shaped):
    """Compares two texts: equal, not equal, holding (`like`), holding without regard to case (`ilike`)."""

    type: ClassVar[str] = "string_check"
    beside: ClassVar[tuple[str, ...]] = ()

    def __init__(self, shape: shapes.StringCheck) -> None:
        """Read the templates."""
        super().__init__(shape.name)
        self._operation = shape.operation
        self._input, self._reference = Template(shape.input, "input"), Template(shape.reference, "reference")

    @classmethod
    def parsed(cls, raw: Mapping[str, Any], desk: Desk) -> Self:
        """Check the definition by OpenAI's schema."""
        del desk
        return cls(model_of(shapes.StringCheck, raw, cls.beside))

    @property
    def binary(self) -> bool:
        """Right or wrong."""
        return True

    def reward(self, scene: Scene) -> Reward:
        """Compare."""
        text, right = self._input.fill(scene), self._reference.fill(scene)
        match self._operation:
            case "eq":
                return Reward(float(text == right))
            case "ne":
                return Reward(float(text != right))
            case "like":
                return Reward(float(right in text))
            case "ilike":
                return Reward(float(right.casefold() in text.casefold()))


class TextSimilarity(Shaped):
    """Measures how alike two texts are."""

    type: ClassVar[str] = "text_similarity"
    beside: ClassVar[tuple[str, ...]] = ("pass_threshold", "embedding_model")

    def __init__(self, shape: shapes.TextSimilarity, threshold: float | None, panel: Panel | None) -> None:
        """Read the templates.

        Args:
            shape: The definition.
            threshold: From which likeness on an answer passes.
            panel: Who gives embeddings, for `cosine`.
        """
        super().__init__(shape.name, threshold=threshold)
        self._measure = shape.evaluation_metric
        self._input, self._reference = Template(shape.input, "input"), Template(shape.reference, "reference")
        self._panel = panel

    @classmethod
    def parsed(cls, raw: Mapping[str, Any], desk: Desk) -> Self:
        """Check the definition by OpenAI's schema."""
        shape = model_of(shapes.TextSimilarity, raw, cls.beside)
        word = raw.get("embedding_model", EMBEDDER)
        if not isinstance(word, str):
            raise ConfigError("`embedding_model` is no text.", fix="Name one of the spec's `models`.")
        panel = Panel(desk, word, key="embedding_model") if shape.evaluation_metric == "cosine" else None
        return cls(shape, threshold_of(raw), panel)

    def reward(self, scene: Scene) -> Reward:
        """Measure."""
        text, right = self._input.fill(scene), self._reference.fill(scene)
        if refused := too_long(text, right):
            raise Ungraded(refused.error)
        if self._panel is None:
            return Reward(MEASURES[self._measure](text, right))
        if not text or not right:
            return Reward(float(text == right), note="an empty text has no direction")
        (left, other), usage = self._panel.embeddings([text, right])
        return Reward(cosine(left, other), usage=usage)


def cosine(left: Sequence[float], right: Sequence[float]) -> float:
    """Give the cosine of two directions; what points apart is as unlike as what has nothing in common: 0.

    Raises:
        Ungraded: A direction is none, or they are of different spaces.
    """
    lengths = math.hypot(*left) * math.hypot(*right)
    if len(left) != len(right) or not lengths or not math.isfinite(lengths):
        raise Ungraded("the embeddings cannot be compared")
    return min(1.0, max(0.0, math.fsum(a * b for a, b in zip(left, right, strict=True)) / lengths))
