"""A message, by its role. A key that belongs to other roles may be there with null, as exports of tables have it."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - pydantic reads it when it builds the schema
from typing import Annotated, Literal

from pydantic import Field

from anytune.data.rows.parts import Call, ImagePart, RefusalPart, Strict, TextPart, ToolCall

__all__ = [
    "ROLES",
    "AssistantMessage",
    "DeveloperMessage",
    "FunctionMessage",
    "Message",
    "SystemMessage",
    "ToolMessage",
    "Turn",
    "Turns",
    "UserMessage",
]

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]

ROLES: frozenset[str] = frozenset({"system", "developer", "user", "assistant", "tool", "function"})

Texts = Annotated[list[TextPart], Field(min_length=1)]
_Seen = Annotated[list[Annotated[TextPart | ImagePart, Field(discriminator="type")]], Field(min_length=1)]
_Said = Annotated[list[Annotated[TextPart | RefusalPart, Field(discriminator="type")]], Field(min_length=1)]
_Part = Annotated[TextPart | ImagePart | RefusalPart, Field(discriminator="type")]


class Message(Strict):
    """One turn of whatever role: what code that reads rows works with.

    Attributes:
        weight: 0 keeps an assistant's turn out of the loss, 1 trains it.
        function_call: What `tool_calls` was before; deprecated.
    """

    role: Role
    content: str | Sequence[_Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    weight: Annotated[int, Field(ge=0, le=1)] | None = None
    refusal: str | None = None
    function_call: Call | None = None

    @property
    def text(self) -> str:
        """The content as one string: parts are joined, images left out; a refusal where there is no content."""
        if isinstance(self.content, str):
            return self.content or self.refusal or ""
        said = (part.text if isinstance(part, TextPart) else part.refusal for part in self.content or () if not isinstance(part, ImagePart))
        return "".join(said) or self.refusal or ""


class _Unlearned(Message):
    tool_calls: None = None
    weight: None = None
    refusal: None = None
    function_call: None = None


class SystemMessage(_Unlearned):
    """Standing instructions."""

    role: Literal["system"]
    content: str | Texts
    tool_call_id: None = None


class DeveloperMessage(_Unlearned):
    """Standing instructions, by their newer name."""

    role: Literal["developer"]
    content: str | Texts
    tool_call_id: None = None


class UserMessage(_Unlearned):
    """What is asked; the one place for images."""

    role: Literal["user"]
    content: str | _Seen
    tool_call_id: None = None


class ToolMessage(_Unlearned):
    """What a called tool gave back."""

    role: Literal["tool"]
    content: str | Texts
    tool_call_id: str = Field(min_length=1)


class FunctionMessage(_Unlearned):
    """What a called function gave back; deprecated, `tool` took its place."""

    role: Literal["function"]
    content: str | None
    name: str = Field(min_length=1)
    tool_call_id: None = None


class AssistantMessage(Message):
    """What the model says or calls."""

    role: Literal["assistant"]
    content: str | _Said | None = None
    tool_call_id: None = None


Turn = Annotated[
    SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage, Field(discriminator="role")
]
Turns = Annotated[list[Turn], Field(min_length=1)]
