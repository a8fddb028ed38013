"""Is a general item answered right? Small checks that a program can make: a number, a word, an order, a shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Verifier = Callable[[str], bool]

__all__ = ["choice", "number", "numbers", "shape", "text", "word"]

_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


def number(expected: float) -> Verifier:
    """The last number of the answer is this one: models show their sum before they give it."""

    def right(answer: str) -> bool:
        found = _numbers(answer)
        return bool(found) and abs(found[-1] - expected) < 1e-6  # noqa: PLR2004 - rounding

    return right


def numbers(expected: Sequence[float]) -> Verifier:
    """The answer ends with these numbers, in this order."""
    return lambda answer: _numbers(answer)[-len(expected) :] == list(expected)


def word(*expected: str) -> Verifier:
    """One of these words is in the answer, as a word, whatever its case."""
    found = re.compile(r"\b(?:" + "|".join(re.escape(one) for one in expected) + r")\b", re.IGNORECASE)
    return lambda answer: found.search(answer) is not None


def choice(expected: str, others: Sequence[str]) -> Verifier:
    """Of several words the first that the answer names is this one."""
    named = re.compile(r"\b(?:" + "|".join(re.escape(one) for one in (expected, *others)) + r")\b", re.IGNORECASE)

    def right(answer: str) -> bool:
        found = named.search(answer)
        return found is not None and found[0].lower() == expected.lower()

    return right


def text(expected: str) -> Verifier:
    """This text is in the answer, letter by letter, and stands alone."""
    found = re.compile(r"(?<![\w-])" + re.escape(expected) + r"(?![\w-])")
    return lambda answer: found.search(answer) is not None


def shape(pattern: str) -> Verifier:
    """The whole answer has this shape, and nothing stands around it."""
    whole = re.compile(pattern, re.DOTALL)
    return lambda answer: whole.fullmatch(answer.strip()) is not None


def _numbers(answer: str) -> list[float]:
    return [float(found.replace(",", "")) for found in _NUMBER.findall(answer)]
