"""Texts from outside, made fit to be shown: cut, and without what steers a page, a terminal or a parser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anytune.evaluation.values import Evaluation

__all__ = ["clean", "cut", "fit"]

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
"""Controls, marks that turn the direction of writing, widths of nothing, halves of characters, and what XML 1.0 forbids.

Joiners stay: emoji and Persian are written with them.
"""

_NAME = 200
"""Characters of a key that are kept."""


def clean(text: str) -> str:
    r"""Show what would not be seen by its number.

    Line ends become newlines.

    Example:
        >>> clean("a\x07b\u202ec")
        'a[U+0007]b[U+202E]c'
    """
    return _HIDDEN.sub(_visible, text.replace("\r\n", "\n").replace("\r", "\n"))


def cut(text: str, most: int) -> str:
    """Give at most so many characters of a text, cleaned, and say how many more there were.

    Example:
        >>> cut("x" * 3000, 5)
        'xxxxx … (2,995 more characters)'
    """
    if len(text) <= most:
        return clean(text)
    return f"{clean(text[:most])} … ({len(text) - most:,} more characters)"


def _visible(found: re.Match[str]) -> str:
    return f"[U+{ord(found[0]):04X}]"


def fit(evaluation: Evaluation, most: int = 4_000) -> Evaluation:
    """Give the evaluation with all its texts and names cleaned and cut: what is written from it is bounded, whoever wrote the answers."""
    return type(evaluation).model_validate(_fitted(evaluation.model_dump(), most))


def _fitted(value: Any, most: int) -> Any:
    if isinstance(value, str):
        return cut(value, most) if type(value) is str else value
    if isinstance(value, dict):
        return {cut(str(key), _NAME): _fitted(item, most) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fitted(item, most) for item in value]
    return value
