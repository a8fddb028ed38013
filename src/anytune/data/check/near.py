"""Rows that say nearly the same, within a file and from training to validation: MinHash finds pairs, their shingles confirm them.

Word triples (or five characters, where a text is short or is written without spaces) are hashed; rows that agree in one band of their
MinHash are compared by the weighted Jaccard index of their shingles. A shingle that many rows share weighs less: rows made from one
template differ in what they are about, though most of their words are the same.
"""

from __future__ import annotations

import math
import re
import zlib
from array import array
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from anytune.codes import finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from anytune.data.rows import Text
    from anytune.values import Finding

__all__ = ["Near"]

_BANDS, _BAND = 10, 5
"""Bands and values a band: a pair at 0.8 is met with probability 0.98, one at 0.5 with 0.27 (1 - (1 - s^5)^10)."""

_KEPT = 64
"""Shingles that are kept of a row; of a longer row these are a sample, and the index an estimate (standard error 0.05 at 0.8)."""

_RARE = 10
"""Rows that may share a shingle before it begins to weigh less."""

_WARM = 1000
"""Rows that are looked at before the first is hashed: what more than a fifth of them share is a template, and is not hashed."""

_COMMON = 0.2
_BATCH = 256
_TRIED = 32
"""Rows of a bucket that a row is compared with."""

_IDS = 1 << 16
_SHOWN = 10
_APART = frozenset({"system", "developer", "tools"})
_WORD = re.compile(r"\w+|[^\w\s.,;:!?'\"()\[\]{}\u2010-\u2026\u3001\u3002\uff01-\uff1f-]")
"""Words, and signs that change what is meant (`+`, `=`, an emoji), but no punctuation."""
_FEW_WORDS, _LONG_WORD = 8, 12


class _Cluster(NamedTuple):
    """A row, and rows that are nearly the same as it; indices into what was taken."""

    first: int
    others: list[int]


