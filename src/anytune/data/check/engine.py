"""What is wrong in which row, before anything is sent. Knows the rows, no backend."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from anytune.data.files import lines
from anytune.data.rows import ChatRow, PreferenceRow, PromptRow, kind_of
from anytune.settings import nearest
from anytune.values import Finding, Value

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Checked", "check"]

MAX_FINDINGS = 100
"""Findings that are listed one by one; what lies beyond is counted."""

_WANTED = {"sft": (ChatRow, PromptRow), "dpo": (PreferenceRow,)}
_SHAPES = {
    "sft": '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}',
    "dpo": '{"prompt": …, "chosen": …, "rejected": …}',
}


class Checked(Value):
    """What a file holds: `rows` counts all lines with content, good or not."""

    rows: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Tell whether no finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)


def check(path: Path, method: str) -> Checked:
    """Read a file and find every row that cannot be used for a method.

    Args:
        path: A JSONL file.
        method: `sft` or `dpo`.

    Raises:
        DataError: The file cannot be read.
    """
    findings: list[Finding] = []
    rows = wrong = 0
    kinds: dict[type, int] = {}
    for line in lines(path):
        rows += 1
        finding = _unreadable(line.number, line.problem) if line.problem else _wrong(line.number, line.row, method, kinds)
        if finding is not None:
            wrong += 1
            if len(findings) < MAX_FINDINGS:
                findings.append(finding)
    if wrong > len(findings):
        findings.append(_error("more-errors", f"{wrong - len(findings)} more rows are wrong.", "Correct the first ones, then check again."))
    if rows == 0:
        findings.append(_error("no-rows", f"{path.name} holds no rows.", f"Put one JSON object a line into it, such as {_SHAPES[method]}."))
    if len(kinds) > 1:
        names = " and ".join(f"{kind.__name__} (first in row {row})" for kind, row in kinds.items())
        findings.append(_error("mixed-rows", f"{path.name} mixes {names}.", "Keep one kind of row in a file."))
    return Checked(rows=rows, findings=tuple(findings))


def _wrong(number: int, raw: dict[str, Any], method: str, kinds: dict[type, int]) -> Finding | None:
    wanted = _WANTED[method]
    kind = kind_of(raw)
    if kind is None:
        keys = ", ".join(sorted(raw)) or "none"
        return _error("unknown-row", f"No known kind of row; its keys: {keys}.", f"Rows for {method} look like {_SHAPES[method]}.", number)
    if kind not in wanted:
        names = " or ".join(accepted.__name__ for accepted in wanted)
        return _error(
            "wrong-kind", f"A {kind.__name__}, but {method} learns from {names}.", f"Rows for {method} look like {_SHAPES[method]}.", number
        )
    kinds.setdefault(kind, number)
    try:
        kind.model_validate(raw)
    except ValidationError as error:
        return _from_pydantic(number, error, kind)
    return None


def _from_pydantic(number: int, error: ValidationError, kind: type[ChatRow | PromptRow | PreferenceRow]) -> Finding:
    first = error.errors(include_url=False)[0]
    loc = [part for part in first["loc"] if not (isinstance(part, str) and ("[" in part or part in {"str", "function-after"}))]
    path = ".".join(str(part) for part in loc)
    index = next((part for before, part in pairwise(loc) if before == "messages" and isinstance(part, int)), None)
    text = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        guess = nearest(
            str(loc[-1]), list(kind.model_fields) if len(loc) == 1 else ["role", "content", "name", "tool_calls", "tool_call_id", "weight"]
        )
        fix = f"Did you mean `{guess}`?" if guess else "Remove it."
        return _error("unknown-key", f"Unknown key `{path}`.", fix, number, index)
    return _error(
        "bad-row", f"`{path}`: {text}." if path else f"{text[:1].upper()}{text[1:]}.", "Correct or remove the row.", number, index
    )


def _unreadable(number: int, problem: str) -> Finding:
    return _error("bad-line", f"The line is {problem}.", "Correct or remove the line.", number)


def _error(code: str, message: str, fix: str, row: int | None = None, message_index: int | None = None) -> Finding:
    return Finding(severity="error", code=code, message=message, fix=fix, row=row, message_index=message_index)
