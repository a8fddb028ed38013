"""Held-out rows as cases: what is asked, what is right, which rows belong together."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from anytune.data.fields import ANSWER, label
from anytune.data.files import lines, resolve
from anytune.data.formats import read
from anytune.data.formats.reading import OWN
from anytune.data.rows import split_input
from anytune.errors import ConfigError, DataError
from anytune.evaluation.values import Case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["answer_of", "case_of", "drawn", "question_key", "read_cases", "row_key"]

_SHOWN = 5


def read_cases(path: Path, *, group_by: str | None = None, rows: int | None = None, seed: int = 0) -> list[Case]:
    """Read a file of held-out rows; rows that are equal are asked once.

    Args:
        path: A data file of any format that is read, or `hf:owner/name`.
        group_by: Path of a value whose rows are not independent.
        rows: At most so many, drawn by hash; None for all.
        seed: Another seed draws others.

    Raises:
        ConfigError: A row has no group.
        DataError: A row is bad, or is of a kind that asks nothing; or there is no row.
    """
    found: dict[str, Case] = {}
    bad: list[str] = []
    for number, row, raw in _rows(path, group_by, bad):
        case = case_of(row, number, group=_group(raw, number, group_by))
        if case is None:
            bad.append(f"{number} asks nothing that has one right answer")
        else:
            found.setdefault(case.id, case)
    if bad:
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise DataError(
            f"{path.name} cannot be asked: row {'; row '.join(bad[:_SHOWN])}{more}.",
            fix="Give chat rows, or prompts with completions: `anytune data check` says what each row is.",
        )
    if not found:
        raise DataError(f"{path.name} has no rows.", fix="Give held-out rows.")
    return drawn(found.values(), rows, seed)


def drawn(cases: Iterable[Case], rows: int | None, seed: int) -> list[Case]:
    """Draw at most so many cases by the hash of seed and id, and give them in the file's order."""
    every = list(cases)
    if rows is None or rows >= len(every):
        return every
    chosen = sorted(every, key=lambda case: hashlib.sha256(f"{seed}:{case.id}".encode()).digest())[:rows]
    return sorted(chosen, key=lambda case: case.row)


def case_of(row: dict[str, Any], number: int, *, group: str = "") -> Case | None:
    """Make a case of a row; None where the row is of a kind that cannot be asked (preferences, labels, plain text)."""
    asked = row.get("messages", row.get("prompt"))
    if asked is None or "label" in row or "chosen" in row:
        return None
    messages, answer = _parts(row, asked)
    if not messages:
        return None
    text, calls = answer_of(answer)
    own = {key: value for key, value in row.items() if key not in {"tools", "parallel_tool_calls"}}
    return Case(
        id=row_key(row),
        row=number,
        messages=tuple(messages),
        reference=text,
        tool_calls=tuple(calls),
        tools=tuple(row["tools"]) if row.get("tools") else None,
        item={"messages": messages, "reference": text, "answer": text} | own,
        group=group,
    )


def row_key(row: dict[str, Any]) -> str:
    """Give the first 16 hex digits of the sha256 of what a row asks and answers."""
    return _digest(split_input(row))


def question_key(case: Case) -> str:
    """Give the same for what is asked alone, without system messages: rows that ask the same have the same key."""
    return _digest([message for message in case.messages if message.get("role") not in {"system", "developer"}])


def answer_of(answer: Any) -> tuple[str | None, Sequence[dict[str, Any]]]:
    """Give the text and the tool calls that a row teaches."""
    if isinstance(answer, str) or answer is None:
        return answer, ()
    if isinstance(answer, list):  # a completion in turns: the last one is the answer
        return answer_of(answer[-1]) if answer else (None, ())
    content, calls = answer.get("content"), answer.get("tool_calls") or ()
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return (content or "" if not calls else content), calls


def _parts(row: dict[str, Any], asked: Any) -> tuple[list[dict[str, Any]], Any]:
    if isinstance(asked, str):
        return [{"role": "user", "content": asked}], row.get("completion")
    turns = [{key: value for key, value in turn.items() if value is not None and key != "weight"} for turn in asked]
    if "messages" not in row:
        return turns, row.get("completion")
    if turns and turns[-1].get("role") == "assistant":
        return turns[:-1], turns[-1]
    return turns, row.get("reference") if isinstance(row.get("reference"), str) else None


def _group(raw: dict[str, Any], number: int, group_by: str | None) -> str:
    group = "" if group_by is None else label(raw, group_by)
    if group is None:
        raise ConfigError(f"Row {number} has no value at {group_by!r}.", fix="Correct `group_by`, or the row.")
    return group


def _rows(path: Path, group_by: str | None, bad: list[str]) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Give each row's number, the row as anytune's own, and as the file has it."""
    path = resolve(path)
    top = {group_by.partition(".")[0]} - {ANSWER} if group_by else set()
    reading = read(path, top)
    pairs = zip(lines(path), reading, strict=True) if top and reading.format not in OWN else ((line, line) for line in reading)
    for line, converted in pairs:
        if problem := line.problem or converted.problem:
            bad.append(f"{line.number} is {problem}")
        else:
            yield line.number, converted.row, line.row


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
