"""Tools of a row: their definitions, the calls of them, and what the calls were answered with."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from pydantic import ValidationError

from anytune.codes import finding
from anytune.data.check.arguments import MAX_ARGUMENTS_CHARS, MAX_SCHEMA_CHARS, Schema, TooCostly
from anytune.data.rows import FunctionDefinition, GradedRow, PreferenceRow, Tool, UnpairedRow
from anytune.data.rows.lessons import is_openai, shown, turns
from anytune.data.rows.parts import parsed
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anytune.data.rows import Row
    from anytune.values import Finding

__all__ = ["tools"]

Raw = dict[str, Any]

_CACHED_CHARS = 2 * 1024 * 1024
_SHOWN = 60


class _Known(NamedTuple):
    """A definition that was judged: its name, what is wrong with it, its schema, and why that is left out."""

    name: str
    problem: str = ""
    fix: str = ""
    schema: Schema | None = None
    unchecked: str = ""


def tools(number: int, raw: Raw, kind: type[Row]) -> Iterator[Finding]:
    """Find what is wrong with a row's tools and calls.

    A rejected answer, and one labelled false, may call what is not there or with what does not fit: that is what it teaches.

    Args:
        number: The row's line.
        raw: The row.
        kind: Its kind.
    """
    openai = kind is PreferenceRow and is_openai(raw)
    inner = raw.get("input") if openai else raw
    if not isinstance(inner, dict):
        return
    declared: dict[str, _Known] = {}
    prefix = "input." if openai else ""
    stated = False
    for key in ("tools", "functions") if kind is not GradedRow else ("tools",):
        if isinstance(listed := inner.get(key), list):
            stated = True
            yield from _definitions(number, f"{prefix}{key}", listed, declared)
    for talk, start, strict in _talks(raw, kind, inner):
        row = _Talk(number, declared, stated=stated, strict=strict, single=strict and inner.get("parallel_tool_calls") is False)
        for offset, (path, turn) in enumerate(talk):
            yield from row.take(path, turn, counted=offset >= start)


def _talks(raw: Raw, kind: type[Row], inner: Raw) -> Iterator[tuple[list[tuple[tuple[str, int], Raw]], int, bool]]:
    """Give each conversation of the row from its first message to its last, from where on it is new, and whether calls must be right."""

    def at(name: str, side: object) -> list[tuple[tuple[str, int], Raw]]:
        return [((name, index), turn) for index, turn in enumerate(turns(side))]

    if "messages" in kind.model_fields:
        yield at("messages", raw.get("messages")), 0, True
        return
    openai = inner is not raw
    asked = at("input.messages", inner.get("messages")) if openai else at("prompt", raw.get("prompt"))
    if kind is PreferenceRow:
        good, bad = ("preferred_output", "non_preferred_output") if openai else ("chosen", "rejected")
        yield asked + at(good, raw.get(good)), 0, True
        yield asked + at(bad, raw.get(bad)), len(asked), False
    else:
        yield asked + at("completion", raw.get("completion")), 0, not (kind is UnpairedRow and raw.get("label") is False)


def _definitions(number: int, path: str, listed: Sequence[object], declared: dict[str, _Known]) -> Iterator[Finding]:
    for index, definition in enumerate(listed):
        if not isinstance(definition, dict):
            continue  # the schema has said so
        known = _judged(definition, wrapped=path.endswith("tools"))
        where = f"{path}.{index}"
        if known.problem:
            yield finding("bad-tool", f"`{where}{known.problem}", known.fix, row=number)
        elif known.name in declared:
            yield finding("duplicate-tool", f"`{where}` has the name of another tool: {known.name}.", "Keep one of them.", row=number)
        if known.unchecked:
            words = f"Calls of `{where}` were not held against its schema: {known.unchecked}."
            yield finding("not-checked", words, row=number)
        if known.name:
            declared.setdefault(known.name, known)


class _Talk:
    """A conversation as it goes on: calls wait for their results; those of the last message wait for what comes after the row."""

    def __init__(self, number: int, declared: dict[str, _Known], *, stated: bool, strict: bool, single: bool) -> None:
        self._single = single
        self._number = number
        self._declared = declared
        self._stated = stated
        self._strict = strict
        self._open: dict[str, tuple[str, int]] = {}
        self._ids: set[str] = set()
        self._answered: set[str] = set()
        self._nameless = False
        self._found: list[Finding] = []

    def take(self, at: tuple[str, int], turn: Raw, *, counted: bool) -> list[Finding]:
        """Look at one message; findings of a prompt that was seen before are not given twice."""
        self._found = []
        if turn["role"] == "tool":
            self._result(at, turn)
        else:
            self._missing()
            if turn["role"] == "assistant":
                self._calls(at, turn)
        return self._found if counted else []

    def _say(self, code: str, at: tuple[str, int], message: str, fix: str, **more: Any) -> None:
        self._found.append(finding(code, message, fix, row=self._number, message_index=at[1], **more))

    def _result(self, at: tuple[str, int], turn: Raw) -> None:
        answered = turn.get("tool_call_id")
        if not isinstance(answered, str) or not answered:
            self._open.pop(next(iter(self._open), ""), None)  # the schema has said that its id is missing
            return
        again = self._open.pop(answered, None) is None and answered in self._answered
        self._answered.add(answered)
        if again and not self._nameless:
            words = f"`{at[0]}.{at[1]}` answers a call that was answered before."
            self._say("orphan-result", at, words, "Keep one result of each call.", severity="warning")
        elif answered not in self._ids and not self._nameless:
            fix = "Give it the `id` of the call that it answers, or remove it."
            self._say("orphan-result", at, f"`{at[0]}.{at[1]}` answers a call that is not in the row before it.", fix)

    def _missing(self) -> None:
        for path, index in dict.fromkeys(self._open.values()):
            fix = "Add a message of role tool for every call."
            self._say("missing-result", (path, index), f"A call of `{path}.{index}` has no result, and the conversation goes on.", fix)
        self._open.clear()

    def _calls(self, at: tuple[str, int], turn: Raw) -> None:
        listed = turn.get("tool_calls")
        if self._single and isinstance(listed, list) and len(listed) > 1:
            words = f"`{at[0]}.{at[1]}` makes {len(listed)} calls at once, though `parallel_tool_calls` is false."
            self._say("bad-value", at, words, "Make one call a message, or set it to true.", severity="warning")
        for place, call in enumerate(listed if isinstance(listed, list) else ()):
            if not isinstance(call, dict):
                continue
            self._identified(at, call.get("id"))
            self._called(at, f"{at[0]}.{at[1]}.tool_calls.{place}", call.get("function"))
        if turn.get("function_call") is not None:
            self._called(at, f"{at[0]}.{at[1]}.function_call", turn["function_call"])

    def _identified(self, at: tuple[str, int], name: object) -> None:
        if not isinstance(name, str):
            self._nameless = True
            return
        if name in self._open:
            self._say("duplicate-call", at, f"Two open calls have the id of one in `{at[0]}.{at[1]}`.", "Give each call an id of its own.")
        elif name in self._ids:
            words = f"A call in `{at[0]}.{at[1]}` has the id of an earlier one."
            self._say("duplicate-call", at, words, "Give each call of a row an id of its own.", severity="warning")
        self._ids.add(name)
        self._open[name] = at

    def _called(self, at: tuple[str, int], path: str, function: object) -> None:
        if not self._strict or not isinstance(function, dict) or not isinstance(name := function.get("name"), str) or not name:
            return
        known = self._declared.get(name)
        if known is None:
            self._undeclared(at, path, name)
        elif known.schema is not None:
            self._fitted(at, path, function.get("arguments"), known)

    def _undeclared(self, at: tuple[str, int], path: str, name: str) -> None:
        if not self._stated:
            fix = "Declare the tool in `tools`, as it will be when the model is used."
            self._say("undeclared-tool", at, f"`{path}` calls a tool, and the row declares none.", fix, severity="warning")
            return
        guess = nearest(name[:_SHOWN], list(self._declared))
        fix = f"Did you mean `{shown(guess)}`?" if guess else "Declare it in `tools`, or remove the call."
        self._say("undeclared-tool", at, f"`{path}` calls `{shown(name)}`, which the row does not declare.", fix)

    def _fitted(self, at: tuple[str, int], path: str, arguments: object, known: _Known) -> None:
        try:
            found = parsed(arguments) if isinstance(arguments, str) else arguments
        except ValueError:
            return  # the schema of rows has said so
        if not isinstance(found, dict) or known.schema is None:
            return
        if isinstance(arguments, str) and len(arguments) > MAX_ARGUMENTS_CHARS:
            self._say("not-checked", at, f"The arguments of `{path}` are too long to be held against the tool's schema.", "")
            return
        try:
            misfits = known.schema.misfits(found)
        except TooCostly:
            self._say("not-checked", at, f"Holding the arguments of `{path}` against the tool's schema would take too long.", "")
            return
        except ValueError as error:
            self._say("bad-tool", at, f"The schema of `{known.name}` {error}.", "Correct the tool's `parameters`.")
            return
        for where, words in misfits:
            key = f"{path}.arguments{f'.{shown(where)}' if where else ''}"
            self._say("arguments-mismatch", at, f"`{key}` {words}.", f"Correct the call, or the definition of `{known.name}`.")


class _Cache:
    """Definitions that were judged, by their JSON text; the least used go first once the texts take up 2 MiB."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._chars = 0

    def get(self, text: bytes) -> _Known | None:
        with self._lock:
            if (known := self._known.get(text)) is not None:
                self._known.move_to_end(text)
            return known

    def put(self, text: bytes, known: _Known) -> None:
        with self._lock:
            if text not in self._known:
                self._known[text] = known
                self._chars += len(text)
            while self._chars > _CACHED_CHARS:
                old, _ = self._known.popitem(last=False)
                self._chars -= len(old)


