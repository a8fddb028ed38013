"""ShareGPT: `conversations` of turns with `from` and `value` (or `role` and `content`), as LLaMA-Factory, Axolotl and Unsloth read them.

`human` and `gpt` take turns; `function_call` holds a call's name and arguments as JSON (or a list of them), `observation` its answer;
`system` and `tools` may stand beside the turns; preference rows add `chosen` and `rejected`, unpaired ones `label`. (LLaMA-Factory's
data page, read 2026-11-22.)
"""

from __future__ import annotations

from typing import Any

from anytune.data.formats.canonical import Unreadable, impossible, pair, talk, text_only
from anytune.data.formats.losses import Loss, left_out
from anytune.data.formats.turns import (
    Messages,
    arguments_object,
    as_text,
    calls,
    modern,
    numbered,
    renumbered,
    strict_json,
    tools_of,
    turns,
    unweighted,
)

__all__ = ["fits", "messages_of", "read", "write"]

_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "bing": "assistant",
    "bard": "assistant", "model": "assistant", "system": "system", "tool": "tool", "observation": "tool", "function_response": "tool",
    "tool_response": "tool", "function_call": "call", "tool_call": "call",
}  # fmt: skip
_WORDS = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}
_SIDES = ("prompt", "completion", "chosen", "rejected")


def fits(row: dict[str, Any]) -> bool:
    """Tell whether a row has ShareGPT's turns anywhere."""
    if row.get("conversations") == [] or any(_is_turns(row.get(key), "role") for key in ("conversations", "conversation")):
        return True
    return any(_is_turns(row.get(key), "from") for key in ("conversations", "conversation", "messages", *_SIDES))


