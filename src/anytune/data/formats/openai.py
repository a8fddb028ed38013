"""What OpenAI, Azure and those who speak as they do take: chat, preference pairs, graded rows. Arguments are JSON text, ids are there."""

from __future__ import annotations

from typing import Any

from anytune.data.formats.canonical import impossible, pair
from anytune.data.formats.losses import Loss
from anytune.data.formats.turns import Messages, arguments_text, calls, numbered, turns

__all__ = ["write"]

_FIXES = {
    "text": "Give prompts and answers: a hosted chat model does not learn from bare text. Local backends do (`backend: trl`).",
    "unpaired": "Keep the rows with a good label as prompt and completion, or train with `kto` on a local backend.",
}


def write(row: dict[str, Any], kind: str) -> tuple[dict[str, Any] | None, list[Loss]]:
    """Write a canonical row as OpenAI takes it."""
    if kind == "chat":
        return _bare(row) | {"messages": _messages(row["messages"])}, []
    if kind == "graded":
        return row | {"messages": _messages(row["messages"])}, []  # a null in one of its own fields is a value
    if kind == "prompt":
        return _chat(row)
    if kind == "preference":
        return _preference(row)
    return None, impossible("OpenAI's fine-tuning", kind, _FIXES.get(kind, "`anytune data check` says what the rows are."))


def _chat(row: dict[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
    prompt = [message | {"weight": 0} if message.get("role") == "assistant" else message for message in turns(row["prompt"], "user")]
    chat = {"messages": _messages([*prompt, *turns(row["completion"], "assistant")])}
    losses = [Loss("prompt, completion", "they become the turns of one conversation", "info")]
    return chat | ({"tools": row["tools"]} if row.get("tools") else {}), losses


def _preference(row: dict[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
    if "input" in row:
        inner = _bare(row["input"]) | {"messages": _messages(row["input"]["messages"])}
        return {"input": inner} | {key: _messages(row[key]) for key in ("preferred_output", "non_preferred_output")}, []
    sides = pair(row)
    prompt = _messages(turns(sides.prompt, "user"))
    chosen, rejected = (_answer(prompt, turns(side, "assistant")) for side in (sides.chosen, sides.rejected))
    settings = {key: row[key] for key in ("tools", "parallel_tool_calls") if row.get(key) not in (None, [])}
    texts = any(isinstance(side, str) for side in (sides.prompt, sides.chosen, sides.rejected))
    losses = [Loss("prompt, chosen, rejected", "plain texts become turns", "info")] if texts else []
    return {"input": {"messages": prompt} | settings, "preferred_output": chosen, "non_preferred_output": rejected}, losses


def _answer(prompt: Messages, answer: Messages) -> Messages:
    return _messages([*prompt, *answer])[len(prompt) :]


def _messages(messages: Messages) -> Messages:
    done = []
    for message in numbered(messages):
        plain = {key: value for key, value in message.items() if value is not None or key == "content"}
        if calls(message):
            plain["tool_calls"] = [{"type": "function"} | arguments_text(_bare(call)) for call in calls(message)]
        else:
            plain.pop("tool_calls", None)
        done.append(plain)
    return done


def _bare(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value is not None}