class Near:
    """Takes rows one by one, and tells at the end which are nearly the same.

    Keeps 54 bytes a row and two for each of at most 64 shingles, whatever the length of the rows. Instructions (roles `system` and
    `developer`, tool definitions) are not compared; rows that are exactly the same are another check's.

    Args:
        threshold: Weighted Jaccard index from which two rows count as nearly the same, 0 to 1.

    Example:
        >>> from anytune.data.rows import Text
        >>> near, line = Near(), "The meeting of the board is moved from Monday morning to Tuesday at noon, in the small room"
        >>> near.take(1, [Text(None, "text", line, True)], "train")
        >>> near.take(2, [Text(None, "text", line.upper() + "!", True)], "train")
        >>> [found.rows for found in near.findings()]
        [(1, 2)]
    """

    def __init__(self, threshold: float = 0.8) -> None:
        """Begin with nothing."""
        from rensa import RMinHash  # type: ignore[import-untyped]  # noqa: PLC0415 - compiled; only this check needs it

        self._sketch = RMinHash
        self._threshold = threshold
        self._numbers = array("I")
        self._files = bytearray()
        self._whole = array("I")
        self._cut = bytearray()
        self._ends = array("I", [0])
        self._ids = array("H")
        self._bands = [array("I") for _ in range(_BANDS)]
        self._seen = array("I", bytes(4 * _IDS))
        self._waiting: list[list[str]] = []
        self._common: frozenset[int] | None = None

    def take(self, number: int, texts: Sequence[Text], file: str) -> None:
        """Add a row.

        Args:
            number: Its number in its file.
            texts: What it says.
            file: `train` or `validation`.
        """
        shingles = _shingles("\n".join(text.text for text in texts if text.role not in _APART))
        if not shingles:
            return
        self._numbers.append(number)
        self._files.append(file == "validation")
        whole = "\0".join([part for text in texts for part in (text.role, text.text)])
        self._whole.append(zlib.crc32(whole.encode(errors="surrogatepass")))
        self._waiting.append(shingles)
        if len(self._waiting) >= (_WARM if self._common is None else _BATCH):
            self._hash()

    def findings(self) -> Iterator[Finding]:
        """Tell which rows are nearly the same: one finding for each group of them."""
        self._hash()
        for cluster in self._clusters():
            yield from self._told(cluster)

    def leaked(self) -> list[int]:
        """Give the numbers of the training rows that are nearly the same as a validation row."""
        self._hash()
        groups = ([cluster.first, *cluster.others] for cluster in self._clusters())
        mixed = (group for group in groups if any(self._files[row] for row in group))
        return sorted(self._numbers[row] for group in mixed for row in group if not self._files[row])

    def _hash(self) -> None:
        """Hash the rows that wait."""
        sets = [set(hashes) for hashes in self._sketch.hash_token_sets(self._waiting)]
        self._waiting.clear()
        if self._common is None:
            rows = Counter(shingle for hashes in sets for shingle in hashes)
            often = max(_RARE, _COMMON * len(sets))
            self._common = frozenset(shingle for shingle, count in rows.items() if count > often)
        telling = [hashes - self._common or hashes for hashes in sets]
        for row in self._sketch.digest_matrix_from_token_hash_sets([list(hashes) for hashes in telling], _BANDS * _BAND, 1).to_rows():
            for band, keys in enumerate(self._bands):
                keys.append(hash(tuple(row[band * _BAND : band * _BAND + _BAND])) & 0xFFFFFFFF)
        for hashes in sets:
            self._cut.append(len(hashes) > _KEPT)
            # The middle bits choose, the upper ones name: were they the same, the chosen would all have small names.
            chosen = hashes if len(hashes) <= _KEPT else sorted(hashes, key=lambda value: value >> 8 & 0xFFFFFFFF)[:_KEPT]
            ids = {value >> 48 for value in chosen}
            self._ids.extend(ids)
            self._ends.append(len(self._ids))
            for one in ids:
                self._seen[one] += 1

    def _clusters(self) -> Iterator[_Cluster]:
        """Give groups of rows, each led by the first: every other is nearly the same as the leader."""
        weights = self._weights()
        leader: dict[int, int] = {}
        for keys in self._bands:
            first: dict[int, int] = {}
            buckets: dict[int, list[int]] = {}
            for row, key in enumerate(keys):
                if first.setdefault(key, row) != row:
                    buckets.setdefault(key, [first[key]]).append(row)
            for bucket in buckets.values():
                self._join(bucket, leader, weights)
        groups: dict[int, list[int]] = {}
        for row, first_row in leader.items():
            if row != first_row:
                groups.setdefault(first_row, []).append(row)
        for first_row in sorted(groups):
            yield _Cluster(first_row, sorted(groups[first_row]))

    def _join(self, bucket: list[int], leader: dict[int, int], weights: list[float]) -> None:
        """Put the rows of a bucket under the first row that each is nearly the same as; a leader is its own leader."""
        leaders: dict[int, None] = {}
        for row in bucket:
            if row not in leader:
                near = next((other for other in list(leaders)[:_TRIED] if self._alike(other, row, weights)), None)
                if near is None:
                    leaders[row] = None
                    continue
                leader[row] = leader[near] = near
            leaders[leader[row]] = None

    def _alike(self, one: int, other: int, weights: list[float]) -> bool:
        left, right = (set(self._ids[self._ends[row] : self._ends[row + 1]]) for row in (one, other))
        if left == right and not self._cut[one]:
            return True
        both = sum(weights[shingle] for shingle in left & right)
        return both > 0 and both >= self._threshold * sum(weights[shingle] for shingle in left | right)

    def _weights(self) -> list[float]:
        """Weigh each shingle by how many rows have it: 1 for a rare one, 0 for one in every row."""
        rows = len(self._numbers)
        by_chance = len(self._ids) // _IDS
        if rows <= _RARE:
            return [1.0] * _IDS
        scale = math.log(rows / _RARE)
        return [1.0 if count - by_chance <= _RARE else max(0.0, math.log(rows / (count - by_chance)) / scale) for count in self._seen]

    def _told(self, cluster: _Cluster) -> Iterator[Finding]:
        """Word a group: rows that are exactly the same as one already named are left to the check for those."""
        seen: set[int] = set()
        rows: dict[bool, list[int]] = {False: [], True: []}
        for row in sorted([cluster.first, *cluster.others], key=lambda row: (self._files[row], row)):
            if self._whole[row] not in seen:
                seen.add(self._whole[row])
                rows[bool(self._files[row])].append(self._numbers[row])
        train, validation = rows[False], rows[True]
        told = f"{self._threshold:.0%} or more of what they say is the same"
        both = any(self._files)
        for numbers, file in ((train, "train" if both else None), (validation, "validation")):
            if len(numbers) > 1:
                yield finding(
                    "near-duplicate-rows",
                    f"Rows {_named(numbers)} are nearly the same ({told}).",
                    "Keep the best one, unless the repetition is meant: what is repeated is learned more strongly.",
                    rows=numbers,
                ).model_copy(update={"file": file})
        if train and validation:
            yield finding(
                "near-leaked-rows",
                f"Validation {_counted(validation)} nearly the same as training row {_named(train)} ({told}).",
                "Take them out of one of the files, or split anew with near duplicates kept together.",
                rows=validation,
            ).model_copy(update={"file": "validation"})


def _shingles(text: str) -> list[str]:
    """Cut a text into overlapping pieces; its ends are padded, so that a change there weighs as much as in the middle."""
    words = _WORD.findall(text.casefold())
    if not words:
        words = text.split()
    joined = " ".join(words)
    if not joined.isascii():
        joined = joined.encode(errors="replace").decode()  # lone surrogates, which the library refuses
        words = joined.split(" ")
    if not joined:
        return []
    if len(words) < _FEW_WORDS or len(joined) > (_LONG_WORD + 1) * len(words):
        padded = f"    {joined}    "
        return [padded[start : start + 5] for start in range(len(padded) - 4)]
    words = ["", "", *words, "", ""]
    return list(map(" ".join, zip(words, words[1:], words[2:], strict=False)))


def _counted(rows: Sequence[int]) -> str:
    return f"row {rows[0]} is" if len(rows) == 1 else f"rows {_named(rows)} are"


def _named(rows: Sequence[int]) -> str:
    shown: Iterable[str] = map(str, rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return ", ".join(shown) + more
