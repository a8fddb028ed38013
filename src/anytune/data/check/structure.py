"""From what pydantic refuses in a row to findings: each with its code, the key's path in the file, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.codes import finding
from anytune.data.rows import ROLES, AssistantMessage, ImagePart, Message, PreferenceRow, RefusalPart, TextPart, ToolCall
from anytune.data.rows.lessons import is_openai, shown
from anytune.data.rows.messages import DeveloperMessage, FunctionMessage, SystemMessage, ToolMessage, UserMessage
from anytune.data.rows.parts import Call, ImageUrl, Strict
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from anytune.data.rows.row import KindOfRow
    from anytune.values import Finding

__all__ = ["structure"]

_LISTS = frozenset({"messages", "prompt", "completion", "chosen", "rejected"})
_UNIONS = frozenset({"content", "prompt", "completion", "chosen", "rejected"})
_PARTS = frozenset({"text", "image_url", "refusal"})
_NEEDED = {
    "string_type": "text",
    "list_type": "a list",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_OPENAI = {
    "prompt": ("input", "messages"),
    "tools": ("input", "tools"),
    "parallel_tool_calls": ("input", "parallel_tool_calls"),
    "chosen": ("preferred_output",),
    "rejected": ("non_preferred_output",),
}
_ROLE_WORDS = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "ai": "assistant", "chatbot": "assistant"}
_KEY_WORDS = {
    "text": "content",
    "value": "content",
    "from": "role",
    "speaker": "role",
    "conversations": "messages",
    "response": "completion",
}
_MESSAGES: Mapping[str, type[Message]] = {
    "system": SystemMessage,
    "developer": DeveloperMessage,
    "user": UserMessage,
    "assistant": AssistantMessage,
    "tool": ToolMessage,
    "function": FunctionMessage,
}
_PART_MODELS: Mapping[str, type[Strict]] = {"image_url": ImagePart, "refusal": RefusalPart}
_TAKEN = {"user": ("text", "image_url"), "assistant": ("text", "refusal")}
_OWNERS = {
    "weight": "an assistant's message",
    "tool_calls": "an assistant's message",
    "function_call": "an assistant's message",
    "refusal": "an assistant's message",
    "tool_call_id": "a tool's message",
}
_LONGEST_WORD = 60

Words = tuple[str, str, str]


class _Place(NamedTuple):
    path: tuple[str | int, ...]
    branch: str
    value: object
    parent: object
    role: str
    part: object

    @property
    def message_index(self) -> int | None:
        return self.path[1] if len(self.path) > 1 and self.path[0] in _LISTS and isinstance(self.path[1], int) else None

    @property
    def key(self) -> str:
        return str(self.path[-1]) if self.path else ""


def structure(number: int, raw: dict[str, Any], kind: type[KindOfRow], error: ValidationError) -> Iterator[Finding]:
    """Give a finding for everything that the schema refuses; what breaks a rule of learning (`lessons`) is left to the caller.

    Args:
        number: The row's line.
        raw: The row.
        kind: Its schema.
        error: What the schema said.
    """
    openai = kind is PreferenceRow and is_openai(raw)
    flat = kind.flat(raw)
    said: set[str] = set()
    for detail in error.errors(include_url=False, include_input=False, include_context=True):
        if "words" in detail.get("ctx", {}):
            continue
        place = _place(detail["loc"], flat)
        if _other_branch(place) or (
            openai and place.path == ("prompt",) and raw.get("input") is not None and not isinstance(raw["input"], dict)
        ):
            continue
        code, message, fix = _words(detail, place, _path(place.path, raw, openai=openai), kind)
        if message not in said:
            said.add(message)
            yield finding(code, message, fix, row=number, message_index=place.message_index, severity="error")


def _place(loc: tuple[int | str, ...], flat: object) -> _Place:
    """Find the key that pydantic means: its location without the names of unions' members."""
    path: list[str | int] = []
    branch, tagged, role = "", False, ""
    value, parent, part = flat, None, None
    for at, step in enumerate(loc):
        last = path[-1] if path else None
        if isinstance(step, str):
            if last in _UNIONS and (step == "str" or step.startswith("list[")):
                branch = "str" if step == "str" else "list"
                continue
            if isinstance(last, int) and not tagged:
                tagged = True
                if (path[-2] in _LISTS and step in ROLES) or (path[-2] == "content" and step in _PARTS and at + 1 < len(loc)):
                    continue
        else:
            tagged = False
        path.append(step)
        branch, parent, value = "", value, _within(value, step)
        if isinstance(step, int) and last in _LISTS:
            role = _role(value)
        elif isinstance(step, int) and last == "content":
            part = value
    return _Place(tuple(path), branch, value, parent, role, part)


