"""JSON as models write it: read strictly, compared by value, taken apart into fields."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Leaves", "json_of", "same", "unfenced"]

_FENCE = re.compile(r"\A\s*```[A-Za-z0-9_-]*[ \t]*\n(.*?)\n?[ \t]*```\s*\Z", re.DOTALL)

_ANYWHERE = -1
"""The place of a list's members where their order means nothing."""


def unfenced(text: str) -> str:
    r"""Give what a Markdown code fence holds, where the text is nothing but one; otherwise the text.

    Example:
        >>> unfenced("```sql\nSELECT 1\n```")
        'SELECT 1'
    """
    found = _FENCE.match(text)
    return found[1] if found else text


def json_of(text: str, *, fenced: bool = False) -> Any:
    """Read JSON. NaN and infinities, which Python would take, are none.

    Args:
        text: What may be JSON.
        fenced: Also take it out of a Markdown code fence.

    Raises:
        ValueError: It is none, or nested too deeply to be read.
    """
    try:
        return json.loads(unfenced(text) if fenced else text, parse_constant=_none)
    except RecursionError:
        raise ValueError("nested too deeply") from None


class Leaves:
    """Takes JSON values apart into leaves with their places, so that two values can be held against each other.

    Both have to be taken apart by the same object. Numbers are equal by value (1 and 1.0), true is not 1, and the order of an object's
    keys means nothing. Neither depth nor size is limited but by memory, and time is linear in the size.

    Args:
        ordered: Places in a list count; otherwise a list's members may come in any order, each by itself.
        folded: Texts are compared without regard to case and surplus whitespace.

    Example:
        >>> leaves = Leaves()
        >>> leaves.of({"a": [1, True]}) == leaves.of({"a": [1.0, True]}), leaves.of([1]) == leaves.of([True])
        (True, False)
    """

    def __init__(self, *, ordered: bool = True, folded: bool = False) -> None:
        """Start with no place known."""
        self._ordered = ordered
        self._folded = folded
        self._places: dict[tuple[int, str | int], int] = {}

    def of(self, value: Any) -> Counter[tuple[int, str, Any]]:
        """Count the leaves of a value: a number for the place, the kind, the value."""
        found: Counter[tuple[int, str, Any]] = Counter()
        waiting = [(0, value)]
        while waiting:
            place, each = waiting.pop()
            if each and isinstance(each, (dict, list)):
                waiting.extend((self._places.setdefault((place, step), len(self._places) + 1), inner) for step, inner in self._inside(each))
            else:
                found[(place, *self._leaf(each))] += 1
        return found

    def path(self, place: int) -> str:
        """Name a place as a path, such as `order.lines.0.sku`; the whole value is `(whole)`."""
        above = {number: (parent, step) for (parent, step), number in self._places.items()}
        steps: list[str] = []
        while place:
            place, step = above[place]
            steps.append("*" if step == _ANYWHERE else str(step))
        return ".".join(reversed(steps)) or "(whole)"

    def _inside(self, value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
        if isinstance(value, dict):
            yield from value.items()
        elif self._ordered:
            yield from enumerate(value)
        else:
            yield from ((_ANYWHERE, inner) for inner in value)

    def _leaf(self, value: Any) -> tuple[str, Any]:
        match value:
            case bool():
                return "truth", value
            case str():
                return "text", " ".join(value.casefold().split()) if self._folded else value
            case int() | float():
                return "number", value
            case _:
                return ("nothing", None) if value is None else (type(value).__name__, None)


def same(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are equal (`Leaves` says how)."""
    leaves = Leaves()
    return leaves.of(left) == leaves.of(right)


def _none(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
