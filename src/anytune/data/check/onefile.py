"""One file, read once: each row is judged, counted, compared and shown to the watchers, and then forgotten."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from anytune.codes import finding
from anytune.data.check import fast
from anytune.data.check.content import HOT, content
from anytune.data.check.images import images
from anytune.data.check.judge import judge
from anytune.data.check.repeats import Repeats, digests
from anytune.data.files.strict import Parser
from anytune.data.rows import kind_of, texts, word_of
from anytune.data.tokens import unusual

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from anytune.data.check.collector import Collector
    from anytune.data.check.watch import Watch
    from anytune.data.files import Block, Line
    from anytune.data.rules import Rules
    from anytune.data.tokens import TokenCounter

__all__ = ["OneFile", "Wanted"]

_BLANK = b" \t\r\n"
_BATCH_ROWS = 1000
_BATCH_BYTES = 3 * 2**20
"""Text that is handed to the counter's thread at a time: less, and the two threads would wait for each other most of the time."""

_KIND_OF_METHOD = {"dpo": "preference", "orpo": "preference", "reward": "preference", "kto": "unpaired", "rft": "graded"}


class Wanted(NamedTuple):
    """What rows are held against.

    Attributes:
        method: `sft`, `dpo`, `orpo`, `reward`, `clm`, `kto`, `rft`, or None where any kind of row is right.
        rules: What the target takes.
        grader: The grader's definition, for graded rows.
    """

    method: str | None
    rules: Rules
    grader: dict[str, Any] | None


class OneFile:
    """What is known of a file while it is read.

    Attributes:
        rows: Rows so far, good or not.
        kinds: The first good row of each kind.
        labels: Labels of unpaired rows.
        image_rows: Rows with images.
        repeats: Hashes of all good rows.
    """

    def __init__(
        self, wanted: Wanted, collector: Collector, watch: Watch, counter: TokenCounter | None, file: Literal["train", "validation"] | None
    ) -> None:
        """Begin to read."""
        self.rows = 0
        self.kinds: dict[str, int] = {}
        self.labels: set[bool] = set()
        self.image_rows = 0
        self.repeats = Repeats()
        self._wanted, self._collector, self._watch, self._counter, self._file = wanted, collector, watch, counter, file
        self._fast = fast.allowed(wanted.method, wanted.rules)
        self._parser = Parser()
        self._shown: Collection[int] = ()
        self._unflushed_bytes, self._unusual = 0, False

    def block(self, block: Block) -> None:
        """Read a block of JSON lines."""
        number = block.first_number
        for piece in fast.pieces(block.raw) if self._fast else (block.raw,):
            number += self._piece(number, piece)
        self._unflushed_bytes += len(block.raw)
        self._unusual = self._unusual or unusual(block.raw)
        if self._counter is not None and self._unflushed_bytes >= _BATCH_BYTES:
            self._counter.flush(unusual=self._unusual)
            self._unflushed_bytes, self._unusual = 0, False

    def _piece(self, first: int, piece: bytes) -> int:
        """Read some lines, all at once where they are plain, and give their number."""
        hot = HOT.search(piece)
        found = None if hot or not self._fast else fast.plain(piece)
        count = piece.count(b"\n") + (not piece.endswith(b"\n"))
        self._shown = self._watch.among(first, first + count - 1)
        if found is not None:
            self._plain(first, found)
            return count
        for number, line in enumerate(piece.split(b"\n"), first):
            if not line.strip(_BLANK):
                continue
            glows = hot and HOT.search(line)
            alone = fast.plain(line) if self._fast and not glows else None
            if alone is not None:
                self._plain(number, alone)
            else:
                self._row(self._parser.line(number, line), hot=glows)
        return count

    def lines(self, lines: Iterable[Line]) -> None:
        """Read rows that come one by one, parsed already."""
        for line in lines:
            self._shown = self._watch.among(line.number, line.number)
            self._row(line, hot=True)
            if self._counter is not None and self.rows % _BATCH_ROWS == 0:
                self._counter.flush()
        if self._counter is not None:
            self._counter.flush()

    def _row(self, line: Line, *, hot: bool) -> None:
        """Judge one row by the schemas.

        Args:
            line: The row, or what is wrong with it.
            hot: It may hold something that `content` looks for.
        """
        self.rows += 1
        if line.problem:
            self._collector.add([finding(line.code, f"The line is {line.problem}.", line.fix, row=line.number)], self._file)
            return
        wanted, number, row = self._wanted, line.number, line.row
        found = judge(number, row, wanted.method, wanted.rules, grader=wanted.grader)
        found += content(number, row, wanted.rules) if hot else []
        found += images(number, row, wanted.rules)
        self._collector.add(found, self._file)
        if any(one.severity == "error" and one.code not in _HARMLESS for one in found):
            return
        kind = self._kind(row)
        self._met(kind, number)
        if kind == "unpaired":
            self.labels.add(row["label"])
        self.image_rows += has_images(row)
        self.repeats.add(number, *digests(row))
        words = list(texts(row))
        if self._counter is not None:
            self._counter.row(number, row, texts(row, whole=True) if self._wanted.method == "clm" else words)
        if number in self._shown:
            self._watch.show(number, words)

    def _plain(self, first: int, found: list[tuple[Sequence[int], fast.Columns]]) -> None:
        """Take plain rows in, many at a time."""
        for places, columns in found:
            numbers = range(first, first + len(places)) if isinstance(places, range) else [first + place for place in places]
            self.rows += len(numbers)
            self._met("chat" if columns[0][0] else "prompt", numbers[0])
            self.repeats.add_plain(numbers, columns)
            if self._counter is not None:
                self._counter.plain(numbers, columns)
            for number in self._shown:
                place = bisect_left(numbers, number)
                if place < len(numbers) and numbers[place] == number:
                    self._watch.show(number, fast.worded([column[place] for column in columns]))

    def _met(self, kind: str, number: int) -> None:
        self.kinds[kind] = min(number, self.kinds.get(kind, number))

    def _kind(self, row: dict[str, Any]) -> str:
        known = _KIND_OF_METHOD.get(self._wanted.method or "")
        if known is None:
            kind = kind_of(row)
            known = "" if kind is None else word_of(kind)
        return known


_HARMLESS = frozenset(
    {"special-token", "encoding-damage", "refused-feature", "bad-image", "image-format", "image-too-large", "too-many-images"}
)
"""Errors of rows that can be read, counted and compared all the same."""


def has_images(row: dict[str, Any]) -> bool:
    """Tell whether a row has an image."""
    inner = row.get("input")
    rows = (row, inner) if isinstance(inner, dict) else (row,)
    sides = [side for one in rows for key in ("messages", "prompt") if isinstance(side := one.get(key), list)]
    return any(
        isinstance(part, dict) and part.get("type") == "image_url"
        for side in sides
        for message in side
        if isinstance(message, dict) and isinstance(message.get("content"), list)
        for part in message["content"]
    )
