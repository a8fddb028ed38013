"""The training rows that arms may show: none of the development rows, and none that asks what a held-out row asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from anytune.data.check.near import Near
from anytune.data.rows import Text
from anytune.evaluation.arms.search import Search
from anytune.evaluation.arms.turns import said, spoken
from anytune.evaluation.cases import question_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anytune.evaluation.arms.base import Message
    from anytune.evaluation.values import Case

__all__ = ["Example", "Pool"]


@dataclass(frozen=True)
class Example:
    """A training row as an arm may show it.

    Attributes:
        case: The row.
        question: Its words, without instructions.
    """

    case: Case
    question: str

    @property
    def turns(self) -> list[Message]:
        """The row as turns of a conversation: what was asked, and the right answer."""
        answer: Message = {"role": "assistant", "content": self.case.reference}
        if not self.case.tool_calls:
            return [*spoken(self.case.messages), answer]
        calls = answer["tool_calls"] = [{"id": f"call_{number}"} | call for number, call in enumerate(self.case.tool_calls)]
        # Hosts refuse a call without a result ("must be followed by tool messages").
        results = [{"role": "tool", "tool_call_id": call["id"], "content": ""} for call in calls]
        return [*spoken(self.case.messages), answer, *results]


@dataclass(frozen=True)
class Pool:
    """Examples, with an index over what they ask.

    Attributes:
        examples: In the file's order.
        dev_rows: Rows that were left out as development rows, or ask what one of them asks.
        equal_rows: Rows that were left out since a held-out row asks the same.
        near_rows: The same, nearly the same.
    """

    examples: tuple[Example, ...]
    dev_rows: int = 0
    equal_rows: int = 0
    near_rows: int = 0

    @classmethod
    def of(cls, train: Iterable[Case], *, held_out: Sequence[Case], dev: Sequence[Case] = ()) -> Pool:
        """Take the training rows that may be shown.

        Args:
            train: All training rows.
            held_out: Rows that are reported on: a row that asks the same, or nearly (`anytune data check` draws the same line), is no
                example.
            dev: Rows on which choices are made; the same holds for them.
        """
        rows = [case for case in train if case.reference is not None or case.tool_calls]
        asked, chosen = {question_key(case) for case in held_out}, {question_key(case) for case in dev}
        keys = [question_key(case) for case in rows]
        equal = {place for place, key in enumerate(keys) if key in asked}
        reserved = {place for place, key in enumerate(keys) if key in chosen} - equal
        near = _near(rows, held_out) - equal - reserved
        reserved |= _near(rows, dev) - equal - near if dev else set()
        left_out = equal | reserved | near
        kept = tuple(Example(case, said(case.messages)) for place, case in enumerate(rows) if place not in left_out)
        return cls(kept, dev_rows=len(reserved), equal_rows=len(equal), near_rows=len(near))

    @property
    def left_out(self) -> str:
        """What was left out, in words; empty where nothing was."""
        parts = []
        if leaked := self.equal_rows + self.near_rows:
            parts.append(f"{leaked:,} that ask what a held-out row asks ({self.equal_rows:,} the same, {self.near_rows:,} nearly)")
        if self.dev_rows:
            parts.append(f"{self.dev_rows:,} development rows and rows that ask nearly the same")
        return f"Of the training rows, {' and '.join(parts)} are no examples." if parts else ""

    @cached_property
    def search(self) -> Search:
        """The index over the questions."""
        return Search([example.question for example in self.examples])


def _near(rows: Sequence[Case], held_out: Sequence[Case]) -> set[int]:
    """Give the places of rows that ask nearly what a held-out row asks."""
    near = Near()
    for file, cases in (("train", rows), ("validation", held_out)):
        for place, case in enumerate(cases):
            near.take(place, [Text(None, "user", said(case.messages), trained=False)], file)
    return set(near.leaked())
