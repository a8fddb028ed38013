"""From graded answers to the record that reports show and gates decide on."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from anytune import __version__
from anytune.data.files import describe, resolve
from anytune.errors import AnytuneError
from anytune.evaluation.arms import Recalling
from anytune.evaluation.comparing import compared, limits
from anytune.evaluation.decision import decided
from anytune.evaluation.fixing import fixed
from anytune.evaluation.graders.agreement import in_words
from anytune.evaluation.grading import confusion, flips
from anytune.evaluation.hosts import job_of
from anytune.evaluation.money import Tariff, arm_costs, break_even, costs_by_case, measured
from anytune.evaluation.statistics import estimate
from anytune.evaluation.values import ArmResult, Evaluation
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from anytune.evaluation.arms import Arm
    from anytune.evaluation.choosing import Chosen
    from anytune.evaluation.graders import Grader
    from anytune.evaluation.grading import Marks
    from anytune.evaluation.money import ArmCosts
    from anytune.evaluation.spec import EvaluationSpec, Model
    from anytune.evaluation.values import BreakEven, Power
    from anytune.job import FineTuneJob
    from anytune.runtime import Runtime
    from anytune.values import Metric

__all__ = ["Found", "record"]

_BENT = "Its rule was changed after answers to these rows were there: chosen so, nearly any model passes. `anytune gate` refuses it."
_EARLIER = "answered when it was captured: what that cost is not counted here"
_COMPUTED_WITH = ("numpy", "scipy", "statsmodels", "bm25s", "sacrebleu", "rapidfuzz")


class Found(NamedTuple):
    """All that an evaluation has when everything was asked.

    Attributes:
        spec: What was to be done.
        began: When.
        power: What was said beforehand.
        dev_rows: Rows on which choices were made.
        marks: The graded answers.
        chosen: What the development rows decided.
        graders: In the spec's order.
        primary: The grader that decides.
        drift: Findings of the drift check.
        tariffs: Prices by the key of the model.
        labels: What was asked, for people, by the same key.
        left_out: Training rows that no arm may show, in words.
        answers: The file of all answers.
        beside: Folder of the spec: paths are told as they are seen from there.
        rule: sha256 of the rule under which these rows were first asked.
    """

    spec: EvaluationSpec
    began: datetime
    power: Power
    dev_rows: int
    marks: Marks
    chosen: Chosen
    graders: Sequence[Grader]
    primary: str
    drift: tuple[dict[str, Any], ...]
    tariffs: Mapping[str, Tariff]
    labels: Mapping[str, str]
    left_out: str
    answers: Path
    beside: Path
    rule: str


def record(found: Found, context: Runtime) -> Evaluation:
    """Compare, decide, price, and put everything into one value."""
    spec, marks = found.spec, found.marks
    baseline, candidate = found.chosen.baselines[0], spec.rule.candidate
    pairs = compared(spec, marks, found.chosen.baselines, {grader.name: grader.binary for grader in found.graders}, found.primary)
    tariffs = _measured(found)
    costs = {arm.name: _costs(found, arm, tariffs) for arm in found.chosen.arms}
    paid = [costs[arm.name].usd for arm in found.chosen.arms if arm.model is not None]
    judged = any(usage for arm in found.chosen.arms for usage in _usages(marks, arm.name, found.primary))
    agreements = {grader.name: told for grader in found.graders if (told := grader.agreement(marks.cases))}
    return Evaluation(
        name=spec.name,
        began=found.began,
        ended=now(),
        spec=_told(spec, found.beside),
        cases=len(marks.cases),
        dev_rows=found.dev_rows,
        repeats=spec.repeats,
        primary=found.primary,
        candidate=candidate,
        baseline=baseline,
        power=found.power,
        arms=tuple(_arm(found, arm, costs[arm.name]) for arm in found.chosen.arms),
        comparisons=(*pairs.headline, *pairs.rest),
        noise=pairs.noise,
        choices=found.chosen.choices,
        decision=decided(spec.rule, pairs.headline, found.drift),
        drift=found.drift,
        break_even=_break_even(found, tariffs, candidate, baseline, context, sum(usd or 0.0 for usd in paid)),
        flips=flips(marks, candidate, baseline, found.primary),
        labels={name: confusion(marks, name, spec.label) for name in (candidate, baseline)} if spec.label else {},
        curves=_curves(spec, candidate, context),
        agreements=agreements,
        cannot_tell=(
            *([_BENT] if fixed(spec) != found.rule else []),
            *limits(spec, marks, found.primary, found.chosen, judged=judged, left_out=found.left_out),
            *(in_words(name, told) for name, told in agreements.items()),
        ),
        hashes=_hashes(found),
        versions={"anytune": __version__, "python": platform.python_version()} | _versions(),
        spent_usd=None if None in paid else sum(usd or 0.0 for usd in paid),
    )


def _arm(found: Found, arm: Arm, costs: ArmCosts) -> ArmResult:
    sheets = found.marks.of(arm.name)
    groups = [case.group for case in found.marks.cases] if found.spec.group_by else None
    scores = {
        grader.name: estimate(
            found.marks.scores(arm.name, grader.name),
            binary=grader.binary and found.spec.repeats == 1,
            groups=groups,
            seed=found.spec.seed,
        )
        for grader in found.graders
    }
    return ArmResult(
        name=arm.name,
        what=arm.what,
        model=found.labels.get(arm.model, "") if arm.model is not None else "",
        answers=len(sheets),
        errors=sum(bool(sheet.answer.error) for sheet in sheets),
        ungraded=found.marks.ungraded(arm.name, found.primary),
        scores=scores,
        **costs.model_dump(exclude={"usd"}),
    )


def _costs(found: Found, arm: Arm, tariffs: Mapping[str, Tariff]) -> ArmCosts:
    sheets = found.marks.of(arm.name)
    correct = sum(sheet.grades[found.primary].score or 0.0 for sheet in sheets)
    tariff = tariffs[arm.model] if arm.model is not None else Tariff(basis=_EARLIER) if isinstance(arm, Recalling) else None
    return arm_costs((sheet.answer for sheet in sheets), tariff, correct=correct)


def _measured(found: Found) -> dict[str, Tariff]:
    """Turn prices by the hour into prices of answers, by the throughput that was seen over all arms of a model."""
    asked = {key: [arm.name for arm in found.chosen.arms if arm.model == key] for key in found.tariffs}
    return {
        key: measured(
            tariff,
            [sheet.answer for name in asked[key] for sheet in found.marks.of(name)],
            concurrency=found.spec.models[key.partition("@")[0]].limits.concurrency,
        )
        for key, tariff in found.tariffs.items()
    }


def _break_even(
    found: Found, tariffs: Mapping[str, Tariff], candidate: str, baseline: str, context: Runtime, asking_usd: float
) -> BreakEven | None:
    arms = {arm.name: arm for arm in found.chosen.arms}
    model = found.spec.models.get((arms[candidate].model or "").partition("@")[0])
    if model is None:
        return None
    answers = {
        (name, sheet.answer.case, sheet.answer.repeat): sheet.answer for name in (candidate, baseline) for sheet in found.marks.of(name)
    }
    ids = [case.id for case in found.marks.cases]

    def by_case(name: str) -> list[float | None]:
        key = arms[name].model
        if isinstance(arms[name], Recalling):
            return [None] * len(ids)
        return [0.0] * len(ids) if key is None else costs_by_case(answers, name, ids, tariffs[key])

    training = found.spec.spending.training_usd
    if training is None:
        job = _job(model, context)
        training = job.actual.cost_usd if job is not None else None
    return break_even(
        by_case(candidate),
        by_case(baseline),
        names=(baseline, candidate),
        once_usd=None if training is None else training + asking_usd,
        per_month=found.spec.spending.requests_per_month,
        seed=found.spec.seed,
    )


def _curves(spec: EvaluationSpec, candidate: str, context: Runtime) -> tuple[Metric, ...]:
    model = spec.models.get(getattr(spec.arms[candidate], "model", ""))
    job = _job(model, context) if model is not None else None
    if job is None:
        return ()
    try:
        return tuple(job.metrics())
    except AnytuneError:  # curves are an extra: a host that is away now, or keeps none, spoils no result
        return ()


def _job(model: Model, context: Runtime) -> FineTuneJob | None:
    return job_of(model, context)


def _usages(marks: Marks, arm: str, grader: str) -> list[dict[str, Any]]:
    return [sheet.grades[grader].usage for sheet in marks.of(arm)]


def _told(spec: EvaluationSpec, beside: Path) -> dict[str, Any]:
    """Give the spec without the places of this machine: files in its folder as they are seen from there, others by their names."""

    def seen(holder: dict[str, Any], key: str) -> None:
        path = PurePath(str(holder.get(key, "")))
        if path.is_absolute():
            holder[key] = str(path.relative_to(beside)) if path.is_relative_to(beside) else path.name

    told: dict[str, Any] = spec.model_dump(mode="json", exclude_none=True)
    places = [(told, "data"), (told, "train"), (told["dev"], "data")]
    places += [(model, "model") for model in told["models"].values()] + [
        (arm, key) for arm in told["arms"].values() for key in ("documents", "file")
    ]
    for holder, key in places:
        seen(holder, key)
    return told


def _hashes(found: Found) -> dict[str, str]:
    spec = json.dumps(found.spec.model_dump(mode="json", exclude={"data", "train"}), sort_keys=True)
    files = {"data": found.spec.data, "train": found.spec.train, "dev": found.spec.dev.data}
    hashes = {"rule": found.rule, "spec": hashlib.sha256(spec.encode()).hexdigest()}
    hashes |= {word: describe(resolve(path), "train").sha256 for word, path in files.items() if path is not None}
    with found.answers.open("rb") as file:
        hashes["answers"] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def _versions() -> dict[str, str]:
    found = {}
    for name in _COMPUTED_WITH:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
