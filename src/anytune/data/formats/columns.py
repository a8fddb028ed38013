"""Two text columns by one of the names that CSV files and data sets use for them: a question and its answer, a prompt and its response.

Columns that say where a row comes from may stand beside them. Any other one may be part of the task (a context, a label), so the row is
then left alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from anytune.data.formats.losses import Loss, named
from anytune.data.formats.table import ASIDE

__all__ = ["fits", "nearly", "read"]

_PROMPTS = ("prompt", "question", "query", "instruction", "input")
_ANSWERS = ("completion", "response", "answer", "output")


class _Columns(NamedTuple):
    prompt: str
    answers: tuple[str, ...]
    system: str | None
    aside: tuple[str, ...]


def fits(row: dict[str, Any]) -> bool:
    """Tell whether a row has exactly one column to ask and one (or a chosen and a rejected one) to answer."""
    return _columns(row) is not None


def read(row: dict[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
    """Read the columns as a prompt with its answer or answers; a system's column makes them messages."""
    found = _columns(row)
    if found is None:
        return row, []
    losses = [Loss(named(key), "the column is left out") for key in found.aside if row[key] not in (None, "", [], {})]
    prompt: object = row[found.prompt]
    sides: dict[str, Any] = {"prompt": prompt}
    names = ("completion",) if len(found.answers) == 1 else ("chosen", "rejected")
    sides |= {name: row[key] for name, key in zip(names, found.answers, strict=True)}
    if found.system is None:
        return sides, losses
    system = [{"role": "system", "content": row[found.system]}] if row[found.system] else []
    messages = {name: [{"role": "assistant", "content": sides[name]}] for name in names}
    return {"prompt": [*system, {"role": "user", "content": prompt}]} | messages, losses


def nearly(row: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Tell which columns would be read, and which others stand in the way; None where that is not what is wrong."""
    known = {*_PROMPTS, *_ANSWERS, "chosen", "rejected", "system", "system_prompt", *ASIDE}
    foreign = tuple(key for key in row if key.strip().lower() not in known)
    found = _columns({key: value for key, value in row.items() if key not in foreign}) if foreign else None
    return None if found is None else ((found.prompt, *found.answers), foreign)


def _columns(row: dict[str, Any]) -> _Columns | None:
    by_name = {key.strip().lower(): key for key in row}
    if len(by_name) != len(row):
        return None
    prompts = [by_name[name] for name in _PROMPTS if name in by_name]
    answers = [by_name[name] for name in _ANSWERS if name in by_name]
    if {"chosen", "rejected"} <= by_name.keys() and not answers:
        answers = [by_name["chosen"], by_name["rejected"]]
    elif len(answers) != 1:
        return None
    if len(prompts) != 1 or not all(isinstance(row[key], str) for key in (*prompts, *answers)):
        return None
    system = by_name.get("system", by_name.get("system_prompt"))
    if system is not None and not isinstance(row[system] or "", str):
        return None
    rest = [key for key in row if key not in {*prompts, *answers, system}]
    if any(key.strip().lower() not in ASIDE for key in rest):
        return None
    return _Columns(prompts[0], tuple(answers), system, tuple(rest))
