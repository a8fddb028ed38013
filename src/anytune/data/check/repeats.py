"""Rows that stand twice, inputs with two answers, and validation rows that stand in the training file: exact, in 24 bytes a row.

Rows are compared by 64-bit hashes of their content (Python's own keyed hash, so that nobody can prepare a collision): the order of keys and
white space make no difference. A million rows have one chance in forty million of a false match.
"""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING, Any

import orjson

from anytune.codes import finding
from anytune.data.check.collector import MAX_ROWS
from anytune.data.check.fast import plain_row
from anytune.data.rows import split_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from anytune.values import Finding

__all__ = ["Repeats", "across", "digests"]

_PART_ROWS = 2**18
"""Rows that are compared at a time: a set of their hashes takes 18 MB."""

_NAMED = 5
"""Training rows that a message names."""


class Repeats:
    """What one file's rows are, as hashes.

    Attributes:
        inputs: Hashes of what is asked, row by row.
        answers: Hashes of the answers.
        numbers: Lines.
    """

    def __init__(self) -> None:
        """Begin without rows."""
        self.inputs = array("q")
        self.answers = array("q")
        self.numbers = array("Q")

    def add(self, number: int, asked: int, answered: int) -> None:
        """Take a row in.

        Args:
            number: Its line.
            asked: Hash of its input.
            answered: Hash of its answer.
        """
        self.inputs.append(asked)
        self.answers.append(answered)
        self.numbers.append(number)

    def add_plain(self, numbers: Sequence[int], columns: Sequence[Sequence[str]]) -> None:
        """Take plain rows of the same roles in: their lines, and a column of texts for each message."""
        self.inputs.extend(map(hash, zip(*columns[:-1], strict=True)))
        self.answers.extend(map(hash, columns[-1]))
        self.numbers.extend(numbers)

    def findings(self, *, pairs: bool = False) -> Iterator[Finding]:
        """Tell which rows are the same, and which inputs have several answers; one finding a group, in the order of the file.

        Args:
            pairs: Answers are a better and a worse one: an input may have several such pairs, and only a pair the other way round
                contradicts one.
        """
        same: list[tuple[int, ...]] = []
        conflicts: list[tuple[int, ...]] = []
        for group in self._groups():
            first = [min(rows) for answer, rows in group.items() if not pairs or -answer in group]
            if len(first) > 1:
                conflicts.append(tuple(sorted(first)))
            same += [tuple(sorted(rows)) for rows in group.values() if len(rows) > 1]
        yield from map(_duplicates, sorted(same))
        yield from map(_conflict, sorted(conflicts))

    def _groups(self) -> Iterator[dict[int, list[int]]]:
        """Give the lines of every input that stands more than once, by answer; a part of all inputs at a time, to save memory."""
        parts = 1
        while parts * _PART_ROWS < len(self.inputs):
            parts *= 2
        twice: set[int] = set()
        for part in range(parts):
            seen: set[int] = set()
            chosen = self.inputs if parts == 1 else [asked for asked in self.inputs if asked & (parts - 1) == part]
            twice.update(asked for asked in chosen if asked in seen or seen.add(asked))  # type: ignore[func-returns-value]
            del seen, chosen
            if len(twice) > _PART_ROWS or (part == parts - 1 and twice):
                yield from self._grouped(twice)
                twice.clear()

    def _grouped(self, wanted: set[int]) -> Iterable[dict[int, list[int]]]:
        groups: dict[int, dict[int, list[int]]] = {}
        for asked, answered, number in zip(self.inputs, self.answers, self.numbers, strict=True):
            if asked in wanted:
                groups.setdefault(asked, {}).setdefault(answered, []).append(number)
        return groups.values()


def digests(raw: dict[str, Any]) -> tuple[int, int]:
    """Give the hashes of what a good row asks and answers; a plain row's are those of its texts, whatever way it was read.

    A pair of answers the other way round has the negative hash.
    """
    asked, answered = split_input(raw)
    if isinstance(asked, list) and asked[-1] is None and len(asked) == 2:  # noqa: PLR2004 - what is asked, and no tools
        texts = plain_row(
            {"messages": [*asked[0], answered]} if isinstance(asked[0], list) else {"prompt": asked[0], "completion": answered}
        )
        if texts is not None:
            return hash(tuple(texts[:-1])), hash(texts[-1])
    if isinstance(answered, list) and ("chosen" in raw or "preferred_output" in raw):
        better, worse = map(_digest, answered)
        return _digest(asked), (better - worse + 2**63) % 2**64 - 2**63
    return _digest(asked), _digest(answered)


def across(train: Repeats, validation: Repeats) -> list[Finding]:
    """Tell which validation rows, or inputs of validation rows, stand in the training file."""
    rows: list[tuple[int, int]] = []
    inputs: list[tuple[int, int]] = []
    asked = set(validation.inputs)
    known: dict[int, dict[int, int]] = {}
    for one, answered, number in zip(train.inputs, train.answers, train.numbers, strict=True):
        if one in asked:
            known.setdefault(one, {}).setdefault(answered, number)
    for one, answered, number in zip(validation.inputs, validation.answers, validation.numbers, strict=True):
        answers = known.get(one)
        if answers is not None and answered in answers:
            rows.append((number, answers[answered]))
        elif answers is not None:
            inputs.append((number, next(iter(answers.values()))))
    found = []
    if rows:
        fix = "Take them out of one of the two files: `anytune data split` keeps equal rows together."
        found.append(_leak("leaked-rows", "validation rows stand in the training file", sorted(rows), fix))
    if inputs:
        fix = "Take them out of one of the two files, unless the input is meant to have several answers."
        found.append(_leak("leaked-inputs", "validation rows ask what training rows ask, with other answers", sorted(inputs), fix))
    return found


def _duplicates(rows: tuple[int, ...]) -> Finding:
    message = f"{len(rows):,} rows are the same: {_named(rows)}."
    return finding("duplicate-rows", message, "Keep one of them, unless the weight is meant.", rows=rows[:MAX_ROWS])


def _conflict(rows: tuple[int, ...]) -> Finding:
    message = f"The same input has {len(rows):,} different answers, in rows {_named(rows)}."
    return finding("conflicting-answers", message, "Keep the answer that is right, unless several are meant.", rows=rows[:MAX_ROWS])


def _leak(code: str, words: str, pairs: list[tuple[int, int]], fix: str) -> Finding:
    rows = [row for row, _ in pairs]
    message = (
        f"{len(rows):,} {words}: validation rows {_named(rows)}; training rows {_named(list(dict.fromkeys(row for _, row in pairs)))}."
    )
    return finding(code, message, fix, rows=rows[:MAX_ROWS]).model_copy(update={"file": "validation"})


def _named(rows: Iterable[int]) -> str:
    rows = list(rows)
    words = ", ".join(map(str, rows[:_NAMED]))
    return words if len(rows) <= _NAMED else f"{words} and {len(rows) - _NAMED:,} more"


def _digest(value: object) -> int:
    try:
        return hash(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
    except TypeError:  # whole numbers beyond 64 bits, lone surrogates
        return hash(json.dumps(value, sort_keys=True))
