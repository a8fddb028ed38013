"""Rows that are conversations: learned from as they stand, or answered anew and graded."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from anytune.data.rows import lessons
from anytune.data.rows.messages import Turns  # noqa: TC001 - pydantic reads it when it builds the schema
from anytune.data.rows.row import KindOfRow, Tools

__all__ = ["ChatRow", "GradedRow"]


class ChatRow(KindOfRow):
    """A conversation; its assistant's turns are learned.

    Attributes:
        functions: What `tools` was before; deprecated.
    """

    lessons: ClassVar = lessons.chat

    messages: Turns
    tools: Tools = None
    parallel_tool_calls: bool | None = None
    functions: list[dict[str, Any]] | None = Field(default=None, min_length=1, max_length=128)


class GradedRow(KindOfRow):
    """A conversation that the model is to answer; a grader judges the answer with the help of the row's own fields.

    `messages` and `tools` are reserved; any other key is a field of the item, and of any type.
    """

    model_config = ConfigDict(extra="allow")

    lessons: ClassVar = lessons.graded

    messages: Turns
    tools: Tools = None

    @property
    def item(self) -> dict[str, Any]:
        """The row's own fields."""
        return dict(self.model_extra or {})
