"""From a row of the data file to plain messages, as a chat template takes them; a row that cannot be one is refused with its code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from anytune.codes import finding
from anytune.data.check.judge import judge
from anytune.data.rows import PreferenceRow, TextRow, kind_of, wanted, word_of
from anytune.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.data.files import Line

__all__ = ["Chat", "Preference", "Text", "read"]

Messages = list[dict[str, Any]]
Tools = list[dict[str, Any]] | None


class Chat(NamedTuple):
    """One conversation: its line in the file, the messages, which of them are learned, the tools."""

    row: int
    messages: Messages
    learned: tuple[int, ...]
    tools: Tools


class Preference(NamedTuple):
    """One prompt with a preferred and a rejected answer, all as messages."""

    row: int
    prompt: Messages
    chosen: Messages
    rejected: Messages
    tools: Tools


class Text(NamedTuple):
    """Plain text, learned as it stands."""

    row: int
    text: str


def read(line: Line, method: str) -> Chat | Preference | Text:
    """Take one row.

    A plain prompt and completion become a user's and an assistant's turn: endpoints speak chat, so that is what the model will see. With
    `prompt` and `completion` as messages only the completion's assistant turns are learned.

    Args:
        line: A row of anytune's own schemas, with its number.
        method: `sft` or `dpo`.

    Raises:
        DataError: It carries one finding, with the row and the message's index.
    """
    row, raw = line.number, line.row
    if line.problem:
        raise _refused(line.code or "not-json", f"is {line.problem}", row, "Correct or remove the line.")
    kind = kind_of(raw)
    if kind is None or kind not in wanted(method):
        known = "its keys fit no kind of row" if kind is None else f"{method} does not learn from this kind of row"
        raise _refused("unknown-row" if kind is None else "wrong-kind", f"cannot be used: {known}", row, "Remove it, or convert the file.")
    try:
        kind.model_validate(raw)
    except ValidationError:
        wrong = [found for found in judge(row, raw, method) if found.severity == "error"]
        if not wrong:
            raise _refused("bad-value", f"is not {word_of(kind)} as it should be", row, "See `anytune data check`.") from None
        raise DataError(f"Row {row} cannot be used: {wrong[0].message}", fix=wrong[0].fix, findings=wrong) from None
    if kind is TextRow:
        return Text(row, raw["text"])
    return _preference(row, raw) if kind is PreferenceRow else _chat(row, raw)


def _chat(row: int, raw: Mapping[str, Any]) -> Chat:
    if "messages" in raw:
        turns, first = raw["messages"], 0
    else:
        prompt = _turns(raw["prompt"], "user")
        turns, first = [*prompt, *_turns(raw["completion"], "assistant")], len(prompt)
    learned = tuple(i for i, turn in enumerate(turns) if i >= first and turn["role"] == "assistant" and turn.get("weight") != 0)
    return Chat(row, [_message(row, i, turn) for i, turn in enumerate(turns)], learned, _tools(raw))


def _preference(row: int, raw: Mapping[str, Any]) -> Preference:
    inner = raw.get("input") if isinstance(raw.get("input"), dict) else None
    prompt = _turns(inner["messages"] if inner else raw["prompt"], "user")
    sides = [_turns(raw[name], "assistant") for name in (("preferred_output", "non_preferred_output") if inner else ("chosen", "rejected"))]
    if any(side[0]["role"] != "assistant" for side in sides):
        message = "cannot be used: an answer begins with a message that is not the assistant's"
        raise _refused("bad-value", message, row, "Keep the prompt in `prompt`.")
    chosen, rejected = ([_message(row, None, turn) for turn in side] for side in sides)
    return Preference(row, [_message(row, i, turn) for i, turn in enumerate(prompt)], chosen, rejected, _tools(inner or raw))


def _turns(side: str | list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    return [{"role": role, "content": side}] if isinstance(side, str) else list(side)


def _tools(raw: Mapping[str, Any]) -> Tools:
    """Take the tools, and OpenAI's older `functions` as the tools that they are."""
    old = [{"type": "function", "function": function} for function in raw.get("functions") or ()]
    return [*(raw.get("tools") or ()), *old] or None


def _message(row: int, index: int | None, turn: Mapping[str, Any]) -> dict[str, Any]:
    """Give a turn as templates take it: text content, tool arguments as mappings, nothing of ours.

    `transformers serve` shapes a request in the same way (read in 5.23), so that training and serving render alike.
    """
    plain: dict[str, Any] = {"role": turn["role"], "content": _content(row, index, turn)}
    calls = list(turn.get("tool_calls") or ())
    if turn.get("function_call"):
        calls.append({"function": turn["function_call"]})
    if calls:
        plain["tool_calls"] = [
            {"type": "function", "function": {"name": call["function"]["name"], "arguments": _arguments(call["function"]["arguments"])}}
            | ({"id": call["id"]} if call.get("id") else {})
            for call in calls
        ]
    if turn["role"] == "function":
        plain["role"] = "tool"
    return plain | {name: turn[name] for name in ("tool_call_id", "name") if turn.get(name)}


def _content(row: int, index: int | None, turn: Mapping[str, Any]) -> str:
    content = turn.get("content")
    if isinstance(content, list):
        odd = next((part["type"] for part in content if "text" not in part and "refusal" not in part), None)
        if odd:
            message = f"has a part of type {odd!r}, and this backend trains on text only"
            raise _refused("refused-feature", message, row, "Leave such rows out, or use a target that takes images.", index)
        content = "".join(part.get("text") or part.get("refusal") or "" for part in content)
    return content or turn.get("refusal") or ""


def _arguments(given: Any) -> Any:
    return json.loads(given) if isinstance(given, str) else given


def _refused(code: str, message: str, row: int, fix: str, message_index: int | None = None) -> DataError:
    found = finding(code, f"The row {message}.", fix, row=row, message_index=message_index)
    return DataError(f"Row {row} {message}.", fix=fix, findings=[found])
