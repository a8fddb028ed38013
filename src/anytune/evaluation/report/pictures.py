"""The charts as PNG files, for slides and chats. Drawn on figures of their own: matplotlib's global state is nobody's here."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune.evaluation.needs import need
from anytune.evaluation.report import drawing, words
from anytune.evaluation.report.curves import losses
from anytune.evaluation.report.texts import fit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anytune.evaluation.values import Evaluation

__all__ = ["charts"]

_COLOURS = {"better": "#0a66c2", "worse": "#b3470b", "same": "#5f6b7a", "noise": "#8a6fb0"}
_SOFT, _GRID = "#5a6370", "#d9dde2"
_LINES = tuple(_COLOURS.values())


def charts(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Draw `differences.png`, `quality.png` and `loss.png` into a folder, which is made; what there is nothing for is left out.

    Raises:
        ConfigError: matplotlib is not installed, or the folder cannot be written to.
    """
    found = fit(evaluation, most=200)
    drawers: dict[str, Callable[[Evaluation, Any], bool]] = {"differences": _differences, "quality": _quality, "loss": _loss}
    made = []
    for name, draw in drawers.items():
        figure = need("matplotlib.figure").Figure(figsize=(8.4, 4.4), layout="constrained")
        need("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        if not draw(found, axes):
            continue
        path = folder / f"{name}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, format="png", dpi=150)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}.", fix="Give a folder that you may write to.") from error
        made.append(path)
    return made


def _differences(found: Evaluation, axes: Any) -> bool:
    shown = [(one, drawing.tone(one), f"vs {one.baseline}") for one in found.comparisons if one.grader == found.primary][: drawing.MOST]
    shown += [(found.noise, "noise", "chance alone")] if found.noise else []
    if not shown:
        return False
    for place, (one, tone, _) in enumerate(shown):
        axes.plot([one.low * 100, one.high * 100], [place, place], color=_COLOURS[tone], alpha=0.35, linewidth=7, solid_capstyle="round")
        axes.plot([one.difference * 100], [place], "o", color=_COLOURS[tone], markersize=8)
    axes.axvline(0, color="#1b1f24", linewidth=1)
    if found.decision.margin:
        axes.axvline(-found.decision.margin * 100, color="#7a4f00", linewidth=1, linestyle="--")
    axes.set_yticks(range(len(shown)), [drawing.short(name) for *_, name in shown], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel(drawing.short(f"points, {found.candidate} minus the other", 60), parse_math=False)
    axes.set_title(textwrap.fill(words.headline(found), 90), parse_math=False, loc="left", fontsize=11)
    return True


def _quality(found: Evaluation, axes: Any) -> bool:
    """Draw what the page's chart holds, in its units: names that do not meet there do not meet here."""
    drawn = drawing.scatter(found)
    if drawn is None:
        return False
    left, right, _, bottom = drawing.PLOT
    axes.set(xlim=(0, 780), ylim=(372, 0))
    axes.axis("off")
    small = {"fontsize": 9, "color": _SOFT, "parse_math": False}
    for tick in drawn.up:
        axes.plot([left, right], [tick.at, tick.at], color=_GRID, linewidth=0.8, zorder=0)
        axes.text(left - 10, tick.at, tick.text, ha="right", va="center", **small)
    for tick in drawn.across:
        axes.text(tick.at, bottom + 20, tick.text, ha="center", va="center", **small)
    what = "cost of 1,000 requests" if drawn.what == "cost" else "seconds for an answer, half take less"
    axes.text(right, bottom + 42, f"score, by {what}", ha="right", va="center", **small)
    for dot in drawn.dots:
        colour = _COLOURS[{"candidate": "better", "baseline": "worse"}.get(dot.tone, "same")]
        axes.plot([dot.x, dot.x], [dot.low, dot.high], color=colour, linewidth=1.2)
        axes.plot([dot.x], [dot.y], "o", color=colour, markersize=8)
        side = "left" if dot.anchor == "start" else "right"
        axes.text(dot.text_x, dot.text_y, dot.name, ha=side, va="baseline", fontsize=10, parse_math=False)
    return True


def _loss(found: Evaluation, axes: Any) -> bool:
    lines = losses(found.curves)
    if max((len(line) for line in lines.values()), default=0) < 2:  # noqa: PLR2004 - a line has two ends
        return False
    for (name, line), colour in zip(lines.items(), _LINES, strict=False):
        axes.plot(
            [step for step, _ in line],
            [value for _, value in line],
            color=colour,
            label=drawing.short(name).replace("$", r"\$").lstrip("_"),
        )
    axes.set_xlabel("optimiser steps")
    axes.set_ylabel("loss")
    axes.legend(frameon=False)
    return True
