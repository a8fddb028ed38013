"""Which rows a place learns from, and what its dialect makes of them: one small row of each kind, written as before an upload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.data.formats import to
from anytune.data.rows import kind_of, wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.backend import Capabilities

__all__ = ["ROWS", "taken"]

_ASK = {"role": "user", "content": "Name a river."}
_ANSWER = {"role": "assistant", "content": "The Elbe."}
_LOOK = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
_TOOLS = [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}}]
_CALLS = [
    _ASK,
    {"role": "assistant", "content": None, "tool_calls": [_LOOK]},
    {"role": "tool", "tool_call_id": "call_1", "content": "Elbe"},
]

ROWS: Mapping[str, dict[str, Any]] = {
    "chat": {"messages": [_ASK, _ANSWER]},
    "chat, some answers not learned (`weight: 0`)": {"messages": [_ASK, _ANSWER | {"weight": 0}, _ASK, _ANSWER]},
    "chat with tools": {"messages": [*_CALLS, _ANSWER], "tools": _TOOLS},
    "prompt and completion": {"prompt": "Name a river.", "completion": "The Elbe."},
    "preference": {"prompt": [_ASK], "chosen": [_ANSWER], "rejected": [{"role": "assistant", "content": "No."}]},
    "preference with tools": {
        "prompt": _CALLS,
        "chosen": [_ANSWER],
        "rejected": [{"role": "assistant", "content": "No."}],
        "tools": _TOOLS,
    },
    "graded": {"messages": [_ASK], "river": "Elbe"},
    "text": {"text": "The Elbe is a river."},
}
"""A row of each kind. Images are not among them: whether they are taken is the model's affair."""

_ANSWERED = ("messages", "completion")
_ALL = "every token of the row is learned, not the answers alone"


def taken(row: dict[str, Any], able: Capabilities) -> tuple[str, ...] | None:
    """Say what becomes of a row at a place: None where it learns from no such rows, else what is not learned as it stands.

    Example:
        >>> from anytune.backend import Capabilities
        >>> taken(ROWS["text"], Capabilities(methods=frozenset({"dpo"}), tag="key", settle_s=0)) is None
        True
    """
    ignored = (_ALL,) if able.learns == "all" and any(key in row for key in _ANSWERED) else ()
    methods = sorted(method for method in able.methods if kind_of(row) in wanted(method))
    for method in methods:
        done, losses = to(able.dialect, row, method=method)
        if done is not None:
            return (*ignored, *dict.fromkeys(f"{loss.what}: {loss.why}" for loss in losses if loss.severity != "info"))
    return None
