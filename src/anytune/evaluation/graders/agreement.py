"""How far a judge agrees with people: Cohen's kappa with its interval, and whether length alone pleases the judge."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from anytune.errors import ConfigError
from anytune.evaluation.needs import need
from anytune.evaluation.values import Estimate
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path
    from typing import Self

__all__ = ["ENOUGH", "Agreement", "HumanLabel", "agreement", "in_words", "length_correlation", "read_labels"]

ENOUGH = 50
"""Labels below which agreement says little."""

_RESAMPLES = 5_000


class Agreement(Value):
    """Two raters on the same answers.

    Attributes:
        labels: How many answers both labelled.
        agreed: Share on which they agree.
        kappa: The same beyond what chance gives, 1 for always, 0 for no better than chance; None where both used one label alone.
        warning: Why it says little; empty otherwise.
    """

    labels: int
    agreed: float
    kappa: Estimate | None
    warning: str = ""


class HumanLabel(BaseModel):
    """What a person said of one answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str | None = None
    row: int | None = None
    answer: str
    score: float | None = Field(default=None, ge=0, le=1)
    label: bool | Literal["pass", "fail", "better", "tie", "worse"] | None = None

    @model_validator(mode="after")
    def _said(self) -> Self:
        if (self.id is None) and (self.row is None):
            raise ValueError("give `id` or `row`")
        if (self.score is None) is (self.label is None):
            raise ValueError("give `score` or `label`")
        return self

    @property
    def said(self) -> float:
        """The label as a score."""
        if self.score is not None:
            return self.score
        return {"pass": 1.0, "better": 1.0, "tie": 0.5, "fail": 0.0, "worse": 0.0}.get(str(self.label), float(self.label is True))


def agreement(judge_labels: Sequence[Hashable], human_labels: Sequence[Hashable], *, level: float = 0.95, seed: int = 0) -> Agreement:
    """Hold a judge's labels against people's.

    The interval is a percentile bootstrap over answers (5,000 times). Where all labels agree that would have no width: then the lower bound
    is what the exact binomial bound of the share leaves, at the labels' frequencies.

    Args:
        judge_labels: One label an answer.
        human_labels: The same answers' labels, in the same order.
        level: Of the interval.
        seed: Of the resampling.

    Raises:
        ValueError: There are none, or not as many of each.

    Example:
        >>> found = agreement(["a", "a", "b", "b"], ["a", "a", "b", "a"])
        >>> found.agreed, found.kappa.value, found.warning
        (0.75, 0.5, 'under 50 labels: agreement may be quite different')
    """
    pairs = list(zip(judge_labels, human_labels, strict=True))
    if not pairs:
        raise ValueError("there are no labels")
    numpy = need("numpy")
    names = {name: at for at, name in enumerate(dict.fromkeys([*judge_labels, *human_labels]))}
    table = numpy.zeros((len(names), len(names)))
    for (judged, said), count in Counter(pairs).items():
        table[names[judged], names[said]] = count
    warning = "" if len(pairs) >= ENOUGH else f"under {ENOUGH} labels: agreement may be quite different"
    agreed = float(numpy.trace(table) / len(pairs))
    value = float(_kappas(table[None])[0])
    if numpy.isnan(value):
        return Agreement(labels=len(pairs), agreed=agreed, kappa=None, warning=warning or "both used one label alone")
    tail = (1 - level) / 2
    drawn = numpy.random.default_rng(seed).multinomial(len(pairs), table.ravel() / len(pairs), size=_RESAMPLES)
    spread = _kappas(drawn.reshape(-1, *table.shape))
    low, high = numpy.nanquantile(spread, [tail, 1 - tail])
    if agreed == 1.0:
        chance = float((table.sum(1) @ table.sum(0)) / len(pairs) ** 2)
        low = (tail ** (1 / len(pairs)) - chance) / (1 - chance)
    return Agreement(
        labels=len(pairs), agreed=agreed, kappa=Estimate(value=value, low=float(low), high=float(high), level=level), warning=warning
    )


def in_words(name: str, found: dict[str, Any]) -> str:
    """Say in a sentence what `Grader.agreement` found.

    Example:
        >>> in_words("helpful", {"labels": 60, "unknown": 0, "ungraded": 2, "agreed": 0.9, "kappa": 0.8, "low": 0.64, "high": 0.93})
        "Grader 'helpful' agrees with people on 90 % of 58 labelled answers: Cohen's kappa 0.80 (0.64 to 0.93)."
    """
    compared = found["labels"] - found["unknown"] - found["ungraded"]
    if not compared:
        return f"Grader {name!r} could be held against none of {found['labels']} labels of people."
    kappa = "no kappa, as both used one label alone"
    if found["kappa"] is not None:
        kappa = f"Cohen's kappa {found['kappa']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
    warning = f"; {found['warning']}" if found.get("warning") and found["kappa"] is not None else ""
    return f"Grader {name!r} agrees with people on {found['agreed']:.0%} of {compared} labelled answers: {kappa}{warning}.".replace(
        "%", " %"
    )


def length_correlation(scores: Sequence[float], texts: Sequence[str]) -> float | None:
    """Give Spearman's correlation of scores and lengths of texts; None where either does not vary."""
    lengths = [len(text) for text in texts]
    if len(set(lengths)) < 2 or len(set(scores)) < 2:  # noqa: PLR2004 - two values are the least that vary
        return None
    return float(need("scipy.stats").spearmanr(scores, lengths).statistic)


def read_labels(path: Path) -> list[HumanLabel]:
    """Read people's labels: JSONL with `id` or `row`, `answer`, and `score` (0 to 1) or `label`.

    Raises:
        ConfigError: The file cannot be read, or a line is wrong; its number is named.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"`human`: cannot read {path}: {type(error).__name__}.", fix="Check the path.") from error
    return [_label(line, number, path) for number, line in enumerate(lines, 1) if line.strip()]


def _label(line: str, number: int, path: Path) -> HumanLabel:
    try:
        return HumanLabel.model_validate(json.loads(line))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = ".".join(map(str, first["loc"][:1])) or "row"
        raise ConfigError(
            f"`human`: line {number} of {path}: `{what}`: {first['msg']}.", fix="Give `id` or `row`, `answer`, and `score` or `label`."
        ) from None
    except (ValueError, RecursionError):
        raise ConfigError(f"`human`: line {number} of {path} is no JSON.", fix="Give one JSON object a line.") from None


def _kappas(tables: Any) -> Any:
    """Give kappa of each table of counts; NaN where both raters used one label alone."""
    numpy = need("numpy")
    total = tables.sum(axis=(1, 2))
    agreed = numpy.trace(tables, axis1=1, axis2=2) / total
    chance = (tables.sum(axis=2) * tables.sum(axis=1)).sum(axis=1) / total**2
    with numpy.errstate(invalid="ignore", divide="ignore"):
        return numpy.where(chance < 1, (agreed - chance) / (1 - chance), numpy.nan)
