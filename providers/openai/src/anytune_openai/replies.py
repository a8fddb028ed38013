"""Replies as they came: plain dicts, and an error where a proxy or a cut connection left something else.

The `openai` client gives back a text where a page of HTML arrives on 200, and lets `json.JSONDecodeError` through where the JSON is broken
(openai 3.54, seen 2026-11-22), so the bodies are read here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from anytune.errors import MalformedReply, redact

if TYPE_CHECKING:
    from openai._legacy_response import LegacyAPIResponse

__all__ = ["cleaned", "moment", "record"]

_FIX = "Check that the base URL is the provider's own and no proxy or sign-in page stands before it, then run the same script again."


def record(response: LegacyAPIResponse[Any]) -> dict[str, Any]:
    """Give a reply's JSON object.

    Raises:
        MalformedReply: The body is no JSON object. After a create that leaves open whether it took effect.
    """
    reply = response.http_response
    try:
        body = json.loads(reply.content)
    except ValueError as error:
        kind = reply.headers.get("content-type", "no type").split(";")[0]
        message = f"{reply.request.url.path} answered {reply.status_code} with {len(reply.content)} bytes of {kind} that are no JSON."
        raise MalformedReply(message, fix=_FIX) from error
    if not isinstance(body, dict):
        raise MalformedReply(f"{reply.request.url.path} answered with a JSON {type(body).__name__}, not an object.", fix=_FIX)
    return body


def moment(seconds: object) -> datetime | None:
    """Turn seconds since 1970 into a time with its zone; None for anything that is no time."""
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def cleaned(value: Any) -> Any:
    """Give a reply without what looks like a key or a token."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: cleaned(part) for name, part in value.items()}
    if isinstance(value, list):
        return [cleaned(part) for part in value]
    return value
