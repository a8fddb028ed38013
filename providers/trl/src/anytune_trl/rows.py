"""From a row of the data file to plain messages, as a chat template takes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.data import ChatRow, Message, PreferenceRow, PromptRow
from anytune.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Chat", "Preference", "chats", "message", "preferences"]


class Chat(NamedTuple):
    """One conversation: its line in the file, the messages, which of them are learned, the tools."""

    row: int
    messages: list[dict[str, Any]]
    learned: tuple[int, ...]
    tools: list[dict[str, Any]] | None


class Preference(NamedTuple):
    """One prompt with a preferred and a rejected answer, all as messages."""

    row: int
    prompt: list[dict[str, Any]]
    chosen: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None


def chats(numbered: Iterable[tuple[int, ChatRow | PromptRow]]) -> Iterable[Chat]:
    """Give each row as a conversation.

    A plain prompt and completion become a user's and an assistant's turn: endpoints speak chat, so that is what the model will see. With
    `prompt` and `completion` as messages only the completion's assistant turns are learned.
    """
    for row, parsed in numbered:
        if isinstance(parsed, ChatRow):
            turns, first = parsed.messages, 0
        else:
            prompt = _turns(parsed.prompt, "user")
            turns, first = [*prompt, *_turns(parsed.completion, "assistant")], len(prompt)
        learned = tuple(i for i, turn in enumerate(turns) if i >= first and turn.role == "assistant" and turn.weight != 0)
        yield Chat(row, [message(turn) for turn in turns], learned, parsed.tools)


def preferences(numbered: Iterable[tuple[int, PreferenceRow]]) -> Iterable[Preference]:
    """Give each row as a prompt with two answers.

    Raises:
        DataError: An answer does not begin with the assistant.
    """
    for row, parsed in numbered:
        answers = [_turns(side, "assistant") for side in (parsed.chosen, parsed.rejected)]
        if any(answer[0].role != "assistant" for answer in answers):
            raise DataError(f"Row {row}: an answer begins with a message that is not the assistant's.", fix="Keep the prompt in `prompt`.")
        chosen, rejected = ([message(turn) for turn in answer] for answer in answers)
        yield Preference(row, [message(turn) for turn in _turns(parsed.prompt, "user")], chosen, rejected, parsed.tools)


def message(turn: Message) -> dict[str, Any]:
    """Give a turn as templates take it: text content, tool arguments as mappings, nothing of ours.

    `transformers serve` shapes a request in the same way (read in 5.23), so that training and serving render alike.
    """
    plain: dict[str, Any] = {"role": turn.role, "content": turn.text}
    if turn.tool_calls:
        plain["tool_calls"] = [
            {"type": "function", "function": {"name": call.function.name, "arguments": json.loads(call.function.arguments)}}
            | ({"id": call.id} if call.id else {})
            for call in turn.tool_calls
        ]
    if turn.tool_call_id:
        plain["tool_call_id"] = turn.tool_call_id
    if turn.name:
        plain["name"] = turn.name
    return plain


def _turns(side: str | Sequence[Message], role: str) -> list[Message]:
    return [Message.model_validate({"role": role, "content": side})] if isinstance(side, str) else list(side)
