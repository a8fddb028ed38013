"""Is an answer text at all? Tuning that went wrong shows in emptiness, loops, and answers that do not end."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.evaluation.values import Answer

__all__ = ["faults", "non_text", "repeated"]

_LONG = 12
"""Words (or, in text without spaces, pairs of characters) from which on repetition is looked for."""

_UNSPACED = 8
"""Characters a word from which on a text is taken for one without spaces."""

_GRAM = 3
_MOST_REPEATED = 0.5
_MOST_NON_TEXT = 0.1
_NO_LETTERS = {"Cc", "Cn", "Co", "Cs"}
_NO_LETTERS = {"Cc", "Cn", "Co", "Cs"}


def faults(answer: Answer) -> tuple[str, ...]:
    """Name what is wrong with an answer: `failed`, `empty`, `repetition`, `runaway`, `non-text`; nothing where it looks like text."""
    if answer.text is None:
        return ("failed",)
    if not answer.text.strip():
        return ("empty",)
    found = {
        "repetition": repeated(answer.text) > _MOST_REPEATED,
        "runaway": answer.finish_reason == "length",
        "non-text": non_text(answer.text) > _MOST_NON_TEXT,
    }
    return tuple(name for name, wrong in found.items() if wrong)


def repeated(text: str) -> float:
    """Give the share of runs of three words that occurred before; 0 for short texts.

    Example:
        >>> repeated("the cat sat on " * 10) > 0.8, repeated("Paris is the capital of France.")
        (True, 0.0)
    """
    words = text.lower().split()
    if len(words) < _LONG:
        packed = "".join(words) if len(text) > _UNSPACED * max(len(words), 3) else ""
        words = [packed[place : place + 2] for place in range(0, len(packed), 2)]
    if len(words) < _LONG:
        return 0.0
    grams = [tuple(words[place : place + _GRAM]) for place in range(len(words) - _GRAM + 1)]
    return 1 - len(set(grams)) / len(grams)


def non_text(text: str) -> float:
    """Give the share of characters that no text has: control and private ones, lone surrogates, and the mark of what was unreadable."""
    plain = text.translate(dict.fromkeys(map(ord, "\n\r\t")))
    odd = sum(letter == "\ufffd" or unicodedata.category(letter) in _NO_LETTERS for letter in plain)
    return odd / max(len(text), 1)
