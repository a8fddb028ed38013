"""A migration from its first step to its last. Each step is kept: the same call again goes on where the last one ended."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from anytune.errors import BudgetExceeded, ConfigError, DataError
from anytune.evaluation.goldens import read
from anytune.job import FineTuneJob
from anytune.migration.criteria import judges
from anytune.migration.holding import compared, comparison, overlap
from anytune.migration.planning import accepting, planned
from anytune.migration.report import markdown
from anytune.migration.sources import brought, name_for, opened
from anytune.migration.sweeping import Judging, best, scored, trained
from anytune.migration.values import Migration, Plan, Switch
from anytune.paths import home
from anytune.runtime import runtime
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from anytune.runtime import Runtime

__all__ = ["RECORD", "folder_of", "migrate"]

RECORD = "migration.json"
_REPORT = "migration.md"
_EXACT = ({"type": "exact"},)


def folder_of(name: str) -> Path:
    """Give the folder in which a migration of this name is kept."""
    return home() / "migrations" / name


def migrate(
    source: str, *, to: str, model: str, name: str | None = None, train: Path | str | None = None,
    validation: Path | str | None = None, method: Mapping[str, Any] | None = None, adapter: str | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None, sweep: bool | None = None, accept_losses: bool = False, accept: Iterable[str] = (),
    data: Path | str | None = None, captured: Path | str | None = None, graders: Sequence[Mapping[str, Any]] = _EXACT,
    margin: float = 0.03, params: Mapping[str, Any] | None = None, max_usd: float | None = None, poll_s: float | None = None,
    on_plan: Callable[[Plan], bool] | None = None, on_step: Callable[[str], object] = lambda _: None,
    context: Runtime | None = None,
) -> Migration:  # fmt: skip
    """Move a tuned model to another backend: fetch what it was made of, train it there, compare old and new.

    Call it again with the same arguments and it goes on: files are fetched once, jobs are found by their names, answers are kept.

    Args:
        source: `openai:ftjob-…`, `azure:ftjob-…` (or a profile's word), a job of the ledger, or `files:train.jsonl[,valid.jsonl]`.
        to: The backend or profile that trains.
        model: What is tuned there.
        name: What the migration and its jobs are called; made of the source and `to` by default.
        train: Training rows, instead of those that the host has, or has no more.
        validation: Validation rows, in the same way.
        method: For `files:…`: the method with its hyperparameters, as a spec has it; OpenAI's names are taken too.
        adapter: `lora`, `qlora` or `full`, or one with its settings.
        settings: Settings of the method that go before what the old job says.
        sweep: Try three rates, and choose on rows that none of the runs trains on. None does so where training is on a machine of yours.
        accept_losses: Accept everything that is lost.
        accept: Accept what is lost, by codes.
        data: Held-out rows: old and new are compared on them.
        captured: Answers of the old model that `capture` kept, instead of asking it now.
        graders: How answers are scored, as an evaluation's spec has it; the first decides.
        margin: How much worse than the old model still counts as no worse.
        params: What is sent with each question; those of the captured answers by default.
        max_usd: Nothing is trained where the quote is higher; asking is held to what is left of it.
        poll_s: Seconds between two looks at a job.
        on_plan: Told the plan before anything is made; where it gives nothing true, nothing is.
        on_step: Called with a sentence at each step.
        context: Ledger, retries and clock; the process's own by default.

    Raises:
        ConfigError: Losses were not accepted, or the name is another migration's. Nothing was made.
        AnytuneError: `NotFound`: no such job or file any more; `Unsupported`: not by this method there; `BudgetExceeded`; `JobFailed`.
    """
    context = context or runtime()
    origin = opened(source, method, context)
    called = name or name_for(origin, to)
    wish = {
        "source": source, "to": to, "model": model, "adapter": adapter if isinstance(adapter, str) else dict(adapter or {}) or None,
        "settings": dict(settings or {}), "sweep": sweep,
    }  # fmt: skip
    with _kept(folder_of(called)) as folder:
        before = _before(folder, wish, context)
        if before is not None:
            origin = origin.model_copy(update={"files": before.plan.origin.files})
        given = {role: Path(path) for role, path in (("train", train), ("validation", validation)) if path is not None}
        origin = brought(origin, folder, given, context, on_file=on_step)
        chosen_adapter = {"type": adapter} if isinstance(adapter, str) else adapter
        plan = planned(
            origin, name=called, to=to, model=model, folder=folder, adapter=chosen_adapter, settings=settings, sweep=sweep, context=context
        )  # fmt: skip
        steps = _Steps(folder, context, on_step, _Holding(graders, data, captured, margin, params, max_usd), poll_s)
        return steps.all(plan, wish, before, every=accept_losses, codes=accept, on_plan=on_plan)


class _Holding(NamedTuple):
    """How old and new are held against each other."""

    graders: Sequence[Mapping[str, Any]]
    data: Path | str | None
    captured: Path | str | None
    margin: float
    params: Mapping[str, Any] | None
    max_usd: float | None


class _Steps:
    """The steps of one migration, each written down when it is done."""

    def __init__(self, folder: Path, context: Runtime, on_step: Callable[[str], object], holding: _Holding, poll_s: float | None) -> None:
        self.folder, self.context, self.on_step, self.holding, self.poll_s = folder, context, on_step, holding, poll_s

    def all(
        self,
        plan: Plan,
        wish: dict[str, Any],
        before: Migration | None,
        *,
        every: bool,
        codes: Iterable[str],
        on_plan: Callable[[Plan], bool] | None,
    ) -> Migration:
        """Go from a plan to the line that changes in the app."""
        known = before.plan.accepted if before is not None else ()
        if on_plan is not None and not on_plan(plan):
            return self._written(Migration(name=plan.name, folder=str(self.folder), wish=wish, began=now(), plan=plan))
        plan = accepting(plan, every=every, codes={*codes, *(set(known) & {loss.code for loss in plan.losses})})
        self._within(plan)
        self._ready()
        done = Migration(name=plan.name, folder=str(self.folder), wish=wish, began=before.began if before else now(), plan=plan)
        self._written(done)
        done = self._written(self._trained(done))
        done = self._written(self._compared(done))
        return self._written(done.model_copy(update={"state": "done", "ended": now(), "switch": self._switch(done)}))

    def _within(self, plan: Plan) -> None:
        limit = self.holding.max_usd
        if limit is None or (plan.usd is not None and plan.usd <= limit):
            return
        if plan.usd is None:
            able = self.context.backend(plan.to).capabilities
            if able.local or able.scripted:
                return
            raise BudgetExceeded(f"What {plan.runs} runs cost is not known: {plan.quote.basis}.", fix="Leave `max_usd` out.")
        fix = "Raise it, or leave the sweep out."
        raise BudgetExceeded(f"{plan.runs} runs cost about ${plan.usd:.2f}, and `max_usd` is ${limit:.2f}. Nothing was made.", fix=fix)

    def _ready(self) -> None:
        """Find what would end the comparison before anything is trained for it."""
        holding = self.holding
        if holding.captured is None:
            return
        if holding.data is None:
            raise ConfigError("Captured answers need the rows that were asked.", fix="Give them: `--data FILE` (`data=…`).")
        read(Path(holding.captured))

    def _trained(self, done: Migration) -> Migration:
        plan = done.plan
        jobs = trained(plan, self.context, poll_s=self.poll_s, on_step=self.on_step)
        graders = [dict(grader) for grader in self.holding.graders]
        params = dict(self.holding.params or {"temperature": 0.0, "max_tokens": 512})
        judging = Judging(graders, self._models(plan), params, self.folder / "development")
        candidates = scored(plan, jobs, judging, self.context, on_step=self.on_step)
        winner, why = best(plan, candidates)
        self.on_step(f"The new model is that of {winner.name}: {why}.")
        return done.model_copy(update={"state": "trained", "candidates": candidates, "chosen": winner.job, "why": why})

    def _compared(self, done: Migration) -> Migration:
        holding, plan = self.holding, done.plan
        if holding.data is None:
            note = "Old and new were not compared: no held-out rows were given (`--data`)."
            return done.model_copy(update={"notes": (note,)})
        captured = Path(holding.captured) if holding.captured is not None else None
        if captured is None and plan.origin.tuned is None:
            note = "Old and new were not compared: there is no old model to ask, and no captured answers were given (`--captured`)."
            return done.model_copy(update={"notes": (note,)})
        graders = [dict(grader) for grader in holding.graders]
        spec = comparison(
            plan, done.chosen, Path(holding.data), captured=captured, graders=graders, models=self._models(plan), margin=holding.margin,
            params=holding.params, max_usd=self._left(plan),
        )  # fmt: skip
        self.on_step("Comparing the old model and the new one on the held-out rows.")
        folder = self.folder / "evaluation"
        found = compared(spec, folder, self.context)
        notes = tuple(self._notes(plan, captured))
        update = {"state": "compared", "evaluation": str(folder), "outcome": found.decision.outcome, "reasons": found.decision.reasons}
        return done.model_copy(update=update | {"notes": notes})

    def _notes(self, plan: Plan, captured: Path | None) -> Iterator[str]:
        data = self.holding.data
        try:
            same, every = overlap(Path(str(data)), plan.origin.files["train"].path)
        except DataError:  # the training rows ask nothing: preferences, plain text
            same, every = 0, 0
        if same:
            yield f"{same} of {every} held-out questions stand in the training rows too: both models have learned them by heart."
        agreed = read(captured).agreement if captured is not None else None
        if agreed is not None:
            yield f"The old model gave the same answer to the same question {agreed:.0%} of the times; no new one can do better."

    def _models(self, plan: Plan) -> dict[str, Any]:
        """Give the models that graders ask, at the old host: their names are its."""
        word = plan.origin.profile or plan.origin.backend or plan.to
        return {name: {"backend": word, "model": name} for name in judges([dict(each) for each in self.holding.graders])}

    def _left(self, plan: Plan) -> float | None:
        return None if self.holding.max_usd is None else max(self.holding.max_usd - (plan.usd or 0.0), 0.01)

    def _switch(self, done: Migration) -> Switch:
        """Say what changes in the app: a name where the host answers by itself, a name and an address where one has to be begun."""
        job = FineTuneJob.get(done.chosen, context=self.context)
        new, before = job.result(), done.plan.origin.tuned or ""
        if "deploy" not in job.backend.capabilities.abilities:
            address = self.context.retry.read(lambda: job.backend.address(new.ref), backend=job.backend)
            return Switch(before=before, line=f'OpenAI(base_url="{address.base_url}")  # model="{address.model}"')
        line = 'OpenAI(base_url="…")  # model="…": as the command prints them'
        return Switch(before=before, line=line, command=f"anytune deploy {job.name} --ttl 8h")

    def _written(self, done: Migration) -> Migration:
        _write(self.folder / RECORD, done.model_dump_json(indent=1))
        _write(self.folder / _REPORT, markdown(done))
        return done


@contextmanager
def _kept(folder: Path) -> Iterator[Path]:
    """Give the folder, for its owner alone and for one process at a time."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only for what is written

    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        fix = "Wait for it, or give another `name`."
        raise ConfigError(f"Another process works on the migration {folder.name}.", fix=fix) from None
    try:
        yield folder
    finally:
        lock.release()


def _before(folder: Path, wish: dict[str, Any], context: Runtime) -> Migration | None:
    """Give what an earlier call left.

    Raises:
        ConfigError: That was another migration; or its record cannot be read.
    """
    path = folder / RECORD
    try:
        found = Migration.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ConfigError(f"{path} is no record of a migration.", fix="Move the folder away, or give another `name`.") from error
    differing = sorted(key for key in wish if found.wish.get(key) != wish[key])
    if not differing:
        return found
    if found.state == "planned" and not FineTuneJob.list(name=found.name, context=context):
        path.unlink()  # nothing came of that plan
        return None
    was = ", ".join(f"{key}: {found.wish.get(key)!r}" for key in differing)
    raise ConfigError(f"The migration {found.name!r} was begun with {was}.", fix="Say the same again, or give this one another `name`.")


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
