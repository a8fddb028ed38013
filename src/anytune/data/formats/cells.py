"""Rows with messages and tools as text in their cells, as AutoTrain and tables that went through JSONL hold them.

Text is read as JSON and in no other way: Python's text of a list is never evaluated, but named as what it is.
"""

from __future__ import annotations

import re
from typing import Any

from anytune.data.formats.canonical import Unreadable
from anytune.data.formats.turns import strict_json

__all__ = ["fits", "opened"]

_ALWAYS = ("messages", "conversations", "conversation", "tools", "input", "preferred_output", "non_preferred_output")
_PERHAPS = ("text", "prompt", "completion", "chosen", "rejected")
_PYTHON = re.compile(r"^\s*\[?\s*\{\s*'(?:role|content|from|value)'\s*:")


def fits(row: dict[str, Any]) -> bool:
    """Tell whether a cell of a row holds messages as text."""
    if any(isinstance(row.get(key), str) and _PYTHON.match(row[key]) for key in (*_ALWAYS, *_PERHAPS)):
        return True
    try:
        return opened(row) != row
    except Unreadable:
        return True


def opened(row: dict[str, Any]) -> dict[str, Any]:
    """Give the row with the text of such cells as what it says; other cells stay.

    Raises:
        Unreadable: A cell holds Python's text of a list.
    """
    done = dict(row)
    for key in (*_ALWAYS, *_PERHAPS):
        cell = row.get(key)
        if not isinstance(cell, str) or not cell.lstrip().startswith(("[", "{")):
            continue
        if _PYTHON.match(cell):
            raise Unreadable("bad-type", f"`{key}` is Python's text of a list, not JSON; write it with `json.dumps`")
        try:
            value = strict_json(cell)
        except ValueError:
            continue
        if _messages(value) or (key in _ALWAYS and _records(key, value)):
            done[key] = value
    if isinstance(done.get("text"), list) and _messages(done["text"]) and "messages" not in done:
        done = {("messages" if key == "text" else key): value for key, value in done.items()}
    return done


def _messages(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(turn, dict) and (({"role"} <= turn.keys() and _says(turn)) or {"from", "value"} <= turn.keys()) for turn in value
        )
    )


def _says(turn: dict[str, Any]) -> bool:
    return bool({"content", "tool_calls", "function_call"} & turn.keys())


def _records(key: str, value: object) -> bool:
    if key == "input":
        return isinstance(value, dict) and "messages" in value
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
