"""Messages in other words: text and turns, tool calls and their ids, arguments as text and as objects. Pure, and never in place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anytune.data.files.strict import Parser
from anytune.data.formats.losses import Loss

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Messages", "arguments_object", "arguments_text", "as_text", "calls", "has_parts", "modern", "numbered", "plain_text", "renumbered",
    "strict_json", "tools_of", "turns", "unweighted",
]  # fmt: skip

Messages = list[dict[str, Any]]


def strict_json(text: str) -> Any:
    """Read JSON that stands as text in a row, as strictly as the row itself.

    Raises:
        ValueError: It is no JSON, or JSON that readers take differently; the words complete "it is …".
    """
    value, wrong = Parser().value(text.encode("utf-8", "surrogatepass"))
    if wrong is not None:
        raise ValueError(wrong.problem)
    return value


def as_text(value: object) -> str:
    """Write JSON text as OpenAI's own examples have it."""
    return json.dumps(value, ensure_ascii=False)


def turns(side: object, role: str) -> Messages:
    """Give plain text as one turn of a role, and messages as they are."""
    if isinstance(side, str):
        return [{"role": role, "content": side}]
    return [dict(message) for message in side] if isinstance(side, list) else []


def plain_text(content: object) -> str:
    """Give a content as one text; text parts are joined, other parts left out."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict) and part.get("type") == "text")
    return content if isinstance(content, str) else ""


def has_parts(messages: Sequence[dict[str, Any]], kind: str) -> bool:
    """Tell whether a content has parts of a type."""
    return any(
        isinstance(part, dict) and part.get("type") == kind
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    )


def calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Give a message's tool calls; none is an empty list, and so is what is no list of calls: the check says so."""
    found = message.get("tool_calls")
    good = isinstance(found, list) and all(isinstance(call, dict) and isinstance(call.get("function"), dict) for call in found)
    return list(found) if good and found else []


def arguments_text(call: dict[str, Any]) -> dict[str, Any]:
    """Give a tool call with its arguments as JSON text, as hosts want them."""
    function = call["function"]
    if isinstance(function.get("arguments"), str):
        return call
    text = as_text(function.get("arguments") or {})
    return call | {"function": function | {"arguments": text}}


def arguments_object(call: dict[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
    """Give a tool call with its arguments as an object, as chat templates want them; text that is no object stays."""
    function = call["function"]
    text = function.get("arguments")
    if not isinstance(text, str):
        return call, []
    try:
        value = strict_json(text)
    except ValueError:
        return call, []
    if not isinstance(value, dict):
        return call, []
    losses = [] if as_text(value) == text else [Loss("arguments", "the spacing of JSON text in tool calls is not kept", "info")]
    return call | {"function": function | {"arguments": value}}, losses


def numbered(messages: Messages) -> Messages:
    """Give every tool call an id and every answer the id of its call, where they have none.

    Answers without an id belong to the oldest open call of their name, or to the oldest open one.
    """
    if not any(_unlinked(message) for message in messages):
        return messages
    taken = {str(call.get("id")) for message in messages for call in calls(message)}
    fresh = (f"call_{n}" for n in range(1, 1_000_000) if f"call_{n}" not in taken)
    open_calls: list[tuple[str, str]] = []
    done: Messages = []
    for message in messages:
        if calls(message):
            with_ids = [
                call if call.get("id") else {"id": next(fresh), "type": "function"} | _without(call, "id") for call in calls(message)
            ]
            open_calls += [(call["id"], call["function"].get("name", "")) for call in with_ids]
            done.append(message | {"tool_calls": with_ids})
        elif message.get("role") == "tool":
            link = message.get("tool_call_id") or _oldest(open_calls, message.get("name"))
            open_calls = [(key, name) for key, name in open_calls if key != link]
            done.append(message | {"tool_call_id": link} if link else message)
        else:
            done.append(message)
    return done


def renumbered(messages: Messages) -> tuple[Messages, list[Loss]]:
    """Take the ids of tool calls away, for formats that go by order, and say what a reader will not find again."""
    bare: Messages = []
    for message in messages:
        plain = _without(message, "tool_call_id")
        if calls(message):
            plain["tool_calls"] = [_without(call, "id") for call in calls(message)]
        bare.append(plain)
    before, after = numbered(messages), numbered([_without(message, "name") for message in bare])
    pairs = {
        old.get("id"): new.get("id")
        for was, now in zip(before, after, strict=True)
        for old, new in zip(calls(was), calls(now), strict=True)
    }
    links = [
        (was.get("tool_call_id"), now.get("tool_call_id")) for was, now in zip(before, after, strict=True) if was.get("role") == "tool"
    ]
    losses = []
    if any(pairs.get(old) != new for old, new in links):
        losses.append(Loss("tool_call_id", "answers go to calls by their order, and here they stand in another one", "error"))
    elif any(old != new for old, new in pairs.items()):
        losses.append(Loss("tool_call_id", "ids of tool calls are numbered anew", "info"))
    return bare, losses


def modern(messages: Messages) -> tuple[Messages, list[Loss]]:
    """Give `function_call` and the role `function` as tool calls and their answers, for formats that never had them."""
    if not any(message.get("function_call") or message.get("role") == "function" for message in messages):
        return messages, []
    done: Messages = []
    for message in messages:
        call = message.get("function_call")
        plain = _without(message, "function_call")
        if call:
            plain["tool_calls"] = [{"type": "function", "function": dict(call)}]
        if message.get("role") == "function":
            plain["role"] = "tool"
        done.append(plain)
    return numbered(done), [Loss("function_call", "the given-up form of tool calls is written as `tool_calls`", "info")]


def tools_of(value: object) -> list[dict[str, Any]]:
    """Give tools in OpenAI's form from a list or its JSON text, each wrapped or bare.

    Raises:
        ValueError: It is neither.
    """
    if value in (None, "", []):
        return []
    found = strict_json(value) if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(tool, dict) for tool in found):
        raise ValueError("not a list of objects")
    return [tool if "function" in tool else {"type": "function", "function": tool} for tool in found]


def unweighted(messages: Messages) -> tuple[Messages, list[Loss]]:
    """Take `weight` away; a turn of weight 0 would be learned without it."""
    masked = any(message.get("weight") == 0 for message in messages if message.get("role") == "assistant")
    fix = "Leave these turns out, or keep the rows for a target that knows weights."
    losses = [Loss("weight", "turns of weight 0 would be learned like the others", "error", fix)] if masked else []
    return [_without(message, "weight") for message in messages], losses


def _unlinked(message: dict[str, Any]) -> bool:
    if message.get("role") == "tool" and not message.get("tool_call_id"):
        return True
    return any(not call.get("id") for call in calls(message))


def _oldest(open_calls: list[tuple[str, str]], name: object) -> str | None:
    named = [key for key, called in open_calls if called == name]
    return named[0] if named else (open_calls[0][0] if open_calls else None)


def _without(record: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}
