"""Where everything of a chart lies, in the units of its viewBox. Templates draw it; nothing here knows of HTML."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.evaluation.report import figures
from anytune.evaluation.values import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anytune.evaluation.values import ArmResult, Comparison, Evaluation

__all__ = ["MOST", "PLOT", "Bars", "Scatter", "Tick", "bars", "cost", "scale", "scatter", "short", "ticks", "time", "tone"]

_WIDTH, _LEFT, _RIGHT = 760.0, 190.0, 560.0
"""Of the bars: names before, figures after."""
_LINE, _TOP = 40.0, 34.0
PLOT = (74.0, 700.0, 24.0, 316.0)
"""Of the scatter: left, right, top, bottom."""
_LABEL = 22
"""Characters of a name in a chart."""
MOST = 14
"""Bars and points that a chart can hold."""
_LETTER = 7.6
"""How wide a letter of a name is at most, on average."""
_WIDE = 20
"""Where the dearest costs so many times the cheapest, steps multiply instead of adding."""


class Tick(NamedTuple):
    """A place on an axis."""

    at: float
    text: str


class Bar(NamedTuple):
    """A difference with its interval."""

    name: str
    under: str
    y: float
    x: float
    low: float
    high: float
    text: str
    tone: str


class Bars(NamedTuple):
    """Differences, one below the other, around zero."""

    width: float
    height: float
    left: float
    right: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    zero: float
    margin: Tick | None
    left_out: int


class Dot(NamedTuple):
    """An arm: how good and how dear."""

    name: str
    x: float
    y: float
    low: float
    high: float
    text_x: float
    text_y: float
    anchor: str
    tone: str


class Scatter(NamedTuple):
    """Arms by what they cost (or how long they take) and how good they are; `front` joins those that no other arm beats in both."""

    what: str
    dots: tuple[Dot, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    front: str
    best: tuple[str, ...]
    missing: tuple[str, ...]


def bars(evaluation: Evaluation) -> Bars | None:
    """Lay out the differences by the deciding grader, and the noise floor below them; None where there are none."""
    wanted = [found for found in evaluation.comparisons if found.grader == evaluation.primary] or list(evaluation.comparisons)
    shown = [(found, False) for found in wanted[:MOST]] + ([(evaluation.noise, True)] if evaluation.noise else [])
    shown = [(found, again) for found, again in shown if all(map(math.isfinite, (found.low, found.high, found.difference)))]
    if not shown:
        return None
    margin = evaluation.decision.margin
    marks = [0.0, *([-margin] if margin else []), *(bound for found, _ in shown for bound in (found.low, found.high))]
    steps = ticks(min(marks), max(marks), 7)
    low, high = min(steps[0], *marks), max(steps[-1], *marks)
    lines = [
        Bar(
            short("chance alone" if again else f"vs {found.baseline}"),
            short(f"{found.baseline}, twice", _LABEL + 4) if again else _scores(found),
            _TOP + _LINE * (number + 0.5),
            scale(found.difference, low, high, _LEFT, _RIGHT),
            scale(found.low, low, high, _LEFT, _RIGHT),
            scale(found.high, low, high, _LEFT, _RIGHT),
            f"{figures.points(found.difference)}  ({figures.points(found.low)} to {figures.points(found.high)})",
            "noise" if again else tone(found),
        )
        for number, (found, again) in enumerate(shown)
    ]
    at = None if not margin else Tick(scale(-margin, low, high, _LEFT, _RIGHT), f"{figures.MINUS}{margin * 100:g}")
    height = _TOP + _LINE * len(lines) + 30
    places = tuple(Tick(scale(step, low, high, _LEFT, _RIGHT), figures.points(step).replace(".0", "")) for step in steps)
    return Bars(_WIDTH, height, _LEFT, _RIGHT, tuple(lines), places, scale(0, low, high, _LEFT, _RIGHT), at, max(0, len(wanted) - MOST))


def _scores(found: Comparison) -> str:
    return f"{figures.percent(found.baseline_score)} → {figures.percent(found.candidate_score)}"


def tone(found: Comparison) -> str:
    """Give the colour's name: what was shown, not where the middle lies."""
    return {Verdict.IMPROVED: "better", Verdict.DEGRADED: "worse"}.get(found.verdict, "same")


def scatter(evaluation: Evaluation) -> Scatter | None:
    """Lay out the arms by cost; by time, where no price is known; None where neither is known of two arms."""
    for what, of in (("cost", cost), ("time", time)):
        known = [(arm, x) for arm in evaluation.arms if evaluation.primary in arm.scores and (x := of(arm)) is not None][:MOST]
        if len({x for _, x in known}) > 1:
            missing = tuple(arm.name for arm in evaluation.arms if arm.name not in {one.name for one, _ in known})
            return _laid_out(what, known, evaluation, missing)
    return None


def cost(arm: ArmResult) -> float | None:
    """Give what a request costs; an arm that asks nobody costs nothing."""
    return arm.usd_per_request if arm.usd_per_request is not None or arm.model else 0.0


def time(arm: ArmResult) -> float | None:
    """Give how long half of the answers took; an arm that asks nobody takes none."""
    return 0.0 if not arm.model else None if arm.latency_p50_s is None else arm.latency_p50_s.value


