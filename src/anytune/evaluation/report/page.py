"""Filling the template. What comes from data, models or hosts is cleaned, cut and escaped; the page loads and runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.evaluation.report import drawing, figures, words
from anytune.evaluation.report.changes import Piece, changes
from anytune.evaluation.report.curves import confusion, curves
from anytune.evaluation.report.texts import cut, fit

if TYPE_CHECKING:
    from datetime import datetime

    from anytune.evaluation.values import Evaluation, Flip

__all__ = ["html"]

_FLIPS = 20
"""Of each kind that are shown; the record has them all."""
_TEXT = 1_200
"""Characters of a question or an answer that are shown."""
_SPEC = 20_000
_ROWS = 40
"""Of a table: comparisons, arms, choices."""
_GRADERS = 6
"""Columns for graders, the deciding one first."""


class _Flip(NamedTuple):
    """A flip as it is shown."""

    row: int
    case: str
    asked: str
    reference: str
    candidate: tuple[Piece, ...]
    baseline: tuple[Piece, ...]
    candidate_score: float
    baseline_score: float


def html(evaluation: Evaluation) -> str:
    """Give the page: one file that needs nothing from outside, of bounded size."""
    import jinja2  # noqa: PLC0415 - only a page needs it

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals |= {
        name: getattr(figures, name) for name in ("count", "interval", "p_value", "percent", "points", "seconds", "usd")
    }
    environment.globals |= {"answered": words.answered, "listed": words.listed, "verdicts": words.VERDICTS, "brief": _brief}
    found = fit(evaluation)
    return environment.get_template("evaluation.html.j2").render(found=found, **_told(found), **_drawn(found), **_flips(found))


def _told(found: Evaluation) -> dict[str, Any]:
    return {
        "outcome": words.OUTCOMES[found.decision.outcome],
        "headline": words.headline(found),
        "task": words.task(found),
        "engineer": words.compared(found.comparisons[0]) if found.comparisons else "",
        "rule": words.rule(found.decision, found),
        "power": words.power(found.power, found.decision.kind),
        "noise": words.noise(found),
        "break_even": words.break_even(found),
        "tiles": _tiles(found),
        "drift": words.probes(found)[:_ROWS],
        "graders": _graders(found),
        "most_rows": _ROWS,
        "began": _time(found.began),
        "ended": _time(found.ended),
        "spec": cut(_yaml(found.spec), _SPEC),
    }


def _drawn(found: Evaluation) -> dict[str, Any]:
    scatter, drawn = drawing.scatter(found), curves(found.curves)
    labels = [(name, table) for name in (found.candidate, found.baseline) if (table := confusion(found.labels.get(name, {})))]
    wanted = {
        "decision": "Decision",
        "differences": "Differences",
        "arms": "Arms",
        "money": "Money" if scatter or found.break_even else "",
        "drift": "Drift check" if found.drift else "",
        "flips": "Flips" if found.flips else "",
        "labels": "Labels" if labels else "",
        "loss": "Loss" if drawn else "",
        "choices": "Choices" if found.choices else "",
        "cannot": "What this cannot tell",
        "made": "How it was made",
    }
    sections = [(id_, name) for id_, name in wanted.items() if name]
    return {"bars": drawing.bars(found), "scatter": scatter, "curves": drawn, "labels": labels, "sections": sections}


def _flips(found: Evaluation) -> dict[str, Any]:
    won = [flip for flip in found.flips if flip.candidate_score > flip.baseline_score]
    lost = [flip for flip in found.flips if flip.candidate_score < flip.baseline_score]
    shown = {"won": [_shown(flip) for flip in won[:_FLIPS]], "lost": [_shown(flip) for flip in lost[:_FLIPS]]}
    return shown | {"won_all": len(won), "lost_all": len(lost)}


def _shown(flip: Flip) -> _Flip:
    reference, ours, theirs = (cut(text, _TEXT) for text in (flip.reference, flip.candidate_text, flip.baseline_text))
    against = [(reference, ours), (reference, theirs)] if reference else [(theirs, ours), ("", theirs)]
    candidate, baseline = (changes(expected, text) if text else () for expected, text in against)
    return _Flip(flip.row, flip.case, cut(flip.asked, _TEXT), reference, candidate, baseline, flip.candidate_score, flip.baseline_score)


def _tiles(found: Evaluation) -> list[tuple[str, str, str]]:
    """Give the figures of the first screen: what, how much, compared with what."""
    tiles: list[tuple[str, str, str]] = []
    if found.comparisons:
        first = found.comparisons[0]
        under = f"{figures.points(first.low)} to {figures.points(first.high)} with {figures.percent(first.level, 0)} confidence"
        tiles.append((f"Difference to {_brief(first.baseline, 30)}", f"{figures.points(first.difference)} points", under))
        tiles.append(("Answers won / lost", f"{first.wins:,} / {first.losses:,}", f"{first.ties:,} the same"))
    arms = {arm.name: arm for arm in found.arms}
    ours, theirs = arms.get(found.candidate), arms.get(found.baseline)
    if ours and ours.usd_per_request is not None:
        other = "" if theirs is None or theirs.usd_per_request is None else f"instead of {figures.usd(theirs.usd_per_request * 1000)}"
        tiles.append(("1,000 requests", figures.usd(ours.usd_per_request * 1000), other))
    if ours and ours.latency_p50_s is not None:
        other = "" if theirs is None or theirs.latency_p50_s is None else f"instead of {figures.seconds(theirs.latency_p50_s.value)}"
        tiles.append(("Half of the answers within", figures.seconds(ours.latency_p50_s.value), other))
    return tiles


def _graders(found: Evaluation) -> list[str]:
    names = dict.fromkeys([found.primary, *(name for arm in found.arms for name in arm.scores)])
    return list(names)[:_GRADERS]


def _brief(text: str, most: int = 160) -> str:
    return cut(text, most)


def _time(at: datetime) -> str:
    zone = at.tzname() or ""
    return f"{at:%Y-%m-%d %H:%M} {zone}".rstrip()


def _yaml(spec: dict[str, Any]) -> str:
    import yaml  # noqa: PLC0415 - only a page needs it

    return yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, width=110)
