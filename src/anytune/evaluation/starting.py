"""A spec to begin with: all arms that the lesson asks for, graders that suit the rows, and a rule. A person reads it before it is run."""

from __future__ import annotations

import json
import os.path
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune.evaluation.cases import read_cases
from anytune.evaluation.spec import Dev, EvaluationSpec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anytune.evaluation.values import Case
    from anytune.runtime import Runtime

__all__ = ["graders", "of_job", "of_model", "written"]

_PROMPT = "Answer with the result alone: no explanation, no greeting, no Markdown. Keep to the form that is asked for."
_SHOTS = [3, 5, 8]
_SHORT = 80
"""Characters up to which an answer is compared as a whole."""
_LOOKED_AT = 200
"""Rows that the graders are chosen by."""

_SHARE = 4
"""Of few training rows one in so many is for choices: the others stay examples."""

_HEAD = """\
# What is asked of whom, and what has to be shown. docs/reference/evaluation.md lists every key.
# Read it before it is run: the prompt is a first guess, and the grader decides what "right" means.
"""


def of_job(job: str, *, data: Path, train: Path, context: Runtime | None = None) -> EvaluationSpec:
    """Make a spec that holds a job's tuned model against its own base, untuned, in all the ways there are.

    Args:
        job: Its name or id.
        data: Held-out rows.
        train: Training rows: examples and documents come from them.
        context: Ledger, retries and clock; the process's own by default.

    Raises:
        NotFound: There is no such job.
        ConfigError: Nobody knows what was tuned.
        DataError: The rows cannot be asked.
    """
    from anytune.job import FineTuneJob  # noqa: PLC0415 - the ledger is only needed here

    row = FineTuneJob.get(job, context=context).row
    if not row.model:
        raise ConfigError(
            f"The ledger does not know what {job} tuned.", fix="Write the spec by hand: `models.base` takes `backend` and `model`."
        )
    models: dict[str, Any] = {"base": {"backend": row.profile or row.backend, "model": row.model}, "tuned": {"job": job}}
    arms = _untuned() | {"tuned": {"type": "zero_shot", "model": "tuned"}, "again": {"type": "again", "of": "tuned"}}
    rule = {"kind": "superiority", "candidate": "tuned", "baseline": "best"}
    return _made(f"{row.name}-evaluation", data, train, models, arms, rule)


def of_model(backend: str, model: str, *, data: Path, train: Path, name: str = "advice") -> EvaluationSpec:
    """Make a spec of the untuned arms alone; what is "promoted" is the row's own messages over each other way of asking."""
    arms = _untuned() | {"again": {"type": "again", "of": "base"}}
    rule = {"kind": "superiority", "candidate": "base", "baseline": "all"}
    return _made(name, data, train, {"base": {"backend": backend, "model": model}}, arms, rule)


def written(spec: EvaluationSpec, path: Path) -> None:
    """Write a spec as YAML, for a person to read and change.

    Raises:
        ConfigError: The file is there already, or cannot be written.
    """
    import yaml  # noqa: PLC0415 - only what goes to files needs it

    plain = spec.model_dump(mode="json", exclude_unset=True)
    for key in plain.keys() & {"data", "train"}:
        if not plain[key].startswith("hf:"):
            plain[key] = os.path.relpath(plain[key], path.parent)  # a spec's paths are relative to its folder
    text = _HEAD + "".join("\n" + yaml.safe_dump({key: plain[key]}, sort_keys=False, allow_unicode=True, width=120) for key in plain)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already.", fix="Give another name; nothing was written.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", fix="Name a file in a folder that you may write to.") from error


def graders(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Choose graders by what the right answers look like: calls, JSON, numbers, short texts, long texts.

    Example:
        >>> from anytune.evaluation.values import Case
        >>> graders([Case(id="a", row=1, messages=(), reference='{"city": "Rome"}')])
        [{'type': 'json_exact'}, {'type': 'json_fields'}]
    """
    seen = cases[:_LOOKED_AT]
    right = [case.reference.strip() for case in seen if case.reference is not None]
    if any(case.tool_calls for case in seen):
        return [{"type": "tool_calls"}]
    if not right:
        raise ConfigError("No held-out row has a right answer.", fix="Write the spec by hand, with a judge: docs/how-to/write-a-grader.md.")
    if all(_is_json(text) for text in right):
        return [{"type": "json_exact"}, {"type": "json_fields"}]
    if all(_is_number(text) for text in right):
        return [{"type": "numeric"}, {"type": "exact"}]
    if max(map(len, right)) <= _SHORT:
        return [{"type": "normalized"}, {"type": "exact"}]
    return [{"type": "chrf"}, {"type": "normalized"}]


def _untuned() -> dict[str, Any]:
    return {
        "base": {"type": "zero_shot", "model": "base"},
        "prompt": {"type": "prompt", "model": "base", "system": _PROMPT},
        "few_shot": {"type": "few_shot", "model": "base", "k": _SHOTS},
        "retrieval": {"type": "retrieval", "model": "base", "k": _SHOTS},
        "nearest": {"type": "nearest"},
    }


def _made(name: str, data: Path, train: Path, models: dict[str, Any], arms: dict[str, Any], rule: dict[str, Any]) -> EvaluationSpec:
    settings: dict[str, Any] = {"data": data, "train": train, "models": models, "arms": arms, "rule": rule}
    spare = len(read_cases(train)) // _SHARE
    if spare < Dev().rows:
        settings["dev"] = {"rows": max(1, spare)}
    return EvaluationSpec(name=name[:64], graders=tuple(graders(read_cases(data))), **settings)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (dict, list))
    except (ValueError, RecursionError):
        return False


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True
