"""The loss of the run that trained the candidate, as lines; and the table of labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from anytune.evaluation.report.drawing import Tick, scale, short, ticks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anytune.values import Metric

__all__ = ["Confusion", "Curves", "confusion", "curves", "losses"]

_PLOT = (60.0, 640.0, 18.0, 236.0)
"""Left, right, top, bottom."""
_MOST_POINTS = 400
"""More are not seen on a page's width."""
_MOST_LINES = 4
_MOST_LABELS = 24
OTHERS = "(others)"


class Line(NamedTuple):
    """One metric over the steps."""

    name: str
    points: str
    last: float
    y: float
    style: int


class Curves(NamedTuple):
    """Losses over the steps of the run."""

    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    broken: int


class Cell(NamedTuple):
    """How often a right label got an answer, and its share of the row."""

    answers: int
    share: float
    right: bool


class Confusion(NamedTuple):
    """Right labels as rows, given labels as columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[Cell, ...]], ...]
    left_out: int


def losses(metrics: Sequence[Metric]) -> dict[str, list[tuple[int, float]]]:
    """Give each loss with its steps, thinned to what can be seen, in the order of the first step that has it."""
    found: dict[str, list[tuple[int, float]]] = {}
    for metric in sorted(metrics, key=lambda one: one.step):
        for name, value in metric.values.items():
            if "loss" in name and math.isfinite(value):
                found.setdefault(name, []).append((metric.step, value))
    kept = dict(list(found.items())[:_MOST_LINES])
    return {name: _thinned(points) for name, points in kept.items()}


def curves(metrics: Sequence[Metric]) -> Curves | None:
    """Lay the losses out; None where the run told none, or one only."""
    found = losses(metrics)
    if max((len(points) for points in found.values()), default=0) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    left, right, top, bottom = _PLOT
    steps = [step for points in found.values() for step, _ in points]
    values = [value for points in found.values() for _, value in points]
    across = [tick for tick in ticks(min(steps), max(steps), 6) if min(steps) <= tick <= max(steps) and tick == int(tick)]
    up = ticks(min(0.0, *values), max(values), 5)
    lines = []
    for number, (name, points) in enumerate(found.items()):
        places = [(scale(step, min(steps), max(steps), left, right), scale(value, up[0], up[-1], bottom, top)) for step, value in points]
        text = " ".join(f"{x:g},{y:g}" for x, y in places)
        lines.append(Line(short(name, 18), text, points[-1][1], places[-1][1], number))
    return Curves(
        _apart(lines),
        tuple(Tick(scale(step, min(steps), max(steps), left, right), f"{step:,.0f}") for step in across),
        tuple(Tick(scale(value, up[0], up[-1], bottom, top), f"{value:g}") for value in up),
        sum("loss" in name and not math.isfinite(value) for metric in metrics for name, value in metric.values.items()),
    )


def _apart(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Keep the names at the lines' ends from lying on each other."""
    done: list[Line] = []
    for line in sorted(lines, key=lambda one: one.y):
        done.append(line._replace(y=max(line.y, done[-1].y + 16)) if done else line)
    return tuple(sorted(done, key=lambda one: one.style))


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    every = math.ceil(len(points) / _MOST_POINTS)
    return [*points[:-1:every], points[-1]]


def confusion(table: Mapping[str, Mapping[str, int]]) -> Confusion | None:
    """Order the labels, the commonest first; what is beyond a page's width becomes `(others)`."""
    if not table:
        return None
    sizes = {label: sum(given.values()) for label, given in table.items()}
    right = sorted(sizes, key=lambda label: (-sizes[label], label))
    answers: dict[str, int] = {}
    for given in table.values():
        for label, count in given.items():
            answers[label] = answers.get(label, 0) + count
    kept = right[:_MOST_LABELS]
    more = sorted((label for label in answers if label not in kept), key=lambda label: (-answers[label], label))
    columns = [*kept, *more[: max(0, _MOST_LABELS - len(kept))]]
    left_out = len(more) - (len(columns) - len(kept))
    rows = []
    for label in kept:
        given, whole = table[label], sizes[label] or 1
        cells = [Cell(given.get(column, 0), given.get(column, 0) / whole, column == label) for column in columns]
        rest = sizes[label] - sum(cell.answers for cell in cells)
        rows.append((short(label, 32), sizes[label], (*cells, *([Cell(rest, rest / whole, right=False)] if left_out else []))))
    names = [short(column, 32) for column in columns] + ([OTHERS] if left_out else [])
    return Confusion(tuple(names), tuple(rows), len(right) - len(kept))
