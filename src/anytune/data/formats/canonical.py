"""anytune's own rows, seen by their keys: which kind one is, and how it reads as a conversation. Types are the check's business."""

from __future__ import annotations

from typing import Any, NamedTuple

from anytune.data.formats.losses import Loss
from anytune.data.formats.turns import Messages, calls, has_parts, turns
from anytune.data.rows import kind_of, word_of

__all__ = ["Pair", "Talk", "Unreadable", "bare", "fits", "impossible", "kind_word", "pair", "talk", "text_only"]

_KEYS = {
    "chat": {"messages", "tools", "parallel_tool_calls", "functions"},
    "unpaired": {"prompt", "completion", "label", "tools"},
    "prompt": {"prompt", "completion", "tools"},
    "preference": {"prompt", "chosen", "rejected", "tools", "parallel_tool_calls"},
    "openai-dpo": {"input", "preferred_output", "non_preferred_output"},
    "text": {"text"},
}
_NEEDED = {
    "chat": {"messages"},
    "unpaired": {"prompt", "completion", "label"},
    "prompt": {"prompt", "completion"},
    "preference": {"prompt", "chosen", "rejected"},
    "openai-dpo": {"input", "preferred_output", "non_preferred_output"},
    "text": {"text"},
}


class Unreadable(ValueError):
    """A row says that it is of a format and is not; `code` is one of `anytune.codes`."""

    def __init__(self, code: str, problem: str) -> None:
        """Keep the code."""
        super().__init__(problem)
        self.code = code


class Talk(NamedTuple):
    """A conversation: its messages, tools, and what is lost by seeing the row as one."""

    messages: Messages
    tools: list[dict[str, Any]]
    losses: list[Loss]


class Pair(NamedTuple):
    """A prompt with two answers, each as text or as messages."""

    prompt: str | Messages
    chosen: str | Messages
    rejected: str | Messages
    tools: list[dict[str, Any]]
    losses: list[Loss]

    @property
    def plain(self) -> bool:
        """Tell whether all three are texts."""
        return all(isinstance(side, str) for side in (self.prompt, self.chosen, self.rejected))


def kind_word(row: dict[str, Any], method: str | None = None) -> str:
    """Tell by its keys which kind a row is; empty where it is none."""
    kind = kind_of(row)
    word = "" if kind is None else word_of(kind)
    return "graded" if word == "chat" and method == "rft" else word


def fits(row: dict[str, Any]) -> str:
    """Give `anytune` or `openai-dpo` where a row has the keys of one kind and no others, with values of the right shape; else nothing."""
    keys = {key for key, value in row.items() if value is not None}
    for word, known in _KEYS.items():
        if _NEEDED[word] <= keys <= known and _shaped(word, row):
            return "openai-dpo" if word == "openai-dpo" else "anytune"
    return "anytune" if kind_word(row) == "graded" and _shaped("chat", row) else ""


def talk(row: dict[str, Any], kind: str) -> Talk:
    """See a chat, prompt or unpaired row as one conversation; assistants' turns of a prompt get weight 0, since they are not learned."""
    losses: list[Loss] = []
    tools = list(row.get("tools") or [])
    if kind == "chat":
        messages = [dict(message) for message in row["messages"]]
        more = [{"type": "function", "function": function} for function in row.get("functions") or []]
        if more:
            losses.append(Loss("functions", "the given-up form of tools is written as `tools`", "info"))
            tools += more
        if row.get("parallel_tool_calls") is not None:
            losses.append(Loss("parallel_tool_calls", "the setting is left out"))
    else:
        prompt = [message | {"weight": 0} if message.get("role") == "assistant" else message for message in turns(row["prompt"], "user")]
        messages = [*prompt, *turns(row["completion"], "assistant")]
        losses.append(Loss("prompt, completion", "they become the turns of one conversation", "info"))
    return Talk(messages, tools, losses)


def pair(row: dict[str, Any]) -> Pair:
    """See a preference row of either form as a prompt with two answers."""
    inner = row.get("input", row)
    losses = [] if inner.get("parallel_tool_calls") is None else [Loss("parallel_tool_calls", "the setting is left out")]
    if inner is row:
        return Pair(row["prompt"], row["chosen"], row["rejected"], list(row.get("tools") or []), losses)
    return Pair(inner["messages"], row["preferred_output"], row["non_preferred_output"], list(inner.get("tools") or []), losses)


def text_only(messages: Messages) -> tuple[Messages, list[Loss]]:
    """Give contents as plain text, and say what is lost: images, refusals, the borders of parts."""
    losses = []
    if has_parts(messages, "image_url"):
        losses.append(Loss("images", "the format has no word for them, and the model would answer what it did not see", "error"))
    if any(message.get("refusal") for message in messages) or has_parts(messages, "refusal"):
        losses.append(Loss("refusal", "the format has no word for it, so it would not be learned", "error"))
    if any(isinstance(message.get("content"), list) for message in messages):
        losses.append(Loss("content", "text parts are joined to one text", "info"))
    done = []
    for message in messages:
        plain = {key: value for key, value in message.items() if key != "refusal" and (value is not None or key == "content")}
        if isinstance(plain.get("content"), list):
            plain["content"] = "".join(str(part["text"]) for part in plain["content"] if part.get("type") == "text")
        done.append(plain)
    return done, losses


def bare(messages: Messages) -> bool:
    """Tell whether calls and answers are linked by their order alone, as TRL's examples have them."""
    ids = [call.get("id") for message in messages for call in calls(message)]
    links = [message.get("tool_call_id") for message in messages if message.get("role") == "tool"]
    return bool(ids and links) and not any(ids) and not any(links)


def impossible(dialect: str, kind: str, fix: str) -> list[Loss]:
    """Say that a dialect has no such rows."""
    return [Loss(f"{kind or 'unknown'} rows", f"{dialect} has no word for them", "error", fix)]


def _shaped(word: str, row: dict[str, Any]) -> bool:
    if word == "chat":
        return _messages(row["messages"]) and not bare(row["messages"])
    if word == "openai-dpo":
        return isinstance(row["input"], dict)
    if word == "text":
        return isinstance(row["text"], str)
    sides = [row[key] for key in _NEEDED[word] - {"label"}]
    if word == "unpaired" and not isinstance(row["label"], bool):
        return False
    if word == "preference" and _implicit(row):
        return False
    return all(isinstance(side, str) or (_messages(side) and not bare(side)) for side in sides)


def _messages(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(message, dict) and "role" in message for message in value)


def _implicit(row: dict[str, Any]) -> bool:
    return any(
        isinstance(row[key], list) and row[key] and _role(row[key][0]) in {"user", "system", "developer"} for key in ("chosen", "rejected")
    )


def _role(message: object) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role if isinstance(role, str) else ""
