"""From the host's records to anytune's values: jobs, events, checkpoints. What a record lacks stays unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from anytune import catalog
from anytune.backend import RemoteJob
from anytune.values import Checkpoint, DataStats, Event, ModelRef, Recipe, Snapshot, Status, now
from anytune_openai.dialect import status_of
from anytune_openai.errors import hint
from anytune_openai.orders import LEDGER, NAME, REF, SPEC
from anytune_openai.replies import cleaned, moment
from anytune_openai.results import measured
from anytune_openai.settings import HYPERPARAMETERS, METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune_openai.dialect import Dialect

__all__ = ["checkpoint", "event", "job", "method_of", "recipe", "snapshot"]

_LEVELS: Mapping[str, Literal["info", "warning", "error"]] = {"info": "info", "warn": "warning", "warning": "warning", "error": "error"}
_AUTO = -1
"""How Azure writes `auto` (as recorded, read 2026-11-22)."""
_UNSAID = (None, "auto", _AUTO)
_SUFFIXES = ("user_provided_suffix", "suffix")
"""Where hosts repeat the word that goes into the model's name: OpenAI as recorded, Azure by Microsoft's description."""
_ASIDE = ("integrations", "trainingType")
"""What a job has beside its method, for which a spec has no word."""


def snapshot(raw: Mapping[str, Any], dialect: Dialect, *, catalogued: str | None = None) -> Snapshot:
    """Give one observation of a job.

    Args:
        raw: The job's record.
        dialect: The host's words.
        catalogued: Under which name the catalogue knows the host's prices; None: no cost is told.
    """
    status = status_of(raw.get("status"), dialect)
    model = raw.get("fine_tuned_model")
    done = status is Status.SUCCEEDED and isinstance(model, str) and bool(model)
    trained = raw.get("trained_tokens")
    ends = moment(raw.get("estimated_finish"))
    tokens = trained if isinstance(trained, int) and trained >= 0 else None
    return Snapshot(
        id=str(raw["id"]),
        status=status,
        eta_s=max((ends - now()).total_seconds(), 0.0) if ends is not None and not status.terminal else None,
        trained_tokens=tokens,
        cost_usd=_cost(raw, tokens, catalogued),
        error=_error(raw, status, dialect),
        model=ModelRef(id=str(model), base_model=_text(raw.get("model"))) if done else None,
        resolved=_resolved(raw),
        raw=cleaned(dict(raw)),
    )


def job(raw: Mapping[str, Any], dialect: Dialect, *, ref: str | None = None) -> RemoteJob:
    """Give a job that exists; `ref` where it was known by something else than its metadata."""
    tags = raw.get("metadata")
    tags = tags if isinstance(tags, dict) else {}
    return RemoteJob(
        id=str(raw["id"]),
        ref=_text(tags.get(REF)) or ref,
        ledger=_text(tags.get(LEDGER)),
        name=_text(tags.get(NAME)),
        spec_hash=_text(tags.get(SPEC)),
        status=status_of(raw.get("status"), dialect),
        created_at=moment(raw.get("created_at")),
        base_model=_text(raw.get("model")),
        resolved=_resolved(raw),
        raw=cleaned(dict(raw)),
    )


def event(raw: Mapping[str, Any]) -> Event:
    """Give an event; its numbers keep the host's names."""
    data = raw.get("data")
    return Event(
        id=str(raw["id"]),
        at=moment(raw.get("created_at")) or now(),
        message=str(raw.get("message") or ""),
        level=_LEVELS.get(str(raw.get("level")), "info"),
        data=cleaned(data) if isinstance(data, dict) else {},
    )


def checkpoint(raw: Mapping[str, Any]) -> Checkpoint | None:
    """Give a checkpoint that can be asked and tuned further; None for a record without a model."""
    model, step = raw.get("fine_tuned_model_checkpoint"), raw.get("step_number")
    if not isinstance(model, str) or not model:
        return None
    return Checkpoint(
        id=str(raw["id"]),
        step=step if isinstance(step, int) else 0,
        model=model,
        metrics=measured(raw.get("metrics")),
        created_at=moment(raw.get("created_at")),
    )


