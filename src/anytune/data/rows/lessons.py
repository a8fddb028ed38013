"""What a row needs, beyond right keys and types, so that something can be learned from it.

Rules read the row as it is in the file, and pass over what is malformed: the schemas say that. Pydantic refuses a row at the first
rule that it breaks; checks ask for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.data.rows.messages import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "OPENAI_KEYS",
    "Problem",
    "blank",
    "chat",
    "graded",
    "is_openai",
    "preference",
    "prompt",
    "says",
    "shown",
    "text",
    "turns",
    "unpaired",
]

Raw = dict[str, Any]

OPENAI_KEYS = frozenset({"input", "preferred_output", "non_preferred_output"})
_OPENAI_KEYS_MEANT = {
    "preferred_completion": "preferred_output",
    "non_preferred_completion": "non_preferred_output",
    "chosen": "preferred_output",
    "rejected": "non_preferred_output",
}
_LONGEST_WORD = 60
_LONGEST_SECRET = 4000
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"))
"""Characters that show nothing by themselves, and that Python does not count as space."""

_INPUT_KEYS = frozenset({"messages", "tools", "parallel_tool_calls"})


class Problem(NamedTuple):
    """What is wrong: a code of `anytune.codes`, words, what to do, and the index of the message."""

    code: str
    message: str
    fix: str
    at: int | None = None


def chat(raw: Raw) -> Iterator[Problem]:
    """Judge a conversation: it must end with the assistant, and some turn of the assistant must be learned and say something."""
    found = turns(raw.get("messages"))
    if found:
        yield from _spoken(found, "messages")
        yield from _learned(found, "messages")
        if any(turn["role"] == "assistant" for turn in found) and (last := found[-1]["role"]) != "assistant":
            fix = "End the row with the answer that is to be learned, or remove what follows it."
            yield Problem("last-not-assistant", f"The last message is of {last}, not of the assistant.", fix, len(found) - 1)


def graded(raw: Raw) -> Iterator[Problem]:
    """Judge a graded row: it ends with what the model is to answer."""
    found = turns(raw.get("messages"))
    if found:
        yield from _spoken(found, "messages")
        last = found[-1]["role"]
        if last not in {"user", "tool"}:
            fix = "End `messages` with the user's message; keep a reference answer in a field of its own, for the grader."
            yield Problem("last-not-user", f"The last message is of {last}; a graded row ends with the user's.", fix, len(found) - 1)


def prompt(raw: Raw) -> Iterator[Problem]:
    """Judge a prompt with its completion."""
    yield from _asked(raw.get("prompt"))
    completion = raw.get("completion")
    if isinstance(completion, str):
        if blank(completion):
            yield Problem("empty-answer", "The completion is empty.", "Write what is to be learned, or remove the row.")
    elif found := turns(completion):
        yield from _spoken(found, "completion")
        yield from _learned(found, "completion")


def unpaired(raw: Raw) -> Iterator[Problem]:
    """Judge a prompt whose completion is labelled good or bad."""
    return prompt(raw)


def preference(raw: Raw) -> Iterator[Problem]:
    """Judge a prompt with two answers, in either form."""
    if is_openai(raw):
        yield from _openai(raw)
        inner = raw.get("input")
        yield from _asked(inner.get("messages") if isinstance(inner, dict) else None, "input.messages")
        names = ("preferred_output", "non_preferred_output")
    else:
        yield from _asked(raw.get("prompt"))
        names = ("chosen", "rejected")
    for name in names:
        yield from _answer(raw.get(name), name)
    first, second = (raw.get(name) for name in names)
    if first is not None and _trimmed(first) == _trimmed(second):
        fix = "Keep a pair only where one answer is better; remove the row otherwise."
        yield Problem("same-answers", f"`{names[0]}` and `{names[1]}` are the same.", fix)


def text(raw: Raw) -> Iterator[Problem]:
    """Judge plain text."""
    said = raw.get("text")
    if isinstance(said, str) and blank(said):
        yield Problem("empty-answer", "`text` is empty.", "Remove the row.")


def turns(value: object) -> list[Raw]:
    """Give a list of messages, or an empty one where any is malformed: what depends on their order cannot be judged then."""
    if isinstance(value, list):
        for turn in value:
            if not (isinstance(turn, dict) and type(role := turn.get("role")) is str and role in ROLES):
                return []
        return value
    return []


def says(turn: Mapping[str, Any]) -> bool:
    """Tell whether an assistant's message says, calls or declines something."""
    content = turn.get("content")
    if isinstance(content, str):
        if not blank(content):
            return True
    elif isinstance(content, list):
        if any(_worded(part) for part in content):
            return True
    elif content is not None:
        return True  # malformed, which is another finding
    refusal = turn.get("refusal")
    return bool(turn.get("tool_calls") or turn.get("function_call") or (isinstance(refusal, str) and refusal.strip()))


