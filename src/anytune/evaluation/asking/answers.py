"""The answers of a plan, read from the store when they are looked at: a mapping that holds no texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from anytune.evaluation.arms import Asking, Silent
from anytune.evaluation.asking.store import Key
from anytune.evaluation.values import Answer

if TYPE_CHECKING:
    from anytune.evaluation.arms import Arm
    from anytune.evaluation.asking.plan import Plan
    from anytune.evaluation.asking.store import Store
    from anytune.evaluation.values import Case

__all__ = ["Answers"]


class Answers(Mapping[tuple[str, str, int], Answer]):
    """Answers by arm, case and repeat, in the order of the plan. Good as long as the store is open.

    What was not asked (a stopped run) is not there; an answer that failed is, with its `error`.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        """Keep the plan and the store."""
        self._plan, self._store = plan, store
        self._arms = {arm.name: arm for arm in plan.arms}
        self._cases = {case.id: case for case in plan.cases}
        self._digests: dict[tuple[str, str], bytes] = {}

    def __getitem__(self, key: tuple[str, str, int]) -> Answer:
        """Give an answer."""
        found = self._found(*key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        """Give the keys of the answers that are there."""
        for arm, case, repeat in self._plan:
            if isinstance(arm, Silent) or self._store.knows(Key(self._digest(arm, case), repeat)):
                yield arm.name, case.id, repeat

    def __len__(self) -> int:
        """Count the answers that are there."""
        return sum(1 for _ in self)

    def of(self, arm: str) -> Iterator[Answer]:
        """Give all answers of one arm, one after the other."""
        for case in self._plan.cases:
            for repeat in range(self._plan.repeats):
                if (found := self._found(arm, case.id, repeat)) is not None:
                    yield found

    def _found(self, arm_name: str, case_id: str, repeat: int) -> Answer | None:
        arm, case = self._arms.get(arm_name), self._cases.get(case_id)
        if arm is None or case is None:
            return None
        if isinstance(arm, Silent):
            return arm.answered(case, repeat)
        found = self._store.get(Key(self._digest(arm, case), repeat))
        # Two arms that ask the same share an answer, which is asked once.
        return found and found.model_copy(update={"arm": arm_name, "case": case_id})

    def _digest(self, arm: Arm, case: Case) -> bytes:
        key = (arm.name, case.id)
        if key not in self._digests and isinstance(arm, Asking):
            self._digests[key] = self._plan.digest(arm, arm.ask(case))
        return self._digests[key]
