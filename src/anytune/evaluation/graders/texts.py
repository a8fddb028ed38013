"""Right or wrong by the text itself: equal, equal but for its looks, holding words, matching a pattern."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PrivateAttr

from anytune.errors import ConfigError
from anytune.evaluation.graders.compared import Answered, Compared, right_answer
from anytune.evaluation.graders.templates import Template
from anytune.evaluation.needs import need
from anytune.evaluation.values import Grade

if TYPE_CHECKING:
    from anytune.evaluation.graders.base import Desk
    from anytune.evaluation.graders.templates import Scene

__all__ = ["Contains", "Exact", "Normalized", "Regex"]

MATCH_S = 1.0
"""Longest a pattern may look at one answer: patterns such as `(a+)+$` take hours on some."""


class Exact(Compared):
    """The text is the right one, character by character."""

    type: ClassVar[str] = "exact"
    strip: bool = True
    """Whitespace around either text means nothing."""

    @property
    def binary(self) -> bool:
        """Right or wrong."""
        return True

    def compared(self, text: str, right: str) -> Grade:
        """Compare."""
        return _verdict((text.strip() == right.strip()) if self.strip else text == right)


class Normalized(Compared):
    """The text is the right one but for its looks. Unicode is always compared in the form NFKC, so that `ﬁ` is `fi`."""

    type: ClassVar[str] = "normalized"
    ignore_case: bool = True
    ignore_whitespace: bool = True
    """How much of it there is, and which, means nothing."""
    ignore_punctuation: bool = True
    """Marks that stand for no letter, number or symbol are left out; `$` and `+` stay."""
    ignore_accents: bool = False
    ignore_words: tuple[str, ...] = ()
    """Words to leave out, such as articles."""

    @property
    def binary(self) -> bool:
        """Right or wrong."""
        return True

    def compared(self, text: str, right: str) -> Grade:
        """Compare."""
        return _verdict(self._plain(text) == self._plain(right))

    def _plain(self, text: str) -> str:
        text = unicodedata.normalize("NFKC", text)
        if self.ignore_case:
            text = unicodedata.normalize("NFKC", text.casefold())
        if self.ignore_accents:
            marked = unicodedata.normalize("NFD", text)
            text = unicodedata.normalize("NFC", "".join(each for each in marked if unicodedata.category(each) != "Mn"))
        if self.ignore_punctuation:
            text = "".join(" " if unicodedata.category(each).startswith("P") else each for each in text)
        if self.ignore_words:
            left_out = {word.casefold() for word in self.ignore_words}
            text = " ".join(word for word in text.split() if word.casefold() not in left_out)
        return " ".join(text.split()) if self.ignore_whitespace or self.ignore_punctuation else text


class Contains(Answered):
    """The text holds what it has to. Without `all`, `any` and `none` it has to hold the row's right answer."""

    type: ClassVar[str] = "contains"
    all: tuple[str, ...] = ()
    """Each of them, with templates."""
    any: tuple[str, ...] = ()
    """At least one of them."""
    none: tuple[str, ...] = ()
    """None of them."""
    ignore_case: bool = False
    _lists: dict[str, list[Template]] = PrivateAttr()

    @property
    def binary(self) -> bool:
        """Right or wrong."""
        return True

    def prepare(self, desk: Desk) -> None:
        """Read the templates."""
        super().prepare(desk)
        self._lists = {key: [Template(text, key) for text in getattr(self, key)] for key in ("all", "any", "none")}

    def judged(self, text: str, scene: Scene) -> Grade:
        """Look for the words."""
        wanted = {key: [template.fill(scene) for template in templates] for key, templates in self._lists.items()}
        if not any(wanted.values()):
            wanted["all"] = [right_answer(scene).strip()]
        text = text.casefold() if self.ignore_case else text
        held = {key: [(word.casefold() if self.ignore_case else word) in text for word in words] for key, words in wanted.items()}
        return _verdict(all(held["all"]) and (any(held["any"]) or not held["any"]) and not any(held["none"]))


class Regex(Answered):
    """A pattern is found in the text (or `whole`: is all of it). A pattern that takes longer than a second is broken off."""

    type: ClassVar[str] = "regex"
    pattern: str
    """In the syntax of Python's `re`, and what the library `regex` adds to it."""
    whole: bool = False
    """The pattern has to match the whole text."""
    ignore_case: bool = False
    found: bool = True
    """False asks that it is not found."""
    _compiled: Any = PrivateAttr()

    @property
    def binary(self) -> bool:
        """Right or wrong."""
        return True

    def prepare(self, desk: Desk) -> None:
        """Compile the pattern."""
        super().prepare(desk)
        regex = need("regex")
        try:
            self._compiled = regex.compile(self.pattern, regex.IGNORECASE if self.ignore_case else 0)
        except (regex.error, RecursionError, OverflowError) as error:
            raise ConfigError(f"`pattern` is no regular expression: {error}.", fix="Correct it.") from None

    def judged(self, text: str, scene: Scene) -> Grade:
        """Look for the pattern."""
        del scene
        look = self._compiled.fullmatch if self.whole else self._compiled.search
        try:
            match = look(text, timeout=MATCH_S, concurrent=True)
        except TimeoutError:
            return Grade(score=None, error=f"the pattern took longer than {MATCH_S:g} s: write it without nested repeats")
        return _verdict((match is not None) is self.found)


def _verdict(right: bool) -> Grade:  # noqa: FBT001 - it is the verdict
    return Grade(score=float(right))
