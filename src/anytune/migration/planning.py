"""What will be trained: the target's spec, its rate, what is lost, what it takes. Everything is known before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.data.split import split
from anytune.errors import ConfigError, DataError
from anytune.job import FineTuneJob
from anytune.migration.fitting import fitted
from anytune.migration.rates import FACTORS, rate_for
from anytune.migration.values import Loss, Plan
from anytune.settings import nearest
from anytune.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from anytune.backend import Backend
    from anytune.migration.values import Origin, Rate
    from anytune.preflight import Preflight
    from anytune.runtime import Runtime

__all__ = ["LOSSY", "accepting", "planned"]

LOSSY = ("dropped-feature", "lossy-read")
"""What preflight calls that a conversion leaves out something that is learned."""

_DEV_ROWS = 60
_DEV_SHARE = 0.2
_MIDDLE = 1.0


def planned(
    origin: Origin,
    *,
    name: str,
    to: str,
    model: str,
    folder: Path,
    adapter: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    sweep: bool | None = None,
    context: Runtime,
) -> Plan:
    """Plan a move; nothing is made but files in the migration's own folder.

    Args:
        origin: What is moved, its files at hand.
        name: What the jobs are called.
        to: The backend or profile that trains.
        model: What is tuned there.
        folder: Of the migration.
        adapter: Which weights are trained, as a spec has it.
        settings: Settings of the method that go before what was found.
        sweep: Try three rates; None does so where training costs nothing.
        context: Ledger, retries and clock.

    Raises:
        Unsupported: The target does not offer the method.
        DataError, ConfigError: What preflight found; nothing was made.
    """
    target = context.backend(to)
    found = fitted(origin, target, model, adapter)
    method = found.method | dict(settings or {})
    rate, setting, tries = _tries(method, target, model, found.adapter, sweep=sweep)
    train, dev, dev_rows = _development(origin, target, folder, wanted=bool(tries))
    if setting and len(tries) <= 1:
        method |= {setting: tries[0]} if tries else {}
        setting, tries = "", ()
    parts: dict[str, Any] = {"method": method, "adapter": found.adapter, "name": name}
    spec = TrainingSpec(backend=to, model=model, train=train, validation=dev, **parts)
    seen = _checked(spec, context)
    said = tuple(each for each in (*seen.findings, *seen.losses) if each.severity != "info")
    return Plan(
        name=name,
        origin=origin,
        to=to,
        model=model,
        spec=spec.model_dump(mode="json", exclude_unset=True) | {"method": method},
        setting=setting,
        tries=tries,
        rate=rate,
        losses=(*found.losses, *_of_rows(seen)),
        quote=seen.quote,
        findings=said,
        dev_rows=dev_rows,
    )


def accepting(plan: Plan, *, every: bool, codes: Iterable[str]) -> Plan:
    """Give the plan with the losses that were accepted.

    Raises:
        ConfigError: A code is none of the plan's; or losses are left that nobody accepted.
    """
    named, there = set(codes), sorted({loss.code for loss in plan.losses})
    for code in sorted(named - set(there)):
        guess = nearest(code, there)
        fix = f"Did you mean `{guess}`?" if guess else f"It loses: {', '.join(there) or 'nothing'}."
        raise ConfigError(f"This move loses nothing that is called `{code}`.", fix=fix)
    plan = plan.model_copy(update={"accepted": tuple(there if every else sorted(named))})
    if plan.refused:
        first, count = plan.refused[0], len({loss.code for loss in plan.refused})
        fix = f"Accept them by name ({', '.join(f'`{code}`' for code in sorted({loss.code for loss in plan.refused}))}), or all of them."
        raise ConfigError(f"The move loses {first.what}: {first.why}. {count} kinds of losses are not accepted. Nothing was made.", fix=fix)
    return plan


def _tries(
    method: dict[str, Any], target: Backend, model: str, adapter: Mapping[str, Any] | None, *, sweep: bool | None
) -> tuple[Rate | None, str, tuple[float, ...]]:
    """Give the rate, the setting that says it, and the values to try; one value where no other is tried."""
    able = target.capabilities
    wanted = able.local if sweep is None else sweep
    if "learning_rate" in able.settings:
        given, rate = method.get("learning_rate"), None
        if given is None:
            rate = rate_for(model, method["type"], full=adapter is not None and adapter["type"] == "full")
            given = rate.value if rate is not None else None
        if given is None:
            return None, "", ()
        return rate, "learning_rate", tuple(_rounded(given * factor) for factor in (FACTORS if wanted else (_MIDDLE,)))
    if wanted and "learning_rate_multiplier" in able.settings:
        given = method.get("learning_rate_multiplier")
        middle = given if isinstance(given, (int, float)) else _MIDDLE
        return None, "learning_rate_multiplier", tuple(_rounded(middle * factor) for factor in FACTORS)
    if sweep:
        raise ConfigError(
            f"{target.name} takes neither a learning rate nor a multiplier: there is nothing to try.", fix="Leave the sweep out."
        )
    return None, "", ()


def _development(origin: Origin, target: Backend, folder: Path, *, wanted: bool) -> tuple[Path, Path | None, int]:
    """Give the rows to train on and those to choose by: the job's own validation rows, else some of its training rows."""
    train = origin.files["train"].path
    if "validation" in origin.files:
        dev = origin.files["validation"].path
        return train, dev, _rows(dev)
    rows = _rows(train)
    count = min(_DEV_ROWS, int(rows * _DEV_SHARE))
    if not wanted or count < 1 or rows - count < target.capabilities.min_rows:
        return train, None, 0
    out = folder / "split"
    if not (out / "split.json").exists():
        out.mkdir(mode=0o700, exist_ok=True)
        split(train, out, validation=count, force=True)
    return out / "train.jsonl", out / "validation.jsonl", _rows(out / "validation.jsonl")


def _checked(spec: TrainingSpec, context: Runtime) -> Preflight:
    """Run preflight as the jobs will: rows that lose something are told as a loss, everything else that is wrong stops here."""
    seen = FineTuneJob.preflight(spec, context=context)
    if seen.ok:
        return seen
    seen = FineTuneJob.preflight(spec, allow=LOSSY, context=context)
    seen.raise_if_bad()
    return seen


def _of_rows(seen: Preflight) -> Sequence[Loss]:
    return [
        Loss(code="rows", what=found.message, why="the new place has no word for it in its rows", instead=found.fix or "it is left out")
        for found in seen.findings
        if found.code in LOSSY
    ]


def _rows(path: Path) -> int:
    from anytune.data.formats import read  # noqa: PLC0415 - as `anytune.data.split` does

    count = 0
    for line in read(path):
        if line.problem:
            raise DataError(f"Row {line.number} of {path.name} is {line.problem}.", fix=line.fix or "Correct it.")
        count += 1
    return count


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
