"""Python's text of a list of messages, which AutoTrain reads from cells: lists, dictionaries, texts, whole numbers, and nothing else."""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Any

__all__ = ["opened"]

_MAX_CHARS = 4 * 1024 * 1024
"""Longest cell that is read."""
_MAX_DEPTH = 32
"""Deepest nesting that is read; messages with parts have 5 levels."""

_TEXTS = re.compile(r"'[^'\\]*+(?:\\.[^'\\]*+)*+'|\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"", re.DOTALL)
_REST = re.compile(r"(?:[\[\]{},:\s]|None\b|True\b|False\b|\d{1,18}\b)*+")


def opened(text: str) -> Any:
    """Read a cell as JSON, or as Python would write it. Nothing is ever evaluated: what is no plain literal is refused before it is parsed.

    Raises:
        ValueError: It is neither, too long or too deep; the text says which, never what the cell holds.

    Example:
        >>> opened("[{'role': 'user', 'content': 'hi'}]")
        [{'role': 'user', 'content': 'hi'}]
    """
    if len(text) > _MAX_CHARS:
        raise ValueError("it is longer than 4 MiB")
    if _depth(text) > _MAX_DEPTH:
        raise ValueError("it is nested too deep")
    try:
        return json.loads(text)
    except ValueError:
        pass
    if not _REST.fullmatch(_TEXTS.sub("", text)):
        raise ValueError("it is neither JSON nor Python's text of a list")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # unknown escapes in somebody's text
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ValueError("it is neither JSON nor Python's text of a list") from None


def _depth(text: str) -> int:
    deepest = level = 0
    for bracket in re.findall(r"[\[\]{}]", _TEXTS.sub("", text)):
        level += 1 if bracket in "[{" else -1
        deepest = max(deepest, level)
    return deepest
