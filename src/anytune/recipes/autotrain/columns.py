"""AutoTrain's columns as anytune's own rows: a file that already is one stays as it is, any other is written once per content."""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.data.files import describe, lines, write
from anytune.data.formats import table
from anytune.data.formats.canonical import fits
from anytune.errors import DataError
from anytune.paths import home
from anytune.recipes.autotrain.literal import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Columns", "own"]

_EDITION = 1
"""Goes up when rows are written otherwise than before."""
_HEAD_ROWS = 32
_TEXT = "text"


class Columns(NamedTuple):
    """Which column holds what, and for what.

    Attributes:
        method: `sft`, `clm`, `dpo`, `orpo` or `reward`.
        chat: Whether cells hold messages, which a chat template turns into text.
        text: The column of the text or messages; of the better answer, where there are pairs.
        rejected: The column of the worse answer.
        prompt: The column of the prompt.
    """

    method: str
    chat: bool
    text: str
    rejected: str | None = None
    prompt: str | None = None

    @property
    def pairs(self) -> bool:
        """Tell whether a row holds two answers."""
        return self.method in {"dpo", "orpo", "reward"}

    @property
    def usual(self) -> bool:
        """Tell whether the columns bear the names that anytune's own rows have."""
        if self.pairs:
            return (self.prompt or "prompt", self.text, self.rejected) == ("prompt", "chosen", "rejected")
        return self.text == ("messages" if self.chat else _TEXT)


def own(path: Path, columns: Columns) -> Path:
    """Give a file of anytune's own rows with what the columns hold: the file itself, or one that is kept by its content.

    Raises:
        DataError: The file cannot be read; or a row lacks a column, or holds something else in it. Rows are told by their numbers.
    """
    head = [line.row for line in islice(lines(path), _HEAD_ROWS) if not line.problem]
    if columns.usual and head and all(_is_own(row, columns) for row in head):
        return path
    source = describe(path, "train")
    mark = hashlib.sha256(f"{_EDITION}\n{source.sha256}\n{tuple(columns)}".encode()).hexdigest()[:32]
    folder = home() / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{mark}.jsonl"
    if not target.exists():
        write(_rows(path, columns), target, source=path)
    return target


def _is_own(row: dict[str, Any], columns: Columns) -> bool:
    """Tell whether a row is learned from as it stands; columns that say where it comes from are no matter."""
    if columns.chat and isinstance(row.get(columns.text), str):
        return False
    plain = row if fits(row) else table.read(row)[0] if table.fits(row) else {}
    return bool(plain) and columns.text in plain and (columns.pairs or not isinstance(row[columns.text], str) or not columns.chat)


def _rows(path: Path, columns: Columns) -> Iterator[dict[str, Any]]:
    for line in lines(path):
        if line.problem:
            raise DataError(f"Row {line.number} of {path.name} is {line.problem}.", fix=line.fix)
        cells = _Cells(path.name, line.number, line.row, columns)
        yield cells.pair() if columns.pairs else cells.whole()


class _Cells:
    """One row of the file."""

    def __init__(self, file: str, number: int, row: dict[str, Any], columns: Columns) -> None:
        self._place = f"Row {number} of {file}"
        self._row = row
        self._columns = columns

    def whole(self) -> dict[str, Any]:
        """Give a row of one text or conversation."""
        name = self._columns.text
        return {"messages": self._messages(name)} if self._columns.chat else {_TEXT: self._text(name)}

    def pair(self) -> dict[str, Any]:
        """Give a row of a prompt and two answers."""
        chosen, rejected = self._columns.text, self._columns.rejected or "rejected"
        if not self._columns.chat:
            return {"prompt": self._prompt(), "chosen": self._text(chosen), "rejected": self._text(rejected)}
        better, worse = self._messages(chosen), self._messages(rejected)
        if self._columns.method == "reward":
            most = min(len(better), len(worse)) - 1
            shared = next((place for place in range(most) if better[place] != worse[place]), most)
            prompt, answers = better[:shared], (better[shared:], worse[shared:])
        else:  # as AutoTrain has it: all turns of the better side but the last, and the last ones of either
            prompt, answers = better[:-1], (better[-1:], worse[-1:])
        asked = prompt or self._prompt()
        if not asked:
            raise self._wrong(
                chosen, "holds an answer alone", "Put the conversation before it, in both columns: AutoTrain looks for it there."
            )
        return {"prompt": asked, "chosen": answers[0], "rejected": answers[1]}

    def _prompt(self) -> str:
        """Give the prompt's text; reward models need none."""
        name = self._columns.prompt
        if name is None or (name not in self._row and self._columns.method == "reward"):
            if self._columns.method == "reward" or self._columns.chat:
                return ""
            raise self._wrong("prompt", "is missing: no column is named for it", "Map it: prompt_text_column.")
        if name not in self._row and self._columns.chat:
            return ""
        return self._text(name)

    def _text(self, name: str) -> str:
        found = self._cell(name)
        if not isinstance(found, str):
            fix = "Set `chat_template: tokenizer`, if these are messages." if isinstance(found, list) else "Write a text."
            raise self._wrong(name, f"holds {'a list' if isinstance(found, list) else type(found).__name__}, not a text", fix)
        return found

    def _messages(self, name: str) -> list[Any]:
        found = self._cell(name)
        if isinstance(found, str):
            try:
                found = opened(found)
            except ValueError as error:
                raise self._wrong(name, f"holds no messages: {error}", "Set `chat_template: null`, if it is plain text.") from None
        if not isinstance(found, list) or not found or not all(isinstance(turn, dict) and "role" in turn for turn in found):
            raise self._wrong(name, "holds no messages", 'Write a list: [{"role": "user", "content": "…"}, …].')
        return found

    def _cell(self, name: str) -> Any:
        if name not in self._row:
            has = ", ".join(sorted(self._row)) or "none"
            raise self._wrong(name, "is missing", f"Its columns are: {has}. Correct `column_mapping`, or the row.")
        return self._row[name]

    def _wrong(self, name: str, problem: str, fix: str) -> DataError:
        return DataError(f"{self._place}: `{name}` {problem}.", fix=fix)
