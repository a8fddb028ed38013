"""Which side of a split each row goes to, from hashes alone.

No file is read here, and nothing depends on the order of rows, the machine, or Python's own hashes.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["LEFT_OUT", "RULE", "TEST", "TRAIN", "VALIDATION", "Seen", "assign", "hash64"]

RULE = "anytune-split-1"
"""Name of the rule; it changes when the same seed and rows would be split in another way."""

TRAIN, VALIDATION, TEST, LEFT_OUT = range(4)

_WHOLE = 2**64


@dataclass
class Seen:
    """What is kept of each row, in the order of the file: 20 to 30 bytes a row.

    Attributes:
        content: Hash of the whole row.
        asks: Hash of what the row asks: rows that ask the same stay together.
        groups: Hash of the row's group; empty where rows are not grouped.
        strata: Number of the row's stratum; empty where the split is not stratified.
        labels: Strata by their words, in the order of `strata`.
        clusters: Indices of rows that are nearly the same.
    """

    content: array[int] = field(default_factory=lambda: array("Q"))
    asks: array[int] = field(default_factory=lambda: array("Q"))
    groups: array[int] = field(default_factory=lambda: array("Q"))
    strata: array[int] = field(default_factory=lambda: array("L"))
    labels: dict[str, int] = field(default_factory=dict)
    clusters: list[tuple[int, ...]] = field(default_factory=list)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.content)


def hash64(text: bytes, salt: bytes = b"") -> int:
    """Hash bytes to 64 bits (BLAKE2b): among a million rows, two different ones meet with a chance of 1 in 40 million.

    Example:
        >>> hash64(b"a row") == hash64(b"a row"), hash64(b"a row") == hash64(b"a row", b"1")
        (True, False)
    """
    return int.from_bytes(hashlib.blake2b(salt + text, digest_size=8).digest())


def assign(seen: Seen, seed: int, validation: float, test: float, *, dedup: bool) -> bytearray:
    """Give each row's side.

    Shares below 1 without strata cut the range of hashes: a row's side depends on the seed and on its own unit (what it asks, or its
    group) alone, so that rows added later move no other row. With counts or strata the units are ranked by their hashes, and the first of
    each stratum are taken until its number is reached: exact numbers, and a row that comes in may push the last one out.

    Args:
        seen: The rows.
        seed: Another seed gives another split.
        validation: Share (below 1) or number (from 1) of rows.
        test: The same; 0 for none.
        dedup: Leave out rows that came before.
    """
    sides = bytearray(len(seen))
    if dedup:
        for index in _repeats(seen.content):
            sides[index] = LEFT_OUT
    roots = _units(seen)
    keys = _keys(seen, roots, seed)
    if seen.labels or validation >= 1 or test >= 1:
        _rank(seen, sides, roots, keys, validation, test)
    else:
        _cut(sides, roots, keys, validation, test)
    return sides


def _cut(sides: bytearray, roots: Sequence[int], keys: Sequence[int], validation: float, test: float) -> None:
    """Validation has the lowest hashes and test the highest, so that changing one share moves no row of the other."""
    low, high = int(validation * _WHOLE), _WHOLE - int(test * _WHOLE)
    for index, root in enumerate(roots):
        if sides[index] != LEFT_OUT:
            sides[index] = VALIDATION if keys[root] < low else TEST if keys[root] >= high else TRAIN


def _rank(seen: Seen, sides: bytearray, roots: Sequence[int], keys: Sequence[int], validation: float, test: float) -> None:
    sizes = array("L", bytes(array("L").itemsize * len(roots)))
    for index, root in enumerate(roots):
        sizes[root] += sides[index] != LEFT_OUT
    ranked = _strata(seen, sides, roots)
    totals = [sum(map(sizes.__getitem__, units)) for units in ranked]
    taken = bytearray(len(roots))
    for units, for_validation, for_test in zip(ranked, _quotas(totals, validation), _quotas(totals, test), strict=True):
        units.sort(key=lambda root: (keys[root], root))
        for root in _first(units, sizes, for_validation):
            taken[root] = VALIDATION
        for root in _first((root for root in reversed(units) if not taken[root]), sizes, for_test):
            taken[root] = TEST
    for index, root in enumerate(roots):
        if sides[index] != LEFT_OUT:
            sides[index] = taken[root]


def _strata(seen: Seen, sides: bytearray, roots: Sequence[int]) -> list[list[int]]:
    """Give the units of each stratum, strata by name; a unit of several counts for the one that most of its rows are of."""
    names = sorted(seen.labels) or [""]
    place = {seen.labels.get(name, 0): position for position, name in enumerate(names)}
    single: dict[int, int] = {}
    mixed: dict[int, dict[int, int]] = {}
    for index, root in enumerate(roots):
        if sides[index] == LEFT_OUT:
            continue
        stratum = place[seen.strata[index] if seen.strata else 0]
        if single.setdefault(root, stratum) != stratum:
            mixed[root] = {}
    for index, root in enumerate(roots if mixed else ()):
        if root in mixed and sides[index] != LEFT_OUT:
            stratum = place[seen.strata[index]]
            mixed[root][stratum] = mixed[root].get(stratum, 0) + 1
    ranked: list[list[int]] = [[] for _ in names]
    for root, stratum in single.items():
        ranked[_commonest(mixed[root]) if root in mixed else stratum].append(root)
    return ranked


def _commonest(counts: dict[int, int]) -> int:
    return min(counts, key=lambda stratum: (-counts[stratum], stratum))


def _quotas(totals: Sequence[int], wanted: float) -> Iterator[int]:
    """Give each stratum its number of rows, so that each is within 1 of its share, and so is their sum."""
    everything = sum(totals)
    target = wanted if wanted >= 1 else wanted * everything
    upto = seen = 0
    for total in totals:
        seen += total
        before, upto = upto, math.floor(target * seen / everything + 0.5) if everything else 0
        yield upto - before


def _first(roots: Iterable[int], sizes: Sequence[int], quota: int) -> Iterator[int]:
    """Give the first units that fit into a quota; a unit that is too large for what is left is passed over."""
    for root in roots:
        if sizes[root] <= quota:
            quota -= sizes[root]
            yield root
        if quota == 0:
            return


def _repeats(hashes: Sequence[int]) -> Iterator[int]:
    order = sorted(range(len(hashes)), key=hashes.__getitem__)
    return (later for earlier, later in pairwise(order) if hashes[earlier] == hashes[later])


def _units(seen: Seen) -> array[int]:
    """Give each row the index of the row that stands for its unit: what must stay together, by groups, equal questions or nearness."""
    parents = array("L", range(len(seen)))
    for hashes in (seen.asks, seen.groups):
        order = sorted(range(len(hashes)), key=hashes.__getitem__)
        for one, other in pairwise(order):
            if hashes[one] == hashes[other]:
                _join(parents, one, other)
    for first, *others in seen.clusters:
        for other in others:
            _join(parents, first, other)
    return array("L", (_root(parents, index) for index in range(len(seen))))


def _join(parents: array[int], one: int, other: int) -> None:
    one, other = _root(parents, one), _root(parents, other)
    parents[max(one, other)] = min(one, other)


def _root(parents: array[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def _keys(seen: Seen, roots: Sequence[int], seed: int) -> array[int]:
    """Give each unit its place: of its smallest group (or question), which does not depend on the order of rows."""
    keys = array("Q", [_WHOLE - 1]) * len(roots)
    for root, key in zip(roots, seen.groups or seen.asks, strict=True):
        keys[root] = min(key, keys[root])
    salt = f"{RULE}/{seed}/".encode()
    for index, root in enumerate(roots):
        if index == root:
            keys[root] = hash64(keys[root].to_bytes(8), salt)
    return keys
