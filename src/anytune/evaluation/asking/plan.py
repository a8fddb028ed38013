"""What is to be asked: every case of every arm, as often as repeats say, in an order that is random and the same for the same seed."""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anytune.evaluation.arms import Arm, Ask, Asking
    from anytune.evaluation.values import Case

__all__ = ["Plan", "Step"]


class Step(NamedTuple):
    """One question of a plan."""

    arm: Arm
    case: Case
    repeat: int


@dataclass(frozen=True)
class Plan:
    """Cases times arms times repeats. Questions are put together when their turn comes: memory holds 4 bytes of each.

    Attributes:
        cases: What is asked.
        arms: Who is asked.
        repeats: How often each.
        seed: Another seed gives another order.
        identities: What the endpoints' models are, by key, where the spec alone does not say it: a job's name stays when it is trained
            anew, the id of what it produced does not.
    """

    cases: Sequence[Case]
    arms: Sequence[Arm]
    repeats: int = 1
    seed: int = 0
    identities: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the answers that there will be, those of arms that ask nobody included."""
        return len(self.cases) * len(self.arms) * self.repeats

    def __iter__(self) -> Iterator[Step]:
        """Give all steps in the order of arms, cases, repeats."""
        return (Step(arm, case, repeat) for arm in self.arms for case in self.cases for repeat in range(self.repeats))

    @property
    def models(self) -> list[str]:
        """The keys of the endpoints that are asked."""
        return list(dict.fromkeys(arm.model for arm in self.arms if arm.model is not None))

    def shuffled(self, model: str) -> Iterator[Step]:
        """Give the steps that ask one endpoint, in random order over arms, cases and repeats.

        What changes over time at a host (load, time of day) then touches all of its arms alike.
        """
        arms = [arm for arm in self.arms if arm.model == model]
        each = len(self.cases) * self.repeats
        places = array("I", range(len(arms) * each))
        Random(f"{self.seed}:{model}").shuffle(places)  # noqa: S311 - an order, no secret
        for place in places:
            arm, rest = divmod(place, each)
            case, repeat = divmod(rest, self.repeats)
            yield Step(arms[arm], self.cases[case], repeat)

    def digest(self, arm: Asking, ask: Ask) -> bytes:
        """Give the sha256 of what is asked: of whom, messages, tools, parameters, and the series of an arm that asks again."""
        body: dict[str, Any] = {
            "target": arm.target,
            "identity": self.identities.get(arm.model, ""),
            "messages": ask.messages,
            "tools": ask.tools,
            "params": ask.params,
            "series": arm.series,
        }
        return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).digest()