def _laid_out(what: str, known: Sequence[tuple[ArmResult, float]], evaluation: Evaluation, missing: tuple[str, ...]) -> Scatter:
    left, right, top, bottom = PLOT
    paid = [x for _, x in known if x > 0]
    multiplies = max(paid) > _WIDE * min(paid)
    free = min(paid) / 10 if multiplies else 0.0

    def stretched(x: float) -> float:
        return math.log10(max(x, free)) if multiplies else x

    if multiplies:
        steps = [10.0**power for power in range(math.floor(math.log10(min(paid))), math.ceil(math.log10(max(paid))) + 1)]
        steps = steps if len(paid) == len(known) else [free, *(step for step in steps if step > free * 2)]
    else:
        steps = ticks(0.0, max(paid), 5)
    lowest, highest = min(map(stretched, [*steps, *paid])), max(map(stretched, [*steps, *paid]))
    scores = [bound for arm, _ in known for bound in _bounds(arm, evaluation.primary)]
    levels = ticks(max(0.0, min(scores) - 0.02), min(1.0, max(scores) + 0.02), 5)
    low, high = min(levels[0], *scores), max(levels[-1], *scores)
    write = (lambda x: figures.usd(x * 1000)) if what == "cost" else figures.seconds
    places = []
    best = _front([(arm.name, x, arm.scores[evaluation.primary].value) for arm, x in known])
    for arm, x in known:
        score = arm.scores[evaluation.primary]
        bounds = _bounds(arm, evaluation.primary)
        at = scale(stretched(x), lowest, highest, left, right)
        tones = {evaluation.candidate: "candidate", evaluation.baseline: "baseline"}
        ys = [scale(value, low, high, bottom, top) for value in (score.value, *bounds)]
        places.append(Dot(short(arm.name), at, ys[0], ys[1], ys[2], 0, 0, "start", tones.get(arm.name, "other")))
    dots = _labelled(places, right)
    joined = sorted((dot.x, dot.y) for dot, (arm, _) in zip(dots, known, strict=True) if arm.name in best)
    dots.sort(key=lambda dot: dot.tone != "other")  # what the report is about lies on top
    return Scatter(
        what,
        tuple(dots),
        tuple(Tick(scale(stretched(step), lowest, highest, left, right), "free" if step == free else write(step)) for step in steps),
        tuple(Tick(scale(level, low, high, bottom, top), figures.percent(level, 0)) for level in levels),
        _stairs(joined, right),
        tuple(best),
        missing,
    )


def _bounds(arm: ArmResult, grader: str) -> tuple[float, float]:
    score = arm.scores[grader]
    return (score.value if score.low is None else score.low, score.value if score.high is None else score.high)


def _front(known: Iterable[tuple[str, float, float]]) -> list[str]:
    """Name the arms that no other beats: whatever is better costs more."""
    best, reached = [], -1.0
    for name, _, score in sorted(known, key=lambda one: (one[1], -one[2])):
        if score > reached:
            best.append(name)
            reached = score
    return best


def _stairs(places: Sequence[tuple[float, float]], right: float) -> str:
    """Join them as steps: between two of them nothing better is to be had."""
    if not places:
        return ""
    path = [f"M{places[0][0]:.1f},{places[0][1]:.1f}"]
    path += [f"H{x:.1f}V{y:.1f}" for x, y in places[1:]]
    return "".join([*path, f"H{right:.1f}"])


def _labelled(dots: Sequence[Dot], right: float) -> list[Dot]:
    """Put each name beside its point, where nothing else is: right of it, left of it, or further down."""
    taken = [(dot.x - 9, dot.x + 9, dot.high - 2, dot.low + 2) for dot in dots]
    done: dict[int, Dot] = {}
    for number, dot in sorted(enumerate(dots), key=lambda one: (one[1].tone == "other", one[1].y)):
        width = _LETTER * len(dot.name)
        places = [
            (start, start + width, dot.y + down - 9, dot.y + down + 6, side)
            for down in (0, 16, -16, 32, -32, 48)
            for side, start in (("start", dot.x + 12), ("end", dot.x - 12 - width))
            if start > 0 and start + width < right + 55
        ]
        free = [place for place in places if not any(_meets(place, other) for other in taken)]
        begin, end, top, bottom, side = (free or places or [(dot.x + 12, dot.x + 12 + width, dot.y - 9, dot.y + 6, "start")])[0]
        taken.append((begin, end, top, bottom))
        done[number] = dot._replace(text_x=begin if side == "start" else end, text_y=top + 13, anchor=side)
    return [done[number] for number in range(len(dots))]


def _meets(one: Sequence[Any], other: tuple[float, float, float, float]) -> bool:
    left, right, top, bottom = other
    return bool(one[0] < right and left < one[1] and one[2] < bottom and top < one[3])


def ticks(low: float, high: float, most: int) -> list[float]:
    """Give round numbers from below `low` to above `high`, about so many.

    Example:
        >>> [round(tick, 2) for tick in ticks(-0.031, 0.21, 6)]
        [-0.05, 0.0, 0.05, 0.1, 0.15, 0.2, 0.25]
    """
    span = high - low if high > low else max(abs(high), 0.01)
    rough = span / max(1, most - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 2.5, 5, 10) if size * times >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def scale(value: float, low: float, high: float, start: float, end: float) -> float:
    """Give the place of a value on a line, to a tenth of a unit.

    Example:
        >>> scale(0.5, 0, 1, 100, 200)
        150.0
    """
    return round(start + (value - low) / ((high - low) or 1) * (end - start), 1)


def short(text: str, most: int = _LABEL) -> str:
    """Shorten a name for a chart."""
    return text if len(text) <= most else text[: most - 1] + "…"
