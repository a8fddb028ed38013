"""What a row of training data may be. Unknown keys are refused, as the strict providers do, so that a typo is not silently left out."""

from __future__ import annotations

from anytune.data.rows.answers import PreferenceRow, PromptRow, TextRow, UnpairedRow
from anytune.data.rows.chat import ChatRow, GradedRow
from anytune.data.rows.kinds import KINDS, METHODS, Row, kind_of, wanted, word_of
from anytune.data.rows.messages import (
    ROLES,
    AssistantMessage,
    DeveloperMessage,
    FunctionMessage,
    Message,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from anytune.data.rows.parts import Call, Function, FunctionDefinition, ImagePart, ImageUrl, RefusalPart, TextPart, Tool, ToolCall
from anytune.data.rows.texts import Text, split_input, texts

__all__ = [
    "KINDS",
    "METHODS",
    "ROLES",
    "AssistantMessage",
    "Call",
    "ChatRow",
    "DeveloperMessage",
    "Function",
    "FunctionDefinition",
    "FunctionMessage",
    "GradedRow",
    "ImagePart",
    "ImageUrl",
    "Message",
    "PreferenceRow",
    "PromptRow",
    "RefusalPart",
    "Row",
    "SystemMessage",
    "Text",
    "TextPart",
    "TextRow",
    "Tool",
    "ToolCall",
    "ToolMessage",
    "UnpairedRow",
    "UserMessage",
    "kind_of",
    "split_input",
    "texts",
    "wanted",
    "word_of",
]
