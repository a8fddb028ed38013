"""What a row of training data may be. Unknown keys are refused, as the strict providers do, so that a typo is not silently left out."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["ChatRow", "Message", "PreferenceRow", "PromptRow", "Row", "kind_of"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Function(_Strict):
    """The function that a model calls; `arguments` is JSON text."""

    name: str = Field(min_length=1)
    arguments: str

    @model_validator(mode="before")
    @classmethod
    def _arguments_as_text(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and isinstance(raw.get("arguments"), dict):
            return raw | {"arguments": json.dumps(raw["arguments"], ensure_ascii=False)}
        return raw

    @model_validator(mode="after")
    def _arguments_are_json(self) -> Function:
        try:
            json.loads(self.arguments)
        except ValueError:
            raise ValueError(f"arguments of {self.name!r} are not JSON") from None
        return self


class ToolCall(_Strict):
    """A call of a tool in an assistant's message."""

    id: str | None = None
    type: Literal["function"] = "function"
    function: Function


class TextPart(_Strict):
    """A part of a message's content that is text."""

    type: Literal["text"]
    text: str


class Message(_Strict):
    """One turn.

    Attributes:
        weight: 0 keeps an assistant's turn out of the loss, 1 trains it.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    weight: Literal[0, 1] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Message:
        if self.content is None and not self.tool_calls:
            raise ValueError("a message needs `content`" + (" or `tool_calls`" if self.role == "assistant" else ""))
        if self.role != "assistant" and (self.tool_calls or self.weight is not None):
            raise ValueError(f"`tool_calls` and `weight` belong to an assistant's message, not to one of {self.role}")
        if self.role == "tool" and not self.tool_call_id:
            raise ValueError("a tool's message needs `tool_call_id`")
        return self

    @property
    def text(self) -> str:
        """The content as one string; parts are joined."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


Turns = Annotated[list[Message], Field(min_length=1)]
Tools = list[dict[str, Any]] | None


class ChatRow(_Strict):
    """A conversation; its assistant's turns are learned."""

    messages: Turns
    tools: Tools = None
    parallel_tool_calls: bool | None = None

    @model_validator(mode="after")
    def _has_something_to_learn(self) -> ChatRow:
        learned = [m for m in self.messages if m.role == "assistant" and m.weight != 0]
        if not learned:
            raise ValueError("no assistant's message to learn from")
        if not any(m.text.strip() or m.tool_calls for m in learned):
            raise ValueError("every assistant's message is empty")
        if self.messages[-1].role != "assistant":
            raise ValueError(f"the last message is of {self.messages[-1].role}, not of the assistant")
        return self


class PromptRow(_Strict):
    """A prompt and its completion, as plain text or as messages."""

    prompt: str | Turns
    completion: str | Turns
    tools: Tools = None

    @model_validator(mode="after")
    def _says_something(self) -> PromptRow:
        if not self.completion or (isinstance(self.completion, str) and not self.completion.strip()):
            raise ValueError("the completion is empty")
        return self


class PreferenceRow(_Strict):
    """A prompt with a preferred and a rejected answer.

    OpenAI's own form (`input`, `preferred_output`, `non_preferred_output`) is taken as well.
    """

    prompt: str | Turns
    chosen: str | Turns
    rejected: str | Turns
    tools: Tools = None

    @model_validator(mode="before")
    @classmethod
    def _from_openai(cls, raw: Any) -> Any:
        if not (isinstance(raw, dict) and isinstance(raw.get("input"), dict)):
            return raw
        inner = dict(raw["input"])
        row = {"prompt": inner.pop("messages", None), "tools": inner.pop("tools", None)}
        inner.pop("parallel_tool_calls", None)
        rest = {key: value for key, value in raw.items() if key not in {"input", "preferred_output", "non_preferred_output"}}
        return row | inner | rest | {"chosen": raw.get("preferred_output"), "rejected": raw.get("non_preferred_output")}

    @model_validator(mode="after")
    def _differ(self) -> PreferenceRow:
        if self.chosen == self.rejected:
            raise ValueError("the preferred and the rejected answer are the same")
        return self


Row = ChatRow | PromptRow | PreferenceRow

_KINDS: dict[str, type[ChatRow | PromptRow | PreferenceRow]] = {
    "messages": ChatRow,
    "completion": PromptRow,
    "chosen": PreferenceRow,
    "rejected": PreferenceRow,
    "preferred_output": PreferenceRow,
    "non_preferred_output": PreferenceRow,
}


def kind_of(raw: dict[str, Any]) -> type[ChatRow | PromptRow | PreferenceRow] | None:
    """Tell by its keys which schema a row means to follow, or None."""
    return next((kind for key, kind in _KINDS.items() if key in raw), None)
