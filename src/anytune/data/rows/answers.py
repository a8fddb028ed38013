"""Rows that hold a prompt and what was answered, and rows of plain text."""

from __future__ import annotations

from typing import Any, ClassVar

from anytune.data.rows import lessons
from anytune.data.rows.messages import Turns  # noqa: TC001 - pydantic reads it when it builds the schema
from anytune.data.rows.row import KindOfRow, Tools

__all__ = ["PreferenceRow", "PromptRow", "TextRow", "UnpairedRow"]


class PromptRow(KindOfRow):
    """A prompt and its completion, as plain text or as messages."""

    lessons: ClassVar = lessons.prompt

    prompt: str | Turns
    completion: str | Turns
    tools: Tools = None


class UnpairedRow(PromptRow):
    """A prompt and a completion with a label: true where it is wanted, false where it is not."""

    lessons: ClassVar = lessons.unpaired

    label: bool


class PreferenceRow(KindOfRow):
    """A prompt with a preferred and a rejected answer.

    OpenAI's own form (`input`, `preferred_output`, `non_preferred_output`) is taken as well.
    """

    lessons: ClassVar = lessons.preference

    prompt: str | Turns
    chosen: str | Turns
    rejected: str | Turns
    tools: Tools = None
    parallel_tool_calls: bool | None = None

    @classmethod
    def flat(cls, raw: dict[str, Any]) -> dict[str, Any]:
        """Give OpenAI's form as the other one; unknown keys are left to the rules."""
        if not lessons.is_openai(raw):
            return raw
        inner = raw.get("input")
        names = {"preferred_output": "chosen", "non_preferred_output": "rejected"}
        row = {names[key]: raw[key] for key in names if key in raw}
        if isinstance(inner, dict):
            asked = {"messages": "prompt", "tools": "tools", "parallel_tool_calls": "parallel_tool_calls"}
            row |= {asked[key]: inner[key] for key in asked if key in inner}
        return row


class TextRow(KindOfRow):
    """Plain text; all of it is learned."""

    lessons: ClassVar = lessons.text

    text: str