def read(row: dict[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
    """Read a row of ShareGPT's.

    Raises:
        Unreadable: A call or the tools are no JSON.
    """
    key = next((key for key in ("conversations", "conversation", "messages") if isinstance(row.get(key), list)), None)
    if key is None:  # TRL's columns with ShareGPT's turns
        done = {name: messages_of(side)[0] if _is_turns(side, "from") else side for name, side in row.items()}
        return done, [loss for side in row.values() if _is_turns(side, "from") for loss in messages_of(side)[1]]
    messages, losses = messages_of(row[key])
    if isinstance(row.get("system"), str) and row["system"]:
        messages = [{"role": "system", "content": row["system"]}, *messages]
    try:
        tools = tools_of(row.get("tools"))
    except ValueError as error:
        raise Unreadable("bad-tool", f"`tools` cannot be read: it is {error}") from None
    more: dict[str, Any] = {"tools": tools} if tools else {}
    known = {key, "system", "tools"}
    if _answer(row.get("chosen")) and _answer(row.get("rejected")):
        sides = {name: messages_of(_listed(row[name])) for name in ("chosen", "rejected")}
        losses = [*losses, *(loss for _, found in sides.values() for loss in found), *left_out(row, {*known, "chosen", "rejected"})]
        linked = {name: numbered([*messages, *side])[len(messages) :] for name, (side, _) in sides.items()}
        return {"prompt": numbered(messages)} | linked | more, list(dict.fromkeys(losses))
    whole = numbered(messages)
    if isinstance(label := row.get("label", row.get("kto_tag")), bool) and len(whole) > 1:
        losses += left_out(row, {*known, "label", "kto_tag"})
        return {"prompt": whole[:-1], "completion": whole[-1:], "label": label} | more, losses
    return {"messages": whole} | more, [*losses, *left_out(row, known)]


def messages_of(said: list[Any]) -> tuple[Messages, list[Loss]]:
    """Give turns as messages; a turn of an unknown speaker keeps its word, which the check then names."""
    done: Messages = []
    losses: list[Loss] = []
    for turn in said:
        if not isinstance(turn, dict) or ("from" not in turn and "role" not in turn):
            raise Unreadable("bad-type", "a turn of the conversation has no `from`")
        if "from" not in turn:
            done.append(dict(turn))
            continue
        speaker = str(turn["from"])
        role = _ROLES.get(speaker.lower(), speaker)
        value = turn.get("value")
        message = {"role": "assistant", "tool_calls": _calls(value)} if role == "call" else {"role": role, "content": value}
        if message["role"] == "assistant":
            message |= _weight(turn)
        losses += left_out(turn, {"from", "value", *(("weight", "loss") if message["role"] == "assistant" else ())})
        done.append(message)
    return done, list(dict.fromkeys(losses))


def write(row: dict[str, Any], kind: str) -> tuple[dict[str, Any] | None, list[Loss]]:
    """Write a canonical row as ShareGPT."""
    if kind in {"chat", "prompt", "unpaired"}:
        messages, tools, losses = talk(row, kind)
        if kind == "unpaired":
            messages = [{key: value for key, value in message.items() if key != "weight"} for message in messages]
            if not isinstance(row["prompt"], str) and not isinstance(row["completion"], str):
                losses = [loss for loss in losses if loss.what != "prompt, completion"]
        said, found = _turns(messages)
        label = {"label": row["label"]} if kind == "unpaired" else {}
        if kind == "unpaired" and len(turns(row["completion"], "assistant")) != 1:
            return None, impossible("ShareGPT", "unpaired", "Keep one turn in `completion`.")
        return {"conversations": said} | _tools(tools) | label, list(dict.fromkeys([*losses, *found]))
    if kind == "preference":
        return _preference(row)
    return None, impossible("ShareGPT", kind, "Write them for `openai` (graded rows) or `trl` (text).")


def _preference(row: dict[str, Any]) -> tuple[dict[str, Any] | None, list[Loss]]:
    sides = pair(row)
    prompt = turns(sides.prompt, "user")
    answers = [turns(side, "assistant") for side in (sides.chosen, sides.rejected)]
    said, losses = _turns([{key: value for key, value in message.items() if key != "weight"} for message in prompt])
    found = [*sides.losses, *losses]
    written = []
    for answer in answers:
        whole, losses = _turns([*prompt, *answer])
        if len(answer) != 1 or len(whole) != len(said) + 1:
            return None, impossible("ShareGPT", "preference", "Keep one turn, of text or of calls, in each answer.")
        written.append(whole[-1])
        found += [loss for loss in losses if loss.what != "weight"]
    if not all(isinstance(side, list) for side in (sides.prompt, sides.chosen, sides.rejected)):
        found.append(Loss("prompt, chosen, rejected", "plain texts become turns", "info"))
    return {"conversations": said, "chosen": written[0], "rejected": written[1]} | _tools(sides.tools), list(dict.fromkeys(found))


def _turns(messages: Messages) -> tuple[list[dict[str, Any]], list[Loss]]:
    messages, weights = unweighted(messages)
    messages, old = modern(messages)
    messages, losses = text_only(messages)
    messages, ids = renumbered(messages)
    found = [*weights, *old, *losses, *ids]
    said: list[dict[str, Any]] = []
    for message in messages:
        role = str(message["role"])
        if role == "developer":
            found.append(Loss("developer", "the role becomes `system`"))
            role = "system"
        if message.get("name"):
            found.append(Loss("name", "names of speakers are left out"))
        if not calls(message):
            said.append({"from": _WORDS.get(role, role), "value": message.get("content") or ""})
            continue
        if message.get("content"):
            found.append(Loss("content", "text beside a tool call becomes a turn of its own"))
            said.append({"from": "gpt", "value": message["content"]})
        elif "content" in message:
            found.append(Loss("content", "the empty content of a tool call is left out", "info"))
        said.append({"from": "function_call", "value": _call_text(message, found)})
    return said, list(dict.fromkeys(found))


def _call_text(message: dict[str, Any], found: list[Loss]) -> str:
    written = []
    for call in calls(message):
        plain, losses = arguments_object(call)
        found += losses
        written.append({"name": plain["function"]["name"], "arguments": plain["function"].get("arguments")})
    return as_text(written[0] if len(written) == 1 else written)


def _tools(tools: list[dict[str, Any]]) -> dict[str, str]:
    bare = [tool["function"] if tool.keys() <= {"type", "function"} else tool for tool in tools]
    return {"tools": as_text(bare)} if tools else {}


def _calls(value: object) -> list[dict[str, Any]]:
    try:
        found = strict_json(value) if isinstance(value, str) else value
    except ValueError:
        raise Unreadable("bad-arguments", "a `function_call` is not JSON") from None
    found = found if isinstance(found, list) else [found]
    if not found or not all(isinstance(call, dict) and isinstance(call.get("name"), str) for call in found):
        raise Unreadable("bad-arguments", "a `function_call` has no `name`")
    return [{"type": "function", "function": {"name": call["name"], "arguments": _text(call.get("arguments", {}))}} for call in found]


def _text(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else as_text(arguments)


def _weight(turn: dict[str, Any]) -> dict[str, Any]:
    if turn.get("weight") is not None:
        return {"weight": turn["weight"]}
    return {"weight": int(turn["loss"])} if isinstance(turn.get("loss"), bool) else {}


def _listed(side: object) -> list[Any]:
    return side if isinstance(side, list) else [side]


def _answer(side: object) -> bool:
    return _is_turns(_listed(side), "from") or _is_turns(_listed(side), "role")


def _is_turns(side: object, key: str) -> bool:
    return isinstance(side, list) and bool(side) and all(isinstance(turn, dict) for turn in side) and key in side[0]
