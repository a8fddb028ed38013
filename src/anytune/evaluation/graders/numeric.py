"""Right or wrong by a number in the text, within a tolerance."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from decimal import Context, Decimal, InvalidOperation
from typing import ClassVar, Literal

from pydantic import Field

from anytune.evaluation.graders.compared import Compared
from anytune.evaluation.values import Grade

__all__ = ["Numeric"]

_NUMBER = re.compile(
    r"""
    (?: (?<![\w.]) [-+] )?                                       # a sign, which the dash of `3-4` is not
    (?: \d{1,3} (?:,\d{3})+ (?!\d) | \d+ | (?<!\d) (?=\.\d) )  # thousands with commas, or digits, or none before a point
    (?: \.\d+ )?
    (?: [eE] [-+]? \d+ )?
    """,
    re.VERBOSE,
)
_EXACT = Context(prec=60, traps=[InvalidOperation])
"""Without the traps for numbers too large: they become infinite, and are wrong."""
_MOST_DIGITS = 400


class Numeric(Compared):
    """A number of the text is the right one. Thousands may have commas (`1,250.5`); decimals have a point."""

    type: ClassVar[str] = "numeric"
    take: Literal["last", "first", "only"] = "last"
    """Which number of a text counts; `only` wants a text that is nothing else."""
    absolute: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How far from the right number is still right."""
    relative: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """The same as a share of the right number; the larger of both counts."""

    @property
    def binary(self) -> bool:
        """Right or wrong."""
        return True

    def compared(self, text: str, right: str) -> Grade:
        """Compare."""
        expected, found = self._number(right), self._number(text)
        if expected is None:
            return Grade(score=None, error="the right answer holds no number")
        if found is None:
            return Grade(score=0.0, note="no number")
        off = _EXACT.abs(_EXACT.subtract(found, expected))
        room = max(Decimal(str(self.absolute)), _EXACT.multiply(Decimal(str(self.relative)), _EXACT.abs(expected)))
        return Grade(score=float(off <= room), note="" if off <= room else f"off by {off:.3g}")

    def _number(self, text: str) -> Decimal | None:
        text = unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-")
        words = (found[0] for found in _NUMBER.finditer(text))
        word = next(iter(deque(words, maxlen=1) if self.take == "last" else words), None)
        if word is None or len(word) > _MOST_DIGITS or (self.take == "only" and word != text.strip()):
            return None
        number = _EXACT.create_decimal(word.replace(",", ""))
        return number if number.is_finite() else None
