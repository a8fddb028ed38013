"""What a row uses that not every target takes: held against the target's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.codes import finding
from anytune.data.rows import GradedRow, PreferenceRow, TextRow
from anytune.data.rows.lessons import is_openai

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from anytune.data.rows import Row
    from anytune.data.rules import Feature, Rules
    from anytune.values import Finding

__all__ = ["features", "unwanted"]

Raw = dict[str, Any]

_OF_ROWS: tuple[Feature, ...] = ("parallel_tool_calls", "functions")
_OF_MESSAGES: tuple[Feature, ...] = ("weight", "name", "refusal")
_WORDS: Mapping[Feature, tuple[str, str]] = {
    "tools": ("tools", "Remove `tools` and the calls, or choose a target that takes tools."),
    "parallel_tool_calls": ("`parallel_tool_calls`", "Remove the key."),
    "functions": ("the deprecated functions", "Write them as `tools` and `tool_calls`."),
    "images": ("images", "Remove rows with images, or choose a model that sees."),
    "system": ("messages of role system", "Write them as role developer, or into the user's message."),
    "developer": ("messages of role developer", "Write them as role system."),
    "tool": ("messages of role tool", "Remove what follows the call, or choose a target that takes tools."),
    "weight": ("`weight`", "Remove the key; split rows so that all answers in them are to be learned."),
    "name": ("`name` in messages", "Remove the key, or write the name into the content."),
    "refusal": ("refusals", "Write the refusal as the content."),
    "several-answers": ("more than one message in an answer", "Keep one assistant's message on each side."),
    "text": ("rows of plain text", "Give prompts and answers: a chat model does not learn from bare text there. Local backends do."),
    "extra-fields": ("a row's own fields", "Remove them; the target's grader must do without."),
}


def unwanted(number: int, raw: Raw, kind: type[Row], rules: Rules, talks: Sequence[tuple[str, Sequence[Raw]]]) -> Iterator[Finding]:
    """Say which features of a row the target refuses or leaves out, and whether the last message is of the role it wants.

    Args:
        number: The row's line.
        raw: The row.
        kind: Its kind.
        rules: What the target takes.
        talks: Its well-formed lists of messages, with their paths.
    """
    target = rules.target or "The target"
    if rules.refuses or rules.drops:
        for feature, index in features(raw, kind, talks).items():
            words, fix = _WORDS[feature]
            if feature in rules.refuses:
                yield finding("refused-feature", f"{target} refuses {words}.", fix, row=number, message_index=index)
            elif feature in rules.drops:
                yield finding("dropped-feature", f"{target} leaves out {words}.", fix, row=number, message_index=index)
    if rules.last_role is not None and "messages" in kind.model_fields and talks:
        yield from _last(number, kind, rules, talks[0][1])


def features(raw: Raw, kind: type[Row], talks: Sequence[tuple[str, Sequence[Raw]]]) -> dict[Feature, int | None]:
    """Give the features that a row uses, each with the index of the first message that has it."""
    found: dict[Feature, int | None] = {"text": None} if kind is TextRow else {}
    inner = raw["input"] if kind is PreferenceRow and is_openai(raw) and isinstance(raw.get("input"), dict) else raw
    if inner.get("tools") is not None:
        found["tools"] = None
    if kind is GradedRow:
        if raw.keys() - {"messages", "tools"}:
            found["extra-fields"] = None
    else:
        for key in _OF_ROWS:
            if inner.get(key) is not None:
                found[key] = None
    for path, talk in talks:
        for index, turn in enumerate(talk):
            for feature in _of(turn):
                found.setdefault(feature, index)
        if path in {"chosen", "rejected", "preferred_output", "non_preferred_output"} and len(talk) > 1:
            found.setdefault("several-answers", None)
    return found


def _of(turn: Raw) -> Iterator[Feature]:
    role = turn["role"]
    if role in {"system", "developer", "tool"}:
        yield role
    if role == "function" or turn.get("function_call") is not None:
        yield "functions"
    if turn.get("tool_calls"):
        yield "tools"
    for key in _OF_MESSAGES:
        if turn.get(key) is not None:
            yield key
    if isinstance(content := turn.get("content"), list):
        sorts = {part.get("type") for part in content if isinstance(part, dict) and isinstance(part.get("type"), str)}
        if "image_url" in sorts:
            yield "images"
        if "refusal" in sorts:
            yield "refusal"


def _last(number: int, kind: type[Row], rules: Rules, talk: Sequence[Raw]) -> Iterator[Finding]:
    last = talk[-1]["role"]
    known = last in {"user", "tool"} if kind is GradedRow else last == "assistant"
    if last == rules.last_role or not known:
        return
    code = "last-not-user" if rules.last_role == "user" else "last-not-assistant"
    words = f"{rules.target or 'The target'} wants a message of {rules.last_role} at the end; the last one is of {last}."
    yield finding(code, words, f"End the row with the {rules.last_role}'s message.", row=number, message_index=len(talk) - 1)
