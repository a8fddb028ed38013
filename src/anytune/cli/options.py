"""`--option KEY=VALUE`: a backend's own words on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["read"]

_OURS = {"ttl_s": "--ttl", "ttl": "--ttl", "name": "--name"}


def read(pairs: Iterable[str]) -> dict[str, Any]:
    """Read options; a value that is JSON (a number, `true`, `null`, a list, a text in quotes) is that, any other is the text itself.

    Raises:
        typer.BadParameter: A pair has no `=`, comes twice, or has an option of its own.

    Example:
        >>> read(["sku=Standard", "capacity=2", "developer=true", 'version="1"', "region=007"])
        {'sku': 'Standard', 'capacity': 2, 'developer': True, 'version': '1', 'region': '007'}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not sign or not key:
            raise typer.BadParameter(f"{pair!r} is no KEY=VALUE.")
        if key in _OURS:
            raise typer.BadParameter(f"`{key}` has an option of its own: {_OURS[key]}.")
        if key in found:
            raise typer.BadParameter(f"`{key}` is given twice.")
        found[key] = _value(text.strip())
    return found


def _value(text: str) -> Any:
    if text in {"True", "False"}:  # as Python writes them
        return text == "True"
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _refuse(word: str) -> Any:
    """Take NaN and Infinity as words: JSON has no such numbers, and no provider means them."""
    raise ValueError(word)
