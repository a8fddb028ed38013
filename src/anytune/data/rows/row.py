"""What all kinds of rows share: the schema first, then the rules of what can be learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from anytune.data.rows.parts import Strict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import ModelWrapValidatorHandler

    from anytune.data.rows.lessons import Problem

__all__ = ["KindOfRow", "Tools"]

Tools = list[dict[str, Any]] | None
"""Definitions of tools, kept as they are for templates; `anytune.data.rows.Tool` is what a check holds them against."""


class KindOfRow(Strict):
    """Base of every kind.

    Attributes:
        lessons: The rules beyond keys and types.
    """

    lessons: ClassVar[Callable[[dict[str, Any]], Iterable[Problem]]]

    @classmethod
    def flat(cls, raw: dict[str, Any]) -> dict[str, Any]:
        """Give a row as the fields of the schema have it."""
        return raw

    @model_validator(mode="wrap")
    @classmethod
    def _judged(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(raw, dict):
            return handler(raw)
        row = handler(cls.flat(raw))
        for problem in cls.lessons(raw):
            raise PydanticCustomError(problem.code, "{words}", {"words": problem.message})
        return row