_CACHE = _Cache()


def _judged(definition: Raw, *, wrapped: bool) -> _Known:
    try:
        text = orjson.dumps(definition)
    except (TypeError, ValueError):
        inner = definition.get("function") if wrapped else definition
        return _Known(_name(inner), "` is nested too deeply, or holds what JSON does not have.", "Write it as plain JSON.")
    text = (b"t" if wrapped else b"f") + text
    known = _CACHE.get(text)
    if known is None:
        known = _compiled(definition, len(text), wrapped=wrapped)
        _CACHE.put(text, known)
    return known


def _compiled(definition: Raw, size: int, *, wrapped: bool) -> _Known:
    if wrapped and "function" not in definition and "name" in definition:
        fix = 'Wrap it: {"type": "function", "function": {"name": …, "parameters": …}}.'
        return _Known(_name(definition), "` is a bare function.", fix)
    try:
        function = Tool.model_validate(definition).function if wrapped else FunctionDefinition.model_validate(definition)
    except ValidationError as error:
        inner = definition.get("function") if wrapped else definition
        return _Known(_name(inner), *_explained(error))
    if function.parameters is None:
        return _Known(function.name)
    if size > MAX_SCHEMA_CHARS:
        return _Known(function.name, unchecked=f"it is longer than {MAX_SCHEMA_CHARS // 1024} KiB")
    try:
        schema = Schema(function.parameters)
    except ValueError as error:
        path = ".function.parameters" if wrapped else ".parameters"
        return _Known(function.name, f"{path}` {error}.", "Correct the schema; see https://json-schema.org.")
    if not schema.counted:
        return _Known(function.name, unchecked="it has keywords whose cost cannot be bounded")
    return _Known(function.name, schema=schema)


def _name(function: object) -> str:
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


def _explained(error: ValidationError) -> tuple[str, str]:
    first = error.errors(include_url=False, include_input=False)[0]
    path = "".join(f".{shown(step)}" for step in first["loc"])
    match first["type"]:
        case "missing":
            return f"{path}` is missing.", "Add it."
        case "extra_forbidden":
            guess = nearest(
                str(first["loc"][-1])[:_SHOWN], [*FunctionDefinition.model_fields] if len(first["loc"]) > 1 else ["type", "function"]
            )
            return f"{path}` is an unknown key.", f"Did you mean `{guess}`?" if guess else "Remove it."
        case "string_pattern_mismatch":
            return f"{path}` is no valid name.", "Use up to 64 letters, digits, `_` and `-`."
        case _:
            return f"{path}`: {first['msg']}.", "Correct the definition."
