"""What grading models are told about the form of their reply, and how the reply is read. What cannot be read is an error, never a score."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from anytune.evaluation.graders.reading import json_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Unreadable", "choice_shape", "field_of", "number_of", "score_shape", "with_form"]

_REASON = {"type": "string", "description": "In one or two sentences, before the verdict."}
_OPENS = re.compile(r"\{")
_TRIES = 50
_LINE = 200


class Unreadable(ValueError):
    """A grading model said something that is no grade; the text says what was looked for, never what was said."""


def score_shape(low: float, high: float) -> dict[str, Any]:
    """Give the JSON Schema of a reply with a number. The bounds are in words: not every host takes them as a rule."""
    number = {"type": "number", "description": f"From {low:g} (worst) to {high:g} (best)."}
    return _shape({"reason": _REASON, "score": number})


def choice_shape(key: str, choices: Sequence[str]) -> dict[str, Any]:
    """Give the JSON Schema of a reply with one of several words."""
    return _shape({"reason": _REASON, key: {"type": "string", "enum": list(choices)}})


def with_form(messages: Sequence[Mapping[str, Any]], shape: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tell the form of the reply at the end of the last message, for hosts that do not enforce it."""
    fields = ", ".join(f'"{name}": {_told(rule)}' for name, rule in shape["properties"].items())
    words = f"Reply with nothing but a JSON object: {{{fields}}}."
    told = [dict(message) for message in messages]
    if told[-1]["role"] != "user":
        return [*told, {"role": "user", "content": words}]
    content = told[-1]["content"]
    told[-1]["content"] = f"{content}\n\n{words}" if isinstance(content, str) else [*content, {"type": "text", "text": words}]
    return told


def number_of(text: str, low: float, high: float) -> tuple[float, str]:
    """Give the score of a reply and its reason.

    Raises:
        Unreadable: There is none, or it is out of its range.
    """
    found, reason = field_of(text, "score")
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError:
            raise Unreadable("its score is no number") from None
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
        raise Unreadable("its score is no number")
    if not low <= found <= high:
        raise Unreadable(f"its score is not between {low:g} and {high:g}")
    return float(found), reason


def field_of(text: str, key: str) -> tuple[Any, str]:
    """Give what a reply has under a key, and its reason. The last object that has the key counts: models think aloud first.

    Where there is no object, a last line `key: value` is taken.

    Raises:
        Unreadable: There is no such key.
    """
    for found in _objects(text):
        if isinstance(found, dict) and key in found:
            return found[key], str(found.get("reason") or "")
    last = text.strip().rpartition("\n")[2][-_LINE:]
    line = re.fullmatch(rf"[\s*_`]*{re.escape(key)}[\s*_`]*[:=][\s*_`]*(-?\w[\w.-]*?)[\s*_`.]*", last, re.IGNORECASE)
    if line is None:
        raise Unreadable(f"it has no {key!r}")
    return line[1], ""


def _objects(text: str) -> Iterator[Any]:
    try:
        yield json_of(text, fenced=True)
    except ValueError:
        decoder = json.JSONDecoder()
        starts = [found.start() for found in _OPENS.finditer(text)][-_TRIES:]
        for start in reversed(starts):
            try:
                yield decoder.raw_decode(text, start)[0]
            except (ValueError, RecursionError):
                continue


def _shape(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _told(rule: Mapping[str, Any]) -> str:
    if "enum" in rule:
        return " or ".join(json.dumps(choice, ensure_ascii=False) for choice in rule["enum"])
    return f"<{rule['type']}: {str(rule['description']).rstrip('.')}>"