def shown(word: object) -> str:
    """Give a key or a word of a row as a message may hold it: printable, and not longer than 60 characters."""
    said = ascii(word)[1:-1] if isinstance(word, str) and not word.isprintable() else str(word)
    if len(said) <= _LONGEST_WORD:
        return said
    from anytune.data.check.secrets import hidden  # noqa: PLC0415 - a secret that is cut off is not known as one any more

    said = hidden(said[:_LONGEST_SECRET])
    return said if len(said) <= _LONGEST_WORD else said[: _LONGEST_WORD - 1] + "…"


def blank(said: str) -> bool:
    """Tell whether a text shows nothing: it is empty, or of spaces and of characters without width."""
    return not said or said.isspace() or ((said[0] == " " or not said[0].isprintable()) and not said.translate(_UNSEEN).strip())


def is_openai(raw: Mapping[str, Any]) -> bool:
    """Tell whether a preference is in OpenAI's form."""
    return "preferred_output" in raw or "non_preferred_output" in raw or isinstance(raw.get("input"), dict)


def _trimmed(answer: object) -> object:
    """Give an answer without the blanks around its texts: they are no preference."""
    if isinstance(answer, str):
        return answer.strip()
    if isinstance(answer, list):
        return [_trimmed(turn) for turn in answer]
    if isinstance(answer, dict) and isinstance(answer.get("content"), str):
        return answer | {"content": answer["content"].strip()}
    return answer


def _worded(part: object) -> bool:
    if not isinstance(part, dict) or part.get("type") not in ("text", "refusal"):
        return True  # malformed or misplaced, which is another finding
    said = part.get("text") or part.get("refusal")
    return (not isinstance(said, str) or not blank(said)) if said else False


def _spoken(found: Sequence[Raw], path: str) -> Iterator[Problem]:
    for index, turn in enumerate(found):
        if turn["role"] == "assistant" and turn.get("content") is None and not says(turn):
            words = f"`{path}.{index}` has neither `content` nor `tool_calls`."
            yield Problem("missing-content", words, "Give the message `content`, `tool_calls` or `refusal`, or remove it.", index)


def _learned(found: Sequence[Raw], path: str) -> Iterator[Problem]:
    spoken = [turn for turn in found if turn["role"] == "assistant"]
    if not spoken:
        yield Problem("no-assistant", f"No assistant's message in `{path}` to learn from.", "Add the answer that is to be learned.")
        return
    learned = [turn for turn in spoken if turn.get("weight") != 0]
    if not learned:
        fix = "Give the turns that are to be learned weight 1, or remove the row."
        yield Problem("all-weights-zero", f"Every assistant's message in `{path}` has weight 0.", fix)
    elif not any(map(says, learned)) and not all(turn.get("content") is None for turn in learned):
        first = next(index for index, turn in enumerate(found) if turn in learned)
        words = "Every assistant's message that is learned is empty."
        yield Problem("empty-answer", words, "Write the answer, or remove the row.", first)


def _asked(value: object, path: str = "prompt") -> Iterator[Problem]:
    if found := turns(value):
        yield from _spoken(found, path)


def _answer(value: object, name: str) -> Iterator[Problem]:
    if isinstance(value, str):
        if blank(value):
            yield Problem("empty-answer", f"`{name}` is empty.", "Write the answer, or remove the row.")
        return
    found = turns(value)
    if not found:
        return
    yield from _spoken(found, name)
    first = found[0]["role"]
    if first != "assistant":
        fix = "Keep the conversation so far in the prompt, and only the answer here."
        yield Problem("bad-value", f"`{name}` begins with a message of {first}, not of the assistant.", fix, 0)
        return
    for index, turn in enumerate(found):
        if turn["role"] not in {"assistant", "tool"}:
            fix = "Keep only assistant's (and tools') messages in an answer."
            yield Problem("bad-value", f"`{name}.{index}` is a message of {turn['role']}, inside an answer.", fix, index)
    yield from _learned(found, name)


def _openai(raw: Raw) -> Iterator[Problem]:
    for key in raw:
        if key not in OPENAI_KEYS:
            meant = _OPENAI_KEYS_MEANT.get(key)
            fix = f"Did you mean `{meant}`?" if meant else "Remove it, or keep it in `input`."
            yield Problem("unknown-key", f"Unknown key `{shown(key)}` beside `input`.", fix)
    inner = raw.get("input")
    if isinstance(inner, dict):
        yield from (Problem("unknown-key", f"Unknown key `input.{shown(key)}`.", "Remove it.") for key in inner if key not in _INPUT_KEYS)
    elif "input" in raw:
        yield Problem("bad-type", "`input` is not an object.", 'Write it as an object: {"messages": […]}.')
    for name in ("preferred_output", "non_preferred_output"):
        if isinstance(raw.get(name), str):
            fix = 'Write it as a list of messages: [{"role": "assistant", "content": "…"}].'
            yield Problem("bad-type", f"`{name}` is text; beside `input` it is a list of messages.", fix)