def recipe(raw: Mapping[str, Any], dialect: Dialect) -> Recipe:
    """Give what a job was made of. A number that the host chose stands in the place of `auto`, wherever the record has it."""
    seen, ours, inside = snapshot(raw, dialect), method_of(raw), _inside(raw)
    plain = raw.get("hyperparameters")
    told = _chosen(raw) | {name: value for name, value in (plain if isinstance(plain, dict) else {}).items() if value not in _UNSAID}
    method = {"type": ours} | {name: told[theirs] for name, theirs in HYPERPARAMETERS[ours].items() if told.get(theirs) not in _UNSAID}
    words = {*HYPERPARAMETERS[ours].values()}
    others = {name: value for name, value in told.items() if name not in words and value not in _UNSAID}
    others |= {name: raw[name] for name in _ASIDE if raw.get(name)}
    if isinstance(raw.get("seed"), int):
        method["seed"] = raw["seed"]
    if isinstance(inside.get("grader"), dict):
        method["grader"] = inside["grader"]
    ids = {"train": raw.get("training_file"), "validation": raw.get("validation_file")}
    return Recipe(
        id=str(raw["id"]),
        status=seen.status,
        model=_text(raw.get("model")) or "",
        method=method,
        files={role: held for role, held in ids.items() if isinstance(held, str) and held},
        name=next((word for key in _SUFFIXES if (word := _text(raw.get(key)))), ""),
        tuned=seen.model.id if seen.model else None,
        others=others,
    )


def method_of(raw: Mapping[str, Any]) -> str:
    """Name the method of a job in anytune's words; a job that does not say is a supervised one."""
    word = (raw.get("method") or {}).get("type")
    return next((ours for ours, theirs in METHODS.items() if theirs == word), "sft")


def _cost(raw: Mapping[str, Any], tokens: int | None, catalogued: str | None) -> float | None:
    """Price the tokens that the job says were trained, which count every epoch already: they are what is billed."""
    model = raw.get("model")
    if tokens is None or catalogued is None or not isinstance(model, str):
        return None
    quote = catalog.quote(catalogued, model, method_of(raw), DataStats(rows=1, tokens=tokens), epochs=1)
    return quote.cost_usd if quote else None


def _error(raw: Mapping[str, Any], status: Status, dialect: Dialect) -> str:
    """Say why a job failed. Jobs that are well carry an error object too, with nothing but nulls in it (recorded 2024)."""
    said = raw.get("error")
    if status is not Status.FAILED:
        return ""
    if not isinstance(said, dict) or not (said.get("code") or said.get("message")):
        return f"{dialect.host} gave no reason; its events may say more."
    words = ": ".join(str(part) for part in (said.get("code"), said.get("message")) if part)
    return str(cleaned(f"{words} {hint(said.get('code'), said.get('message'), dialect)}".strip()))


def _resolved(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the host chose, by anytune's names."""
    chosen = _chosen(raw)
    found = {name: chosen[theirs] for name, theirs in HYPERPARAMETERS[method_of(raw)].items() if chosen.get(theirs) is not None}
    found = {name: "auto" if value == _AUTO else value for name, value in found.items()}
    return found | ({"seed": raw["seed"]} if isinstance(raw.get("seed"), int) else {})


def _inside(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a job's method holds: its hyperparameters, and a grader where it has one."""
    given = raw.get("method")
    inside = given.get(METHODS[method_of(raw)]) if isinstance(given, dict) else None
    return inside if isinstance(inside, dict) else {}


def _chosen(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Give the hyperparameters in the host's words: those of the method, else those of the job itself, which older hosts have alone."""
    chosen = _inside(raw).get("hyperparameters") or raw.get("hyperparameters") or {}
    return chosen if isinstance(chosen, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