def _within(value: object, step: str | int) -> object:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _other_branch(place: _Place) -> bool:
    """Tell whether the error is about a reading of the value (text, list) that the row did not mean."""
    if not place.branch:
        return False
    return (place.branch == "list") != isinstance(place.value, list)


def _path(path: tuple[str | int, ...], raw: dict[str, Any], *, openai: bool) -> str:
    if openai and path and path[0] in _OPENAI:
        head = _OPENAI[str(path[0])]
        if head[0] == "input" and not isinstance(raw.get("input"), dict):
            head = ("input",)
        path = (*head, *path[1:])
    return ".".join(shown(step) for step in path)


def _words(detail: ErrorDetails, place: _Place, path: str, kind: type[KindOfRow]) -> Words:
    sort = detail["type"]
    if (foreign := _foreign_part(place)) is not None:
        return foreign
    if sort in _NEEDED:
        return _mistyped(place, path, _NEEDED[sort])
    match sort:
        case "missing":
            return _missing(place, path)
        case "extra_forbidden":
            return _unknown(place, path, kind)
        case "union_tag_not_found" | "union_tag_invalid":
            return _untagged(detail, place, path)
        case "too_short":
            return _short(place, path)
        case _:
            return _outside(detail, place, path)


def _foreign_part(place: _Place) -> Words | None:
    """Judge a part of a sort that the message's role does not have: pydantic says several things of it, one is enough."""
    part = place.part
    sort = part.get("type") if isinstance(part, dict) else None
    taken = _TAKEN.get(place.role, ("text",))
    if not isinstance(sort, str) or sort in taken:
        return None
    where = ".".join(shown(step) for step in place.path[:4])
    if sort == "image_url":
        return "image-place", f"`{where}` is an image, in a message that is not the user's.", "Move the image into the user's message."
    return "bad-value", f"`{where}.type` is {_quoted(sort)}.", f"Parts of a message of {place.role} are of type {' or '.join(taken)}."


def _missing(place: _Place, path: str) -> Words:
    if place.key == "content" and place.message_index is not None:
        return "missing-content", f"`{path}` is missing.", "Give the message `content`, or remove it."
    if place.key == "tool_call_id":
        return "missing-key", f"`{path}` is missing.", "Name the call that the message answers by its `id`."
    return "missing-key", f"`{path}` is missing.", f"Add `{path.rpartition('.')[2]}`."


def _unknown(place: _Place, path: str, kind: type[KindOfRow]) -> Words:
    known = _known(place, kind)
    if len(place.path) == 1 and place.key in Message.model_fields and place.key != "messages":
        owner = _OWNERS.get(place.key, "a message")
        return "unknown-key", f"Unknown key `{path}`.", f"`{place.key}` belongs to {owner}, inside the list of messages."
    word = _KEY_WORDS.get(place.key)
    guess = word if word in known else nearest(place.key[:_LONGEST_WORD], known)
    taken = isinstance(place.parent, dict) and guess in place.parent
    return "unknown-key", f"Unknown key `{path}`.", f"Did you mean `{guess}`?" if guess and not taken else "Remove it."


