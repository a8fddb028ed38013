"""Messages put together: a system message replaced or added to, turns put before the question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anytune.evaluation.arms.base import Message

__all__ = ["added", "before", "instructed", "said", "spoken"]

_INSTRUCTIONS = frozenset({"system", "developer"})


def spoken(messages: Iterable[Message]) -> list[Message]:
    """Leave instructions out: what stays is what was said."""
    return [message for message in messages if message.get("role") not in _INSTRUCTIONS]


def instructed(messages: Iterable[Message], system: str) -> list[Message]:
    """Put a system message in the place of the row's own instructions."""
    return [{"role": "system", "content": system}, *spoken(messages)]


def added(messages: Sequence[Message], text: str) -> list[Message]:
    """Add a text to the first instruction; where there is none, it becomes the system message."""
    place = next((index for index, message in enumerate(messages) if message.get("role") in _INSTRUCTIONS), None)
    if place is None:
        return [{"role": "system", "content": text}, *messages]
    own = messages[place].get("content")
    content = [*own, {"type": "text", "text": text}] if isinstance(own, list) else f"{own}\n\n{text}" if own else text
    return [*messages[:place], messages[place] | {"content": content}, *messages[place + 1 :]]


def before(messages: Sequence[Message], turns: Sequence[Message]) -> list[Message]:
    """Put turns between the instructions at the head and what is asked."""
    head = next((index for index, message in enumerate(messages) if message.get("role") not in _INSTRUCTIONS), len(messages))
    return [*messages[:head], *turns, *messages[head:]]


def said(messages: Iterable[Message]) -> str:
    """Give the words of what was said, without instructions; images not at all."""
    return "\n".join(text for message in spoken(messages) if (text := _text(message.get("content"))))


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""
