"""All that is wrong with one row, by itself: its shape, its conversation, its tools, and what the target does not take.

Pydantic's schemas decide what a row may be; this module says in words what they refuse and adds what no schema can know. A good row
costs one validation and one pass over its messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from anytune.codes import finding
from anytune.data.check.features import unwanted
from anytune.data.check.structure import structure
from anytune.data.rows import KINDS, GradedRow, PreferenceRow, PromptRow, UnpairedRow, kind_of, wanted, word_of
from anytune.data.rows.lessons import blank, is_openai, shown, turns
from anytune.data.rules import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anytune.data.rows import Row
    from anytune.data.rules import Rules
    from anytune.values import Finding

__all__ = ["SHAPES", "judge"]

SHAPES: Mapping[str, str] = {
    "chat": '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}',
    "prompt": '{"prompt": "…", "completion": "…"}',
    "preference": '{"prompt": "…", "chosen": "the better answer", "rejected": "the worse one"}',
    "unpaired": '{"prompt": "…", "completion": "…", "label": true}',
    "graded": '{"messages": [{"role": "user", "content": "…"}], "reference": "…"}',
    "text": '{"text": "…"}',
}
"""The shortest row of each kind, for those who have another."""

Raw = dict[str, Any]

_KEYS_SHOWN = 12
_STANDING = frozenset({"system", "developer"})
_TAKING_TURNS = frozenset({"user", "assistant"})
_TOOL_ROLES = frozenset({"tool", "function"})
_NOTHING = object()


def judge(number: int, raw: Raw, method: str | None, rules: Rules = OPEN, *, grader: Mapping[str, Any] | None = None) -> list[Finding]:
    """Find all that is wrong with a row.

    Args:
        number: The row's line, for the findings.
        raw: The row, as JSON has it.
        method: `sft`, `dpo`, `orpo`, `reward`, `clm`, `kto`, `rft`, or None where any kind of row will do.
        rules: What the target takes.
        grader: The grader of a reinforcement run, OpenAI's JSON; a definition that is wrong itself is not looked into here.

    Returns:
        Nothing where the row is good.

    Example:
        >>> [found.code for found in judge(1, {"messages": [{"role": "user", "content": "2+2?"}]}, "sft")]
        ['no-assistant']
    """
    kind = _meant(raw, method)
    if kind is None:
        return [_unknown(number, raw, method)]
    if method is not None and kind not in (right := wanted(method)):
        words = " or ".join(word_of(one) for one in right)
        fix = f"Rows for {method} look like {SHAPES[word_of(right[0])]}."
        return [finding("wrong-kind", f"A row of kind {word_of(kind)}, but {method} learns from {words}.", fix, row=number)]
    found: list[Finding] = []
    try:
        kind.model_validate(raw)
    except ValidationError as error:
        found.extend(structure(number, raw, kind, error))
        found.extend(
            finding(problem.code, problem.message, problem.fix, row=number, message_index=problem.at) for problem in kind.lessons(raw)
        )
    talks = _conversations(raw, kind)
    called = False
    if raw.get("prompt") == "" and kind is not GradedRow:
        found.append(finding("empty-content", "`prompt` is empty.", "Leave it so only where the model is to speak unasked.", row=number))
    for path, talk in talks:
        called |= _manners(number, path, talk, found)
    if called or _declares(raw):
        from anytune.data.check.tools import tools  # noqa: PLC0415 - loads jsonschema, which plain rows do not need

        found.extend(tools(number, raw, kind))
    if "functions" in raw and raw["functions"] is not None and kind is not GradedRow:
        found.append(finding("deprecated-key", "`functions` is deprecated.", "Write them as `tools`.", row=number))
    if rules is not OPEN:
        found.extend(unwanted(number, raw, kind, rules, talks))
    if grader is not None and kind is GradedRow:
        found.extend(_lacking(number, raw, grader))
    return found


def _meant(raw: Raw, method: str | None) -> type[Row] | None:
    """Choose the schema: where two kinds share their keys, the one that the method learns from."""
    kind = kind_of(raw)
    if method is None or kind is None or kind in (right := wanted(method)):
        return kind
    if "messages" in raw:
        return next((one for one in right if "messages" in one.model_fields), kind)
    if kind is UnpairedRow and type(raw["label"]) is not bool:
        return next((one for one in right if "completion" in one.model_fields), kind)
    if UnpairedRow in right and kind is PromptRow:
        return UnpairedRow
    return kind


def _unknown(number: int, raw: Raw, method: str | None) -> Finding:
    shown_keys = ", ".join(shown(key) for key in sorted(map(str, raw))[:_KEYS_SHOWN]) + (", …" if len(raw) > _KEYS_SHOWN else "")
    right = [word_of(kind) for kind in (KINDS.values() if method is None else wanted(method))]
    fix = f"Rows{f' for {method}' if method else ''} look like {SHAPES[right[0]]}."
    return finding("unknown-row", f"No known kind of row; its keys: {shown_keys or 'none'}.", fix, row=number)


def _conversations(raw: Raw, kind: type[Row]) -> list[tuple[str, Sequence[Raw]]]:
    """Give the lists of messages that can be read one after the other, each with its path; malformed ones are left out."""
    if "messages" in kind.model_fields:
        sides: list[tuple[str, object]] = [("messages", raw.get("messages"))]
    elif kind is PreferenceRow:
        if is_openai(raw):
            inner = raw.get("input")
            sides = [("input.messages", inner.get("messages") if isinstance(inner, dict) else None)]
            sides += [(name, raw.get(name)) for name in ("preferred_output", "non_preferred_output")]
        else:
            sides = [(name, raw.get(name)) for name in ("prompt", "chosen", "rejected")]
    else:
        sides = [(name, raw.get(name)) for name in ("prompt", "completion")]
    return [(path, found) for path, side in sides if (found := turns(side))]


def _manners(number: int, path: str, found: Sequence[Raw], into: list[Finding]) -> bool:
    """Look at what is allowed and still odd: turns that are not taken, empty words, keys that are given up.

    Returns:
        Whether a tool is called or answers.
    """
    before: Raw | None = None
    late = doubled = called = False
    for index, turn in enumerate(found):
        role = turn["role"]
        content = turn.get("content")
        if role in _STANDING:
            if before is not None and before["role"] not in _STANDING and not late:
                late = True
                words = f"`{path}.{index}` is a message of {role}, after others."
                into.append(
                    finding("role-order", words, "Some chat templates take it only as the first message.", row=number, message_index=index)
                )
        elif (
            before is not None
            and role == before["role"]
            and not doubled
            and role in _TAKING_TURNS
            and turn.get("name") == before.get("name")
        ):
            doubled = True
            words = f"`{path}.{index}` is a second message of {role} in a row."
            into.append(finding("role-order", words, "Join them; some chat templates refuse it.", row=number, message_index=index))
        if type(content) is str and blank(content) and role not in _TOOL_ROLES:
            _emptied(number, path, index, turn, into)
        if role == "function" or turn.get("function_call") is not None:
            words = f"`{path}.{index}` is of role function." if role == "function" else f"`{path}.{index}.function_call` is deprecated."
            fix = "Write it as a message of role tool." if role == "function" else "Write it as `tool_calls`."
            into.append(finding("deprecated-key", words, fix, row=number, message_index=index))
        called = called or role in _TOOL_ROLES or "tool_calls" in turn or "function_call" in turn
        before = turn
    return called


def _alike(turn: Raw, before: Raw) -> bool:
    """Tell whether one speaker goes on: not another by name, and not after calls, whose results are missing then."""
    return turn.get("name") == before.get("name") and not before.get("tool_calls") and not before.get("function_call")


def _emptied(number: int, path: str, index: int, turn: Raw, into: list[Finding]) -> None:
    if turn["role"] == "assistant" and (turn.get("tool_calls") or turn.get("function_call") or turn.get("refusal")):
        return
    if any(known.code == "empty-answer" for known in into):
        return
    into.append(
        finding(
            "empty-content",
            f"`{path}.{index}.content` is empty.",
            "Write something, or remove the message.",
            row=number,
            message_index=index,
        )
    )


def _declares(raw: Raw) -> bool:
    inner = raw.get("input")
    return "tools" in raw or "functions" in raw or (isinstance(inner, dict) and inner.get("tools") is not None)


def _lacking(number: int, raw: Raw, grader: Mapping[str, Any]) -> Iterator[Finding]:
    from anytune.data.graders import fields  # noqa: PLC0415 - only rows that are graded

    for name in sorted(fields(grader)):
        value: object = raw
        for step in name.split("."):
            value = value.get(step, _NOTHING) if isinstance(value, dict) else _NOTHING
        if value is _NOTHING:
            fix = "Add the field to the row, or take it out of the grader."
            yield finding("missing-item-field", f"The grader uses `item.{name}`, which the row does not have.", fix, row=number)
