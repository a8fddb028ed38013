"""The kinds of rows by their words, and which of them a method learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.data.rows.answers import PreferenceRow, PromptRow, TextRow, UnpairedRow
from anytune.data.rows.chat import ChatRow, GradedRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.data.rows.row import KindOfRow

__all__ = ["KINDS", "METHODS", "Row", "kind_of", "wanted", "word_of"]

Row = ChatRow | PromptRow | PreferenceRow | UnpairedRow | GradedRow | TextRow

KINDS: Mapping[str, type[Row]] = {
    "chat": ChatRow,
    "prompt": PromptRow,
    "preference": PreferenceRow,
    "unpaired": UnpairedRow,
    "graded": GradedRow,
    "text": TextRow,
}
"""The word of each kind, as reports and the command line use it, and its schema."""

_WORDS: Mapping[type[KindOfRow], str] = {kind: word for word, kind in KINDS.items()}
_WANTED: Mapping[str, tuple[type[Row], ...]] = {
    "sft": (ChatRow, PromptRow, TextRow),
    "dpo": (PreferenceRow,),
    "orpo": (PreferenceRow,),
    "reward": (PreferenceRow,),
    "clm": (TextRow, ChatRow, PromptRow),
    "kto": (UnpairedRow,),
    "rft": (GradedRow,),
}
METHODS = frozenset(_WANTED)
"""Methods of which core knows what they learn from."""

_KEYS: Mapping[str, type[Row]] = {
    "chosen": PreferenceRow,
    "rejected": PreferenceRow,
    "preferred_output": PreferenceRow,
    "non_preferred_output": PreferenceRow,
    "completion": PromptRow,
    "prompt": PromptRow,
    "text": TextRow,
}
_CHAT_KEYS = frozenset(ChatRow.model_fields)


def kind_of(raw: dict[str, Any]) -> type[Row] | None:
    """Tell by its keys which schema a row means to follow, or None.

    Chat rows and graded rows both have `messages`: a row with fields of its own that does not end with the
    assistant is taken for a graded one.

    Example:
        >>> kind_of({"prompt": "2+2?", "completion": "4"}).__name__
        'PromptRow'
    """
    if "messages" in raw:
        return GradedRow if not raw.keys() <= _CHAT_KEYS and _asks(raw["messages"]) else ChatRow
    if "label" in raw and "completion" in raw:
        return UnpairedRow
    if isinstance(raw.get("input"), dict) and "messages" in raw["input"]:
        return PreferenceRow
    return next((kind for key, kind in _KEYS.items() if key in raw), None)


def wanted(method: str) -> tuple[type[Row], ...]:
    """Give the kinds that a method learns from; all kinds for a method of which core does not know it.

    Example:
        >>> [word_of(kind) for kind in wanted("sft")]
        ['chat', 'prompt', 'text']
    """
    return _WANTED.get(method, tuple(KINDS.values()))


def word_of(kind: type[Row]) -> str:
    """Give the word of a kind."""
    return _WORDS[kind]


def _asks(messages: object) -> bool:
    last = messages[-1] if isinstance(messages, list) and messages else None
    return isinstance(last, dict) and last.get("role") in ("user", "tool", "system", "developer")
