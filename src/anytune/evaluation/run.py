"""The whole of an evaluation, from its spec to its record: read, estimate, choose, ask, grade, compare, decide, keep."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from anytune.data.files import describe, resolve
from anytune.errors import AnytuneError, ConfigError, Terminal
from anytune.evaluation import spec as words
from anytune.evaluation.arms import Asking, Candidate, Pool, built, variants
from anytune.evaluation.asking import Answers, Budget, Plan, Progress, Store, ask_all
from anytune.evaluation.cases import drawn, read_cases
from anytune.evaluation.choosing import chosen, development
from anytune.evaluation.drift import checked, probes
from anytune.evaluation.fixing import first
from anytune.evaluation.graders import Desk, parsed
from anytune.evaluation.grading import Marks, graded
from anytune.evaluation.hosts import Hosts
from anytune.evaluation.money import estimate_before
from anytune.evaluation.record import Found, record
from anytune.evaluation.report import save
from anytune.evaluation.spec import EvaluationSpec
from anytune.evaluation.statistics import beforehand
from anytune.evaluation.values import Power
from anytune.paths import home
from anytune.runtime import Runtime, runtime
from anytune.values import Value, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from anytune.evaluation.arms import Arm
    from anytune.evaluation.graders import Grader
    from anytune.evaluation.money import Forecast
    from anytune.evaluation.values import Answer, Case, Evaluation

__all__ = ["RECORD", "Before", "Stopped", "evaluate", "folder_of"]

RECORD = "evaluation.json"


class Before(Value):
    """What is known before anything is asked.

    Attributes:
        power: What so many rows can show.
        cases: Held-out rows; `dev_rows` more are asked for choices.
        requests: Questions, those for choices and of the drift check included; what was answered before is not asked again.
        usd: What they will cost; None where a price is missing. `usd_at_most` with the longest answers.
        basis: How it was found.
        left_out: Training rows that no arm may show, in words.
    """

    power: Power
    cases: int
    dev_rows: int
    requests: int
    usd: float | None
    usd_at_most: float | None
    basis: str
    left_out: str = ""


class Stopped(AnytuneError, Terminal):
    """Whoever was told the estimate said no: nothing was asked."""


def folder_of(spec: EvaluationSpec) -> Path:
    """Give the folder in which an evaluation of this name is kept, unless another one is given."""
    return home() / "evaluations" / spec.name


def evaluate(
    spec: EvaluationSpec | Path | str,
    *,
    folder: Path | None = None,
    context: Runtime | None = None,
    on_before: Callable[[Before], bool] | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> Evaluation:
    """Ask the same held-out rows of several arms, compare them, and keep the record.

    Run again after it was stopped, it goes on: an answer that was paid for is not asked for again.

    Args:
        spec: What to do, or the path of its YAML file.
        folder: Where answers and record are kept; a folder of the spec's name in `ANYTUNE_HOME` by default.
        context: Ledger, retries and clock; the process's own by default.
        on_before: Told what it will take; where it gives False, nothing is asked.
        on_progress: Called with the questions that are answered and those that there are, for each round of questions.

    Returns:
        The record, as it also stands in `evaluation.json` of the folder.

    Raises:
        ConfigError: A setting is wrong, or somebody else is asking in this folder.
        DataError: A data file cannot be asked.
        BudgetExceeded: It would cost more than `spending.max_usd`, or has used it up.
        AuthError: A key is missing or refused.
        Stopped: `on_before` said no.
    """
    beside = Path(spec).resolve().parent if isinstance(spec, (str, Path)) else Path.cwd()
    spec = EvaluationSpec.read(Path(spec)) if isinstance(spec, (str, Path)) else spec
    with _Run(spec, beside, folder or folder_of(spec), context or runtime(), on_progress) as run:
        before = run.before()
        if on_before is not None and not on_before(before):
            raise Stopped("Nothing was asked.", fix="Lower `rows` or `repeats`, or leave arms out.")
        return run.done(before)


class _Run:
    """One evaluation while it runs."""

    def __init__(
        self, spec: EvaluationSpec, beside: Path, folder: Path, context: Runtime, on_progress: Callable[[int, int], object] | None
    ) -> None:
        self.spec, self.beside, self.folder, self.context, self.on_progress = spec, beside, folder, context, on_progress
        self.began = now()
        self.cases = read_cases(spec.data, group_by=spec.group_by)
        self.cases = drawn(self.cases, spec.rows, spec.seed)
        train = read_cases(spec.train) if spec.train is not None else []
        self.dev = development(spec, self.cases, train)
        self.pool = Pool.of(train, held_out=self.cases, dev=self.dev) if train else None
        self.hosts = Hosts(_spread(spec), context=context, name=spec.name)
        desk = Desk(endpoint=self.hosts.endpoint, scratch=folder, folder=beside, models=frozenset(spec.models))
        self.graders: list[Grader] = [parsed(raw, desk) for raw in spec.graders]
        self.primary = _primary(spec, self.graders)
        self.store = Store(folder)
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        self.stack.enter_context(self.store)
        self.stack.enter_context(self.hosts)
        for grader in self.graders:
            self.stack.callback(grader.close)
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.__exit__(*error)  # type: ignore[arg-type]

    def before(self) -> Before:
        """Say what it will show and take.

        Raises:
            BudgetExceeded: It would cost more than may be spent.
        """
        rule = self.spec.rule
        independent = len({case.group for case in self.cases}) if self.spec.group_by else len(self.cases)
        binary = self._binary(self.primary) and self.spec.repeats == 1
        power = beforehand(independent, binary=binary, alpha=rule.alpha, power=rule.power, kind=rule.kind, margin=rule.margin)
        plans = [self._plan(self.cases, self._all_arms(), self.spec.repeats)]
        plans += [self._plan(self.dev, self._all_arms(tried=True), 1)] if self.dev else []
        if (drift := self.spec.drift) is not None:
            two = [_bare(self.spec, arm) for arm in self._all_arms() if arm.name in {drift.baseline, rule.candidate}]
            plans.append(self._plan([probe.case for probe in probes(drift.items, seed=self.spec.seed)], two, 1))
        tariffs = {key: self.hosts.tariff(key) for plan in plans for key in plan.models}
        forecasts = [estimate_before(plan, tariffs) for plan in plans]
        usd = _sum(forecasts, "usd")
        forecasts[0].model_copy(update={"usd": usd}).within(self.spec.spending.max_usd)
        return Before(
            power=power,
            cases=len(self.cases),
            dev_rows=len(self.dev),
            requests=sum(forecast.requests for forecast in forecasts),
            usd=usd,
            usd_at_most=_sum(forecasts, "usd_at_most"),
            basis=forecasts[0].basis + ("; what models are asked for grades is not in it" if _asks_for_grades(self.spec) else ""),
            left_out=self.pool.left_out if self.pool else "",
        )

    def done(self, before: Before) -> Evaluation:
        """Choose, ask, and write the record down."""
        data = describe(resolve(self.spec.data), "train").sha256
        rule = first(self.folder, data, self.spec)
        if len(self.store) == 0:  # all at once: each starts while others are asked; later only what is missing needs its host
            self.hosts.begin(arm.model for arm in self._all_arms() if arm.model is not None)
        picked = chosen(self.spec, self.pool, self.dev, self._marks, self.primary)
        self.hosts.keep({arm.model for arm in picked.arms if arm.model is not None})
        answers = self._asked(self.cases, picked.arms, self.spec.repeats)
        marks = self._graded(self.cases, answers.values())
        drift = self._drift(picked.arms) if self.spec.drift is not None else ()
        found = Found(
            spec=self.spec,
            began=self.began,
            power=before.power,
            dev_rows=len(self.dev),
            marks=marks,
            chosen=picked,
            graders=self.graders,
            primary=self.primary,
            drift=drift,
            tariffs={arm.model: self.hosts.tariff(arm.model) for arm in picked.arms if arm.model is not None},
            labels={arm.model: self.hosts.label(arm.model) for arm in picked.arms if arm.model is not None},
            left_out=before.left_out,
            answers=self.store.path,
            beside=self.beside,
            rule=rule,
        )
        evaluation = record(found, self.context)
        save(evaluation, self.folder / RECORD)
        return evaluation

    def _binary(self, name: str) -> bool:
        return next(grader.binary for grader in self.graders if grader.name == name)

    def _all_arms(self, *, tried: bool = False) -> list[Arm]:
        """Give one arm of each name for an estimate: of several candidates the last, or for choices all of them."""
        found = []
        for name, arm in self.spec.arms.items():
            if tried and isinstance(arm, words.Again):
                continue
            open_ = variants(self.spec, arm.of if isinstance(arm, words.Again) else name)
            tries: Sequence[Candidate | None] = open_ if tried else open_[-1:]
            found += [built(self.spec, name, self.pool, one) for one in tries or [None]]
        return found

    def _plan(self, cases: Sequence[Case], arms: Sequence[Arm], repeats: int) -> Plan:
        identities = {arm.model: self.hosts.identity(arm.model) for arm in arms if arm.model is not None}
        return Plan(cases, arms, repeats=repeats, seed=self.spec.seed, identities=identities)

    def _asked(self, cases: Sequence[Case], arms: Sequence[Arm], repeats: int) -> Mapping[tuple[str, str, int], Answer]:
        plan = self._plan(cases, arms, repeats)
        known = Answers(plan, self.store)
        if sum(not answer.error for answer in known.values()) == len(plan):  # no host is paid for where nothing is left to ask
            return known
        self.hosts.begin(plan.models)
        return ask_all(
            plan,
            {key: self.hosts.endpoint(key) for key in plan.models},
            self.store,
            limits={key: self.hosts.model(key).limits for key in plan.models},
            budget=Budget(self.spec.spending.max_usd, {key: self.hosts.tariff(key) for key in plan.models}),
            on_progress=self._told if self.on_progress is not None else None,
        )

    def _told(self, progress: Progress) -> None:
        if self.on_progress is not None:
            self.on_progress(progress.done, progress.total)

    def _graded(self, cases: Sequence[Case], answers: Iterable[Answer]) -> Marks:
        return Marks(cases, graded({case.id: case for case in cases}, answers, self.graders))

    def _marks(self, cases: Sequence[Case], arms: Sequence[Arm]) -> Marks:
        return self._graded(cases, self._asked(cases, arms, 1).values())

    def _drift(self, arms: Sequence[Arm]) -> tuple[dict[str, object], ...]:
        drift = self.spec.drift
        if drift is None:
            return ()
        by_name = {arm.name: arm for arm in arms}

        def ask(name: str, cases: Sequence[Case]) -> Sequence[Answer]:
            plain = _bare(self.spec, by_name[name])
            return list(self._asked(cases, [plain], 1).values())

        rule = self.spec.rule
        return checked(ask, candidate=rule.candidate, baseline=drift.baseline, spec=drift, seed=self.spec.seed, alpha=rule.alpha)


def _spread(spec: EvaluationSpec) -> dict[str, words.Model]:
    """Give the models of a spec, and each checkpoint of those that have several as one more, as arms name them."""
    found = dict(spec.models)
    for word, model in spec.models.items():
        if isinstance(model.checkpoint, tuple):
            found |= {f"{word}@{step}": model.model_copy(update={"checkpoint": step}) for step in model.checkpoint}
    return found


def _primary(spec: EvaluationSpec, graders: Sequence[Grader]) -> str:
    names = [grader.name for grader in graders]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"Two graders are called {twice[0]!r}.", fix="Give each its own `name`.")
    if not names:
        raise ConfigError("There is no grader.", fix="Give `graders`, such as `[{type: exact}]`.")
    if spec.primary is not None and spec.primary not in names:
        raise ConfigError(f"`primary` is {spec.primary!r}, which is none of `graders`: {', '.join(names)}.", fix="Name one of them.")
    return spec.primary or names[0]


def _bare(spec: EvaluationSpec, arm: Arm) -> Arm:
    """Give an arm that asks the same model without prompts, examples or documents.

    Raises:
        ConfigError: The arm asks no model.
    """
    if not isinstance(arm, Asking):
        raise ConfigError(f"Arm {arm.name!r} asks no model: there is no drift to check.", fix="Name an arm that asks one.")
    word, _, step = arm.model.partition("@")
    alone = spec.model_copy(update={"arms": {arm.name: words.ZeroShot(model=word)}})
    return built(alone, arm.name, None, Candidate("checkpoint", step, {"checkpoint": int(step)}) if step else None)


def _asks_for_grades(spec: EvaluationSpec) -> bool:
    """Tell whether a grader asks a model; those inside of a `multi` count, too."""
    return '"model":' in json.dumps([dict(raw) for raw in spec.graders])


def _sum(forecasts: Sequence[Forecast], name: str) -> float | None:
    parts = [getattr(forecast, name) for forecast in forecasts]
    return None if None in parts else sum(parts)
