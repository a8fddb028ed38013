"""An evaluation as a comment on a pull request: short, and nobody's text becomes markup, a link or a mention."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anytune.evaluation.report import figures, words
from anytune.evaluation.report.texts import cut, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anytune.evaluation.values import ArmResult, Comparison, Evaluation, Flip

__all__ = ["arms", "escaped", "markdown"]

_ICONS = {"pass": "✅", "fail": "❌", "inconclusive": "❔"}
_ROWS = 20
_FLIPS = 3
_TEXT = 160
_PLAIN = r"(?<=\w)[_-](?=\w)|(?<!\d)\.(?=\s|$)|(?<=\d)\.(?=\d|$)|:(?=\s)|(?<=\s)=(?=\s)|\+(?=\d)"
"""Signs that are but signs where they stand: inside a word, at the end of a sentence, in a figure."""

_MARKUP = re.compile(rf"(?P<plain>{_PLAIN})|[^\w\s,;()%\u2212–…'?$·]|_")
"""Anything else that could mean something to a reader of Markdown: it is written as a number, which means nothing but the character."""


def markdown(evaluation: Evaluation) -> str:
    """Give GitHub-flavoured Markdown."""
    found = fit(evaluation, most=600)
    decision = found.decision
    parts = [
        f"### {_ICONS[decision.outcome]} {words.OUTCOMES[decision.outcome]}. {escaped(words.headline(found))}",
        escaped(words.task(found)),
        escaped(words.compared(found.comparisons[0])) if found.comparisons else "",
        f"**Rule.** {escaped(words.rule(decision, found))}",
        "\n".join(f"- {escaped(reason)}" for reason in decision.reasons[:_ROWS]),
        arms(found),
        _table(("against", "grader", "difference, points", "p", "shown"), map(_comparison, found.comparisons)),
        f"**Noise floor.** {escaped(words.noise(found))}",
        f"**Break-even.** {escaped(words.break_even(found))}",
        _flips(found),
        _hidden("What this cannot tell you", "\n".join(f"- {escaped(sentence)}" for sentence in found.cannot_tell[:_ROWS])),
        _hidden("Hashes and versions", _table(("what", "version or sha256"), [(name, code(value)) for name, value in _made(found)])),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Write a text so that Markdown, HTML, links and mentions in it are but characters.

    Example:
        >>> escaped("0.5 points: [x](y) <b>")
        '0.5 points: &#91;x&#93;(y) &#60;b&#62;'
    """
    plain = _MARKUP.sub(lambda found: found["plain"] or f"&#{ord(found[0])};", " ".join(text.split()))
    return plain.replace("&#64;", "&#64;&#8203;")  # GitHub looks for mentions after numbers have become characters


def code(text: str, most: int = _TEXT) -> str:
    r"""Write a text as code, in one line; a fence that is longer than any in it cannot be closed by it.

    Example:
        >>> code("a `b` | c")
        '`` a `b` \\| c ``'
    """
    line = " ".join(cut(text, most).split()).replace("|", "\\|") or "–"
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    space = " " if "`" in line else ""
    return f"{fence}{space}{line}{space}{fence}"


def arms(found: Evaluation) -> str:
    """Give the table of arms."""
    return _table(
        ("arm", found.primary, "failed or not gradable", "1,000 requests", "1,000 correct", "half within"), map(_arm(found), found.arms)
    )


def _arm(found: Evaluation) -> Callable[[ArmResult], tuple[str, ...]]:
    def row(arm: ArmResult) -> tuple[str, ...]:
        score = arm.scores.get(found.primary)
        told = "–" if score is None else f"{figures.percent(score.value)} ({figures.interval(score)})"
        latency = "–" if arm.latency_p50_s is None else figures.seconds(arm.latency_p50_s.value)
        cost = ["–" if value is None else figures.usd(value * 1000) for value in (arm.usd_per_request, arm.usd_per_correct)]
        return (code(arm.name, 60), told, words.answered(arm), *cost, latency)

    return row


def _comparison(one: Comparison) -> tuple[str, ...]:
    difference = f"{figures.points(one.difference)} ({figures.points(one.low)} to {figures.points(one.high)})"
    pair = f"{code(one.candidate, 60)} {figures.MINUS} {code(one.baseline, 60)}"
    return (pair, code(one.grader, 60), difference, figures.p_value(one.p_value).replace("<", "&#60;"), words.VERDICTS[one.verdict])


def _table(headings: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [" | ".join(row) for row in rows]
    if not lines:
        return ""
    names = [escaped(heading) for heading in headings]
    more = [] if len(lines) <= _ROWS else [f"\n{len(lines) - _ROWS} more are in the JSON record."]
    return "\n".join([f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}", *(f"| {line} |" for line in lines[:_ROWS]), *more])


def _flips(found: Evaluation) -> str:
    won = [flip for flip in found.flips if flip.candidate_score > flip.baseline_score]
    lost = [flip for flip in found.flips if flip.candidate_score < flip.baseline_score]
    told = [f"- lost, row {flip.row:,}: {_flip(flip)}" for flip in lost[:_FLIPS]] + [
        f"- won, row {flip.row:,}: {_flip(flip)}" for flip in won[:_FLIPS]
    ]
    return _hidden(f"Flips: {len(won):,} won, {len(lost):,} lost", "\n".join(told))


def _flip(flip: Flip) -> str:
    right = f", right {code(flip.reference)}" if flip.reference else ""
    return f"asked {code(flip.asked)}, candidate {code(flip.candidate_text)}, baseline {code(flip.baseline_text)}{right}"


def _hidden(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>" if text else ""


def _made(found: Evaluation) -> list[tuple[str, str]]:
    return [(escaped(name), value) for name, value in [*found.versions.items(), *found.hashes.items()][: 2 * _ROWS]]
