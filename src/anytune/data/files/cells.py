"""What a table's cell stands for, where it is more than text: tables have no lists, so JSON is written into their cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.data.files.strict import Line, brief

if TYPE_CHECKING:
    from anytune.data.files.strict import Parser

__all__ = ["row_of"]

_JSON = frozenset({"conversation", "conversations", "functions", "messages", "non_preferred_output", "preferred_output", "tools"})
"""Columns that are never text: their cells are JSON."""

_MAYBE = frozenset({"chosen", "completion", "input", "prompt", "rejected"})
"""Columns that are text, or a conversation as JSON."""

_SWITCHES = frozenset({"label", "parallel_tool_calls"})
_WORDS = {"true": True, "false": False}


def row_of(number: int, cells: dict[str, Any], parser: Parser) -> Line:
    """Make a row of a table's record.

    Cells stay as they are, but for those of columns that are known to hold more than text: `messages`, `tools`, `conversations` and
    their like are JSON, and left out where they are empty; `prompt`, `completion`, `chosen`, `rejected` and `input` are JSON where they
    hold a conversation; `label` and `parallel_tool_calls` are `true` or `false`.
    """
    row: dict[str, Any] = {}
    for name, cell in cells.items():
        if not isinstance(cell, str):
            row[name] = cell
        elif name in _JSON:
            if not cell.strip():
                continue
            value, wrong = parser.value(cell.encode("utf-8", "surrogatepass"))
            if wrong is not None:
                return Line(number, {}, f"wrong in column {brief(name)}: {wrong.problem}", wrong.code, wrong.fix)
            row[name] = value
        elif name in _MAYBE:
            row[name] = _conversation(cell, parser)
        elif name in _SWITCHES:
            row[name] = _WORDS.get(cell.strip().lower(), cell)
        else:
            row[name] = cell
    return Line(number, row)


def _conversation(cell: str, parser: Parser) -> Any:
    """Give what a cell holds, if it is unmistakably a conversation; the text as it is, otherwise."""
    if not cell.lstrip().startswith(("[", "{")):
        return cell
    value, wrong = parser.value(cell.encode("utf-8", "surrogatepass"))
    if wrong is not None:
        return cell
    if isinstance(value, dict):
        return value if isinstance(value.get("messages"), list) else cell
    is_talk = isinstance(value, list) and value and all(isinstance(turn, dict) and "role" in turn for turn in value)
    return value if is_talk else cell
