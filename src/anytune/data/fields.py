"""A value inside a row, by a path such as `metadata.user`, `messages.0.content` or `answer.intent`.

The parts of a path are keys, or places in a list (0 is the first, -1 the last). Where a path goes on inside a text, the text is read as
JSON: `messages.-1.content.intent` looks into an answer that is JSON. `answer`, where the row has no key of that name, is what the row
teaches: the last assistant's content, the completion, or the preferred answer.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["ANSWER", "label", "value"]

ANSWER = "answer"
"""What a row teaches, where it has no key of that name."""


def label(raw: dict[str, Any], path: str) -> str | None:
    """Give the value at a path as a text, for grouping and counting; None where there is none.

    Texts stand for themselves, anything else for its JSON (`true`, `3`, `["a"]`).

    Example:
        >>> row = {"messages": [{"role": "user", "content": "Play jazz"}, {"role": "assistant", "content": '{"intent": "PlayMusic"}'}]}
        >>> label(row, "answer.intent"), label(row, "messages.0.role"), label(row, "answer.slots")
        ('PlayMusic', 'user', None)
    """
    try:
        found = value(raw, path)
    except LookupError:
        return None
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True, ensure_ascii=False)


def value(raw: dict[str, Any], path: str) -> Any:
    """Give the value at a path.

    Raises:
        LookupError: The path leads nowhere in this row.
    """
    first, *rest = path.split(".")
    found = _answer(raw) if first == ANSWER and first not in raw else raw[first]
    for part in rest:
        found = _inside(found, part)
    return found


def _inside(found: object, part: str) -> object:
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            raise LookupError(part) from None
    if isinstance(found, dict):
        return found[part]
    if isinstance(found, list) and part.removeprefix("-").isdecimal():
        return found[int(part)]
    raise LookupError(part)


def _answer(raw: dict[str, Any]) -> object:
    key = next((key for key in ("messages", "completion", "chosen", "preferred_output", "output", "response") if key in raw), None)
    if key is None:
        raise LookupError(ANSWER)
    found = raw[key]
    if isinstance(found, list):
        said = [message for message in found if isinstance(message, dict) and message.get("role", "assistant") == "assistant"]
        if not said:
            raise LookupError(ANSWER)
        return _text(said[-1].get("content"))
    return found


def _text(content: object) -> object:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content
