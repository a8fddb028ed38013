"""Right or wrong, or how much of it, by the tools that a model calls."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from anytune.evaluation.graders.base import Keyed
from anytune.evaluation.graders.reading import Leaves, json_of
from anytune.evaluation.values import Grade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.evaluation.values import Case, Sample

__all__ = ["ToolCalls"]

_Call = tuple[str, frozenset[tuple[tuple[int, str, Any], int]]]


class ToolCalls(Keyed):
    """The answer calls the row's tools with its arguments. A row that calls none wants none called.

    Arguments are compared as JSON: the order of keys means nothing, numbers are equal by value. Arguments that are no JSON are wrong.
    """

    type: ClassVar[str] = "tool_calls"
    score: Literal["all", "share"] = "all"
    """`all` wants every call right and none more; `share` is the number of right calls over the larger number of calls."""
    ordered: bool = False
    """Calls have to come in the row's order."""
    arguments: bool = True
    """False compares names alone."""
    ignore: tuple[str, ...] = ()
    """Arguments that are not compared, such as a generated id."""

    @property
    def binary(self) -> bool:
        """Right or wrong where all is wanted."""
        return self.score == "all"

    def grade(self, case: Case, sample: Sample) -> Grade:
        """Compare the calls."""
        leaves = Leaves()
        wanted, got = self._calls(case.tool_calls, leaves), self._calls(sample.tool_calls, leaves)
        if any(call is None for call in wanted):
            return Grade(score=None, error="a call of the row has arguments that are no JSON")
        if self.ordered:
            right = sum(left == asked for left, asked in zip(got, wanted, strict=False))
        else:
            right = (Counter(filter(None, got)) & Counter(filter(None, wanted))).total()
        most = max(len(got), len(wanted))
        share = right / most if most else 1.0
        note = "" if share == 1.0 else f"{right} of {len(wanted)} calls right, {len(got)} made"
        return Grade(score=share if self.score == "share" else float(share == 1.0), note=note, parts={"share": share})

    def _calls(self, calls: Sequence[dict[str, Any]], leaves: Leaves) -> list[_Call | None]:
        return [self._call(call, leaves) for call in calls]

    def _call(self, call: dict[str, Any], leaves: Leaves) -> _Call | None:
        function = call.get("function")
        if not isinstance(function, dict):
            return None
        name, given = str(function.get("name")), function.get("arguments")
        if not self.arguments:
            return name, frozenset()
        try:
            values = json_of(given or "{}") if isinstance(given, str) or given is None else given
        except ValueError:
            return None
        if isinstance(values, dict):
            values = {key: value for key, value in values.items() if key not in self.ignore}
        return name, frozenset(leaves.of(values).items())
