"""From answers to scores: every answer by every grader, then one score a case, aligned over arms."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from anytune.data.fields import ANSWER, label
from anytune.evaluation.graders import graded as says
from anytune.evaluation.values import Flip, Grade, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anytune.evaluation.graders import Grader
    from anytune.evaluation.values import Answer, Case

__all__ = ["Marks", "Sheet", "confusion", "flips", "graded"]

_THREADS = 8
_MOST_FLIPS = 60
_CUT = 4_000
"""Characters of a text in the record; the whole answers stay in `answers.jsonl`."""
_HALF = 0.5


class Sheet(NamedTuple):
    """One answer with what each grader said of it, by name."""

    answer: Answer
    grades: dict[str, Grade]


class Marks:
    """All answers with their grades, and scores for comparing.

    Args:
        cases: In the order that scores are given in.
        sheets: Of all arms and repeats.
    """

    def __init__(self, cases: Sequence[Case], sheets: Iterable[Sheet]) -> None:
        """Sort the sheets by arm and case."""
        self.cases = list(cases)
        self.by_id = {case.id: case for case in self.cases}
        self._by: dict[str, dict[str, list[Sheet]]] = defaultdict(lambda: defaultdict(list))
        for sheet in sheets:
            self._by[sheet.answer.arm][sheet.answer.case].append(sheet)

    def of(self, arm: str) -> list[Sheet]:
        """Give the sheets of an arm in the order of the cases, then of the repeats."""
        found = self._by[arm]
        return [sheet for case in self.cases for sheet in sorted(found[case.id], key=lambda sheet: sheet.answer.repeat)]

    def scores(self, arm: str, grader: str) -> list[float]:
        """Give one score a case: the mean of its repeats. An answer that failed, or that could not be graded, counts as 0."""
        means = []
        for case in self.cases:
            sheets = self._by[arm][case.id]
            means.append(sum(sheet.grades[grader].score or 0.0 for sheet in sheets) / len(sheets) if sheets else 0.0)
        return means

    def ungraded(self, arm: str, grader: str) -> int:
        """Count answers that came and could not be graded."""
        return sum(sheet.grades[grader].score is None for sheet in self.of(arm) if not sheet.answer.error)


def graded(cases: Mapping[str, Case], answers: Iterable[Answer], graders: Sequence[Grader]) -> list[Sheet]:
    """Grade answers, several at once: graders may ask models.

    Args:
        cases: By id.
        answers: Failed ones get a score of 0 and their error.
        graders: Each by its own name.
    """

    def sheet(answer: Answer) -> Sheet:
        if answer.text is None:
            return Sheet(answer, {grader.name: Grade(score=0.0, error=answer.error) for grader in graders})
        sample = Sample(text=answer.text, tool_calls=answer.tool_calls, finish_reason=answer.finish_reason)
        return Sheet(answer, {grader.name: says(grader, cases[answer.case], sample) for grader in graders})

    with ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="anytune-grade") as pool:
        return list(pool.map(sheet, answers))


def flips(marks: Marks, candidate: str, baseline: str, grader: str) -> tuple[Flip, ...]:
    """Give cases on which two arms differ most: first those that the candidate lost, then those that it won.

    Only first repeats are shown, and at most 60 cases.
    """
    pairs = zip(marks.cases, marks.scores(candidate, grader), marks.scores(baseline, grader), strict=True)
    differing = sorted((pair for pair in pairs if abs(pair[1] - pair[2]) >= _HALF), key=lambda pair: (pair[1] - pair[2], pair[0].row))
    kept = differing if len(differing) <= _MOST_FLIPS else [*differing[: _MOST_FLIPS // 2], *differing[-_MOST_FLIPS // 2 :]]
    first = {arm: {sheet.answer.case: sheet.answer for sheet in marks.of(arm) if sheet.answer.repeat == 0} for arm in (candidate, baseline)}
    return tuple(
        Flip(
            case=case.id,
            row=case.row,
            candidate_score=ours,
            baseline_score=theirs,
            asked=_cut(_asked(case)),
            reference=_cut(case.reference or ""),
            candidate_text=_cut(_said(first[candidate].get(case.id))),
            baseline_text=_cut(_said(first[baseline].get(case.id))),
        )
        for case, ours, theirs in kept
    )


def confusion(marks: Marks, arm: str, path: str) -> dict[str, dict[str, int]]:
    """Count how often each right label (row) was answered with each label (column); `(none)` where an answer holds none."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for sheet in marks.of(arm):
        right = _label(marks.by_id[sheet.answer.case].reference, path)
        counts[right][_label(sheet.answer.text, path)] += 1
    return {right: dict(said) for right, said in counts.items()}


def _label(text: str | None, path: str) -> str:
    return label({ANSWER: text or ""}, path) or "(none)"


def _asked(case: Case) -> str:
    users = [message.get("content") for message in case.messages if message.get("role") == "user"]
    said = users[-1] if users else ""
    if isinstance(said, list):
        said = "".join(part.get("text", "[image]") for part in said if isinstance(part, dict))
    return str(said or "")


def _said(answer: Answer | None) -> str:
    if answer is None:
        return ""
    calls = " ".join(f"{call.get('function', {}).get('name')}({call.get('function', {}).get('arguments')})" for call in answer.tool_calls)
    return answer.error or f"{answer.text or ''}{calls}"


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else f"{text[:_CUT]} … ({len(text) - _CUT:,} more characters)"