def _known(place: _Place, kind: type[KindOfRow]) -> list[str]:
    if len(place.path) == 1:
        return list(kind.model_fields)
    owner = place.path[-2]
    if isinstance(owner, int):
        listed = place.path[-3]
        if listed in _LISTS:
            model = _MESSAGES.get(_role(place.parent), Message)
            return [name for name, field in model.model_fields.items() if field.annotation is not type(None)]
        if listed == "tool_calls":
            return list(ToolCall.model_fields)
        sort = place.parent.get("type") if isinstance(place.parent, dict) else None
        return list(_PART_MODELS.get(str(sort), TextPart).model_fields)
    return list(ImageUrl.model_fields if owner == "image_url" else Call.model_fields)


def _untagged(detail: ErrorDetails, place: _Place, path: str) -> Words:
    part = len(place.path) > 2 and place.path[-2] == "content"  # noqa: PLR2004 - list, message, content, part
    tag = "type" if part else "role"
    word = place.value.get(tag) if isinstance(place.value, dict) else None
    if word is None:
        guess = f"Add `{tag}`." if part else "Give the message a `role`: system, developer, user, assistant or tool."
        return "missing-key", f"`{path}.{tag}` is missing.", guess
    if part:
        return "bad-value", f"`{path}.type` is {_quoted(word)}.", f"Use {detail['ctx']['expected_tags']}."
    known = sorted(ROLES - {"function"})
    guessed = (_ROLE_WORDS.get(word.lower()) or nearest(word.lower()[:_LONGEST_WORD], known)) if isinstance(word, str) else None
    fix = f"Did you mean `{guessed}`?" if guessed else f"Use one of {', '.join(known)}."
    return "unknown-role", f"`{path}.role` is {_quoted(word)}, which is no known role.", fix


def _short(place: _Place, path: str) -> Words:
    if place.key in _LISTS:
        return "no-messages", f"`{path}` is an empty list.", "Put the conversation in, or remove the row."
    if place.key == "content":
        return "empty-content", f"`{path}` is an empty list.", "Give the message content, or remove it."
    return "bad-value", f"`{path}` is empty.", "Remove the key, or fill it."


def _mistyped(place: _Place, path: str, needed: str) -> Words:
    if place.branch == "str":
        needed = "text or a list of " + ("parts" if place.key == "content" else "messages")
    if place.key == "content" and place.value is None:
        return "missing-content", f"`{path}` is null.", "Give the message content, or remove it."
    fix = f"Write {needed}."
    if needed == "true or false" and place.value in (0, 1, "0", "1", "false", "true"):
        fix = f"Write {'true' if place.value in (1, '1', 'true') else 'false'}, without quotation marks."
    return "bad-type", f"`{path or 'the row'}` is {_sort(place.value)}, not {needed}.", fix


def _outside(detail: ErrorDetails, place: _Place, path: str) -> Words:
    match detail["type"]:
        case "none_required":
            owner = _OWNERS[place.key]
            return "misplaced-key", f"`{path}` belongs to {owner}, not to one of {place.role}.", "Remove it, or set it to null."
        case "bad-arguments":
            fix = 'Write the arguments as the text of one JSON object, such as {"city": "Oslo"}.'
            return "bad-arguments", f"The arguments of `{path}` {detail['ctx']['reason']}.", fix
        case "string_unicode":
            return "encoding-damage", "A key holds half of a character (a lone surrogate).", "Write the file anew as UTF-8."
        case "literal_error":
            return "bad-value", f"`{path}` is {_quoted(place.value)}.", f"Use {detail['ctx']['expected']}."
        case "string_too_short":
            return "bad-value", f"`{path}` is empty.", "Fill it."
        case _ if place.key == "weight":
            return "bad-value", f"`{path}` is {_quoted(place.value)}.", "Use 0 (not learned) or 1 (learned)."
        case _:
            return "bad-value", f"`{path}`: {detail['msg']}.", "Correct it."


def _role(turn: object) -> str:
    role = turn.get("role") if isinstance(turn, dict) else None
    return role if isinstance(role, str) else ""


def _quoted(value: object) -> str:
    return f'"{shown(value)}"' if isinstance(value, str) else _sort(value) if isinstance(value, dict | list) else shown(str(value).lower())


def _sort(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"
