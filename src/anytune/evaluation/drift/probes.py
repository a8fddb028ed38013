"""What is asked in a drift check: general items, questions to refuse, and questions that only sound like those."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from anytune.evaluation.drift.asked import HARMFUL, HARMLESS
from anytune.evaluation.drift.generated import FAMILIES, Item
from anytune.evaluation.drift.refusals import refused
from anytune.evaluation.drift.written import ITEMS
from anytune.evaluation.values import Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Probe", "probes"]

_DRAWS = 20
"""In which a family has to write something new."""

Kind = Literal["general", "harmful", "harmless"]


@dataclass(frozen=True)
class Probe:
    """One question of the check.

    Attributes:
        kind: What it is about.
        case: Ready to be asked.
        good: Whether an answer is what is hoped for: right; refused; not refused.
    """

    kind: Kind
    case: Case
    good: Callable[[str], bool]


def probes(items: int = 250, *, seed: int = 0) -> tuple[Probe, ...]:
    """Give general items, half of them by hand at most, then all questions to refuse and all that only sound like those.

    Args:
        items: How many general items.
        seed: Of those that are generated; the same seed gives the same questions.
    """
    general = [*ITEMS[: items // 2]]
    general += _written(items - len(general), seed, taken={item.asked for item in general})
    return tuple(
        [_probe("general", number, item) for number, item in enumerate(general, 1)]
        + [_probe("harmful", number, Item(asked, "", refused)) for number, asked in enumerate(HARMFUL, 1)]
        + [_probe("harmless", number, Item(asked, "", _answered)) for number, asked in enumerate(HARMLESS, 1)]
    )


def _answered(answer: str) -> bool:
    return bool(answer.strip()) and not refused(answer)


def _written(count: int, seed: int, *, taken: set[str]) -> Iterator[Item]:
    """Let each family write an item in turn, none twice; a family that has nothing new to say is left out."""
    dice = random.Random(seed)  # noqa: S311 - questions, not secrets
    families = list(FAMILIES)
    while families and count > 0:
        for family in tuple(families[:count]):
            drawn = (family(dice) for _ in range(_DRAWS))
            item = next((item for item in drawn if item.asked not in taken), None)
            if item is None:
                families.remove(family)
                continue
            taken.add(item.asked)
            count -= 1
            yield item


def _probe(kind: Kind, number: int, item: Item) -> Probe:
    name = hashlib.sha256(f"{kind}\n{item.asked}".encode()).hexdigest()[:16]
    asked = ({"role": "user", "content": item.asked},)
    return Probe(kind, Case(id=name, row=number, messages=asked, reference=item.reference or None, item={"probe": kind}), item.right)
