"""Tokens of rows as hosted models count them: exact for every text, offline, in o200k_base and cl100k_base.

What a host puts around messages follows the rule that OpenAI's cookbook publishes ("How to count tokens with tiktoken", read 2026-11-22): 3
tokens a message and its role, 1 more for a name, 3 at the end of a row. For tools, images and hosts with another format it is an estimate:
definitions of tools are counted as their JSON text, images not at all. Strings that look like special tokens are counted as ordinary text.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice
from operator import add, sub
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from anytune.data.report import TokenCounts
from anytune.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from anytune.data.rows import Text

__all__ = ["ENCODINGS", "PERCENTILES", "TokenCounter", "TokenTally", "count", "inexact", "load", "percentile", "unusual"]

ENCODINGS = ("o200k_base", "cl100k_base")
"""Encodings that are counted exactly: of gpt-4o, gpt-4.1, o-series and gpt-5; of gpt-4 and gpt-3.5."""

PERCENTILES = (5, 25, 50, 75, 95, 99)

_MESSAGE = 3 + 1
"""Tokens of a message beside its texts; the names of all roles are one token in both encodings."""

_NAME = 1
_END = 3
_KNOWN_CHARACTERS = 4_000_000
"""Texts that come again (system prompts) are counted once, up to so many characters of different ones."""

_LOADED: set[str] = set()
_LOADING = Lock()

_AHEAD = 2
"""Batches that may wait to be counted: reading is faster than that, and must not fill the memory."""

_NEW_LEADS = (b"\xe0", b"\xe1", b"\xea", b"\xf0", b"\\u")
_NEW = re.compile(
    "[\u088f\u0c5c\u0cdc\u1acf-\u1add\u1ae0-\u1aeb\ua7ce\ua7cf\ua7d2\ua7d4\ua7f1\U00010940-\U00010959\U00010ec5-\U00010ec7\U00010efa\U00010efb"
    "\U00011b60-\U00011b67\U00011db0-\U00011ddb\U00011de0-\U00011de9\U00016ea0-\U00016eb8\U00016ebb-\U00016ed3\U00016ff2-\U00016ff6"
    "\U000187f8-\U000187ff\U00018d09-\U00018d1e\U00018d80-\U00018df2\U0001e6c0-\U0001e6de\U0001e6e0-\U0001e6f5\U0001e6fe\U0001e6ff"
    "\U0002b73a-\U0002b73f\U0002cea2-\U0002cead\U000323b0-\U00033479]"
)
"""Letters and marks of Unicode 17 (2025): `toktok` 0.3.0 takes them for unassigned, tiktoken 0.14 does not.
All code points were compared in seven surroundings on 2026-11-22, and none but these differ."""

_LISTS = ("prompt", "completion", "chosen", "rejected", "preferred_output", "non_preferred_output")


def count(texts: Iterable[str], encoding: str = "o200k_base", *, threads: int = 1) -> list[int]:
    """Count the tokens of each text, exactly; lone surrogates, which no encoding has, count as the replacement character.

    Where a text has letters that are new in Unicode 17, `inexact` tells: what they count for may be off by a token.

    Raises:
        ConfigError: The encoding is not known.

    Example:
        >>> count(["hello world", ""], "o200k_base")
        [2, 0]
    """
    load(encoding)
    import toktok  # type: ignore[import-untyped]  # noqa: PLC0415 - as in `load`

    texts = list(texts)
    try:
        counts: list[int] = toktok.batch_count(texts, encoding, threads=threads)
    except UnicodeEncodeError:
        counts = toktok.batch_count([text.encode(errors="replace").decode() for text in texts], encoding, threads=threads)
    return counts


def load(encoding: str) -> None:
    """Load an encoding's vocabulary, once: it takes a third of a second, and other threads go on meanwhile.

    Raises:
        ConfigError: The encoding is not known.
    """
    if encoding not in ENCODINGS:
        raise ConfigError(f"No encoding {encoding!r} can be counted offline.", fix=f"There is: {', '.join(ENCODINGS)}.")
    if encoding in _LOADED:
        return
    import toktok  # noqa: PLC0415 - a compiled library with 4 MB of vocabulary, only for who counts

    with _LOADING:
        if encoding not in _LOADED:
            toktok.batch_count([""], encoding, threads=1)
            _LOADED.add(encoding)


def inexact(texts: Iterable[str]) -> bool:
    """Tell whether a text has letters so new that `count` may be off by a token."""
    joined = "".join(texts)
    return not joined.isascii() and unusual(joined.encode(errors="replace")) and _NEW.search(joined) is not None


def unusual(raw: bytes) -> bool:
    """Tell at memory speed whether JSON or UTF-8 text may have such letters: it has none where this is false."""
    return any(lead in raw for lead in _NEW_LEADS)


def percentile(histogram: Counter[int], percent: float) -> int:
    """Give the smallest value that at least so many percent of the values do not exceed (nearest rank); 0 where there are none.

    Args:
        histogram: How often each value occurs.
        percent: Above 0, up to 100.

    Example:
        >>> percentile(Counter([10, 20, 30, 40]), 50), percentile(Counter([10, 20, 30, 40]), 51)
        (20, 30)
    """
    rank = -(-percent * histogram.total() // 100)
    values = sorted(histogram)
    below = accumulate(histogram[value] for value in values)
    return next((value for value, upto in zip(values, below, strict=True) if upto >= rank), 0)


@dataclass
class TokenTally:
    """Tokens of a file's rows, as a histogram: memory grows with the number of different lengths, not with the rows.

    Attributes:
        encoding: What counted.
        limit_tokens: The longest row that the target takes.
        totals: How many rows have so many tokens.
        prompt: Tokens in all that are read and not learned.
        trained: Tokens in all that are learned.
        over: Lines of the rows above the limit.
        exact: Every text was counted exactly.
    """

    encoding: str
    limit_tokens: int | None = None
    totals: Counter[int] = field(default_factory=Counter)
    prompt: int = 0
    trained: int = 0
    over: array[int] = field(default_factory=lambda: array("Q"))
    exact: bool = True

    def add(self, numbers: Sequence[int], prompts: Sequence[int], trained: Sequence[int]) -> None:
        """Take rows in: their lines, and their tokens in the same order."""
        totals = list(map(add, prompts, trained))
        self.totals.update(totals)
        self.prompt += sum(prompts)
        self.trained += sum(trained)
        limit = self.limit_tokens
        if limit is not None and totals and max(totals) > limit:
            self.over.extend(number for number, total in zip(numbers, totals, strict=True) if total > limit)

    def counts(self) -> TokenCounts:
        """Sum up."""
        prompt, trained, limit = self.prompt, self.trained, self.limit_tokens
        return TokenCounts(
            encoding=self.encoding,
            exact=self.exact,
            total=prompt + trained,
            prompt=prompt,
            trained=trained,
            billable=prompt + trained if limit is None else sum(min(limit, length) * rows for length, rows in self.totals.items()),
            longest=max(self.totals, default=0),
            percentiles={f"p{percent}": percentile(self.totals, percent) for percent in PERCENTILES} if self.totals else {},
        )


class _Columns(NamedTuple):
    """Rows of the same roles that wait to be counted, as columns of texts; `fixed` is what each row has beside them."""

    numbers: Sequence[int]
    fixed: list[int]
    read: Sequence[Sequence[str]]
    learned: Sequence[Sequence[str]]


@dataclass
class _Batch:
    """Rows that wait to be counted; `…_ends` says after which text each row ends, `fixed` what it has beside its texts."""

    plain: list[_Columns] = field(default_factory=list)
    unusual: bool = True
    numbers: list[int] = field(default_factory=list)
    fixed: list[int] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    read_ends: list[int] = field(default_factory=lambda: [0])
    learned: list[str] = field(default_factory=list)
    learned_ends: list[int] = field(default_factory=lambda: [0])


class TokenCounter:
    """Counts rows in a thread of its own, while the caller reads on (counting frees the interpreter's lock).

    Args:
        encoding: One of `ENCODINGS`.
        limit_tokens: The longest row that the target takes.
    """

    def __init__(self, encoding: str, limit_tokens: int | None = None) -> None:
        """Begin a tally."""
        self.tally = TokenTally(encoding, limit_tokens)
        self._batch = _Batch()
        self._known: dict[str, int] = {}
        self._room = _KNOWN_CHARACTERS
        self._waiting: deque[Future[None]] = deque()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="anytune-tokens")
        self._waiting.append(self._worker.submit(load, encoding))

    def __enter__(self) -> Self:
        """Give the counter itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the thread; what still waits is dropped."""
        self._worker.shutdown(cancel_futures=True)

    def plain(self, numbers: Sequence[int], columns: Sequence[Sequence[str]]) -> None:
        """Take plain rows of the same roles in, as `anytune.data.check.fast.columns` gives them."""
        odd = len(columns) & 1
        frame = _MESSAGE * len(columns) + _END
        fixed = [frame] * len(numbers)
        read = columns[odd::2]
        if odd and not columns[0][0]:
            fixed = [0] * len(numbers)
        elif odd:
            known = {text: frame + self._once(text) for text in set(columns[0])}
            fixed = list(map(known.__getitem__, columns[0]))
        self._batch.plain.append(_Columns(numbers, fixed, read, columns[odd + 1 :: 2]))

    def row(self, number: int, raw: dict[str, Any], texts: Iterable[Text]) -> None:
        """Take any good row in, with its texts."""
        batch = self._batch
        fixed = 0
        for message in _messages(raw):
            fixed += _MESSAGE
            if name := message.get("name"):
                fixed += _NAME
                batch.read.append(str(name))
        batch.fixed.append(fixed + _END if fixed else 0)
        for text in texts:
            if text.role != "item":  # a graded row's own fields are the grader's, not the model's
                (batch.learned if text.trained else batch.read).append(text.text)
        batch.numbers.append(number)
        batch.read_ends.append(len(batch.read))
        batch.learned_ends.append(len(batch.learned))

    def flush(self, *, unusual: bool = True) -> None:
        """Hand what was taken to the thread; waits while it is behind.

        Args:
            unusual: There may be letters in it that `inexact` looks for.
        """
        if not (self._batch.numbers or self._batch.plain):
            return
        while len(self._waiting) >= _AHEAD:
            self._waiting.popleft().result()
        self._batch.unusual = unusual
        self._waiting.append(self._worker.submit(self._count, self._batch))
        self._batch = _Batch()

    def finish(self) -> TokenTally:
        """Wait for the thread, and give the tally."""
        self.flush()
        while self._waiting:
            self._waiting.popleft().result()
        return self.tally

    def _once(self, text: str) -> int:
        known = self._known.get(text)
        if known is None:
            known = self._counted([text])[0]
            if len(text) <= self._room:
                self._room -= len(text)
                self._known[text] = known
        return known

    def _count(self, batch: _Batch) -> None:
        columns = [column for rows in batch.plain for column in (*rows.read, *rows.learned)]
        # In one call: each time that the lock is given back, getting it again takes milliseconds.
        counts = iter(self._counted([*batch.read, *batch.learned, *chain.from_iterable(columns)], unusual=batch.unusual))
        read, learned = (list(islice(counts, len(texts))) for texts in (batch.read, batch.learned))
        self.tally.add(batch.numbers, list(map(add, _per_row(read, batch.read_ends), batch.fixed)), _per_row(learned, batch.learned_ends))
        for rows in batch.plain:
            prompts, trained = (_summed(counts, len(side), len(rows.numbers)) for side in (rows.read, rows.learned))
            self.tally.add(rows.numbers, list(map(add, prompts, rows.fixed)), trained)

    def _counted(self, texts: list[str], *, unusual: bool = True) -> list[int]:
        if unusual and self.tally.exact and inexact(texts):
            self.tally.exact = False
        return count(texts, self.tally.encoding)


def _per_row(counts: Iterable[int], ends: list[int]) -> list[int]:
    upto = list(accumulate(counts, initial=0)).__getitem__
    return list(map(sub, map(upto, ends[1:]), map(upto, ends)))


def _summed(counts: Iterator[int], columns: int, rows: int) -> list[int]:
    sums = list(islice(counts, rows))
    for _ in range(columns - 1):
        sums = list(map(add, sums, islice(counts, rows)))
    return sums


def _messages(raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
    inner = raw.get("input")
    lists = [raw["messages"]] if "messages" in raw else [raw.get(key) for key in _LISTS]
    if isinstance(inner, dict) and "messages" not in raw:
        lists.append(inner.get("messages"))
    for messages in lists:
        if isinstance(messages, list):
            yield from messages
