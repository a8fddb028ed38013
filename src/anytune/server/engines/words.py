"""Words that OpenAI's answers always have, and some engines leave out where they are null: strict clients miss them.

transformers 5.23's server drops every null and does not end a stream with `[DONE]` (seen 2026-11-23). A complete answer stays as it is.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

__all__ = ["END", "ends", "line", "whole"]

END: Final = b"data: [DONE]\n\n"
_DATA: Final = b"data: {"


def whole(content: bytes) -> bytes:
    """Complete an answer that came at once."""
    if b'"refusal"' in content and b'"logprobs"' in content:
        return content
    body = _object(content)
    for choice in _choices(body):
        choice.setdefault("logprobs", None)
        if isinstance(message := choice.get("message"), dict):
            message.setdefault("content", None)
            message.setdefault("refusal", None)
    return orjson.dumps(body) if body else content


def line(content: bytes) -> bytes:
    """Complete one line of a stream, with its line feed."""
    if not content.startswith(_DATA) or b'"finish_reason"' in content:
        return content
    body = _object(content.removeprefix(b"data: "))
    if not (found := _choices(body)):
        return content
    for choice in found:
        choice.setdefault("finish_reason", None)
    return b"data: " + orjson.dumps(body) + b"\n"


def ends(content: bytes) -> bool:
    """Tell whether a line is the end of a stream."""
    return content.startswith(b"data: [DONE]")


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _choices(body: dict[str, Any]) -> list[dict[str, Any]]:
    found = body.get("choices")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
