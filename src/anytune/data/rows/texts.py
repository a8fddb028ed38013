"""The words of a row, and its halves: what is read and what is learned. For counting, searching and comparing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.data.rows.lessons import is_openai

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Text", "split_input", "texts"]

Raw = dict[str, Any]

_RESERVED = frozenset({"messages", "tools"})


class Text(NamedTuple):
    """A piece of a row's words.

    Attributes:
        message_index: 0-based index of the message in its list; None outside of messages.
        role: The message's; `tools` for definitions of tools, `item` for a graded row's own fields, `text` for plain text.
        text: The words.
        trained: The loss is on them.
    """

    message_index: int | None
    role: str
    text: str
    trained: bool


def texts(raw: Raw, *, whole: bool = False) -> Iterator[Text]:
    """Give all words of a row of any kind, in the order in which a model reads them.

    Definitions of tools come as one JSON text; of a call the function's name and the arguments one after the other; images not at all.
    Malformed parts are passed over.

    Args:
        raw: The row.
        whole: All of it is learned, as in continued pre-training; else what the kind of row is for.

    Example:
        >>> [part.text for part in texts({"prompt": "2+2?", "completion": "4"})]
        ['2+2?', '4']
    """
    found = _texts(raw)
    return (part._replace(trained=True) for part in found) if whole else found


def _texts(raw: Raw) -> Iterator[Text]:
    inner = raw["input"] if is_openai(raw) and isinstance(raw.get("input"), dict) else raw
    for key in ("tools", "functions"):
        if isinstance(defined := inner.get(key), list) and defined:
            yield Text(None, "tools", _json(defined), trained=False)
    if "messages" in raw:
        asks = _asks(raw["messages"])
        yield from _side(raw["messages"], "user", trained=not asks)
        if asks:
            for key in raw.keys() - _RESERVED - {"parallel_tool_calls", "functions"}:
                yield from (Text(None, "item", said, trained=False) for said in _strings(raw[key]))
        return
    yield from _side(raw.get("prompt") if inner is raw else inner.get("messages"), "user", trained=False)
    for key in ("completion", "chosen", "rejected", "preferred_output", "non_preferred_output"):
        yield from _side(raw.get(key), "assistant", trained=True)
    if isinstance(raw.get("text"), str):
        yield Text(None, "text", raw["text"], trained=True)


def split_input(raw: Raw) -> tuple[object, object]:
    """Give what a row asks and what it answers, as JSON values that can be compared across rows of a kind.

    | kind | asks | answers |
    |---|---|---|
    | chat | everything before the assistant's last turn | that turn |
    | prompt | the prompt | the completion |
    | preference | the prompt | both answers |
    | unpaired | prompt and completion | the label |
    | graded | the messages | the row's own fields |
    | text | the text | nothing |

    Tools belong to what is asked. Weights and keys that are null are left out.

    Example:
        >>> split_input({"prompt": "2+2?", "completion": "4"})
        (['2+2?', None], '4')
    """
    inner = raw["input"] if is_openai(raw) and isinstance(raw.get("input"), dict) else raw
    tools = inner.get("tools") or inner.get("functions") or None
    if "messages" in raw:
        messages = _bare(raw["messages"])
        if _asks(raw["messages"]) or not isinstance(messages, list):
            return [messages, tools], {key: raw[key] for key in sorted(raw.keys() - _RESERVED)}
        last = _last_assistant(messages)
        return [messages[:last], tools], messages[last] if last < len(messages) else None
    if "label" in raw:
        return [_bare(raw.get("prompt")), tools, _bare(raw.get("completion"))], raw["label"]
    if "text" in raw:
        return raw["text"], None
    asked = [_bare(raw.get("prompt") if inner is raw else inner.get("messages")), tools]
    if "completion" in raw:
        return asked, _bare(raw["completion"])
    pairs = (("chosen", "preferred_output"), ("rejected", "non_preferred_output"))
    return asked, [_bare(raw.get(ours, raw.get(theirs))) for ours, theirs in pairs]


def _asks(messages: object) -> bool:
    last = messages[-1] if isinstance(messages, list) and messages else None
    return not (isinstance(last, dict) and last.get("role") == "assistant")


def _last_assistant(messages: list[Any]) -> int:
    for index in range(len(messages) - 1, -1, -1):
        if isinstance(messages[index], dict) and messages[index].get("role") == "assistant":
            return index
    return len(messages)


def _bare(side: object) -> object:
    if not isinstance(side, list):
        return side
    return [
        {key: value for key, value in turn.items() if key != "weight" and value is not None} if isinstance(turn, dict) else turn
        for turn in side
    ]


def _side(side: object, role: str, *, trained: bool) -> Iterator[Text]:
    if isinstance(side, str):
        yield Text(None, role, side, trained)
    elif isinstance(side, list):
        for index, turn in enumerate(side):
            if isinstance(turn, dict):
                yield from _turn(index, turn, trained=trained)


def _turn(index: int, turn: Raw, *, trained: bool) -> Iterator[Text]:
    role = turn.get("role")
    role = role if isinstance(role, str) else ""
    learned = trained and role == "assistant" and turn.get("weight") != 0
    content = turn.get("content")
    if isinstance(content, str):
        yield Text(index, role, content, learned)
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict):
                yield from (Text(index, role, part[key], learned) for key in ("text", "refusal") if isinstance(part.get(key), str))
    if isinstance(turn.get("refusal"), str):
        yield Text(index, role, turn["refusal"], learned)
    calls = turn.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    for function in (*functions, turn.get("function_call")):
        if isinstance(function, dict):
            for said in (function.get("name"), function.get("arguments")):
                if isinstance(said, str | dict):
                    yield Text(index, role, said if isinstance(said, str) else _json(said), learned)


def _strings(value: object) -> Iterator[str]:
    """Give every string in a JSON value, without recursion: fields of a row may be nested as deeply as files allow."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            waiting.extend(reversed(found.values()))
        elif isinstance(found, list):
            waiting.extend(reversed(found))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
