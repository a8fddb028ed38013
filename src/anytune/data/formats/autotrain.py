"""What AutoTrain 0.8.36 takes for language models: conversations in one column, or `prompt`, `chosen` and `rejected`; no tools, no weights.

It applies the chat template to `messages` and learns the whole text; of pairs it takes all turns but the last of `chosen` as the prompt,
and the last one of either side as the answers. (Read in its `trainers/clm/utils.py`, 2026-11-22.)
"""

from __future__ import annotations

from typing import Any

from anytune.data.formats.canonical import impossible, pair, talk, text_only
from anytune.data.formats.losses import Loss
from anytune.data.formats.turns import Messages, calls, modern, plain_text, turns, unweighted

__all__ = ["write"]

_WHOLE = Loss("messages", "AutoTrain learns all turns, the user's too", fix="Use another trainer where only answers are to be learned.")


def write(row: dict[str, Any], kind: str) -> tuple[dict[str, Any] | None, list[Loss]]:
    """Write a canonical row for AutoTrain."""
    if kind == "text":
        return dict(row), []
    if kind in {"chat", "prompt"}:
        messages, tools, losses = talk(row, kind)
        plain, found = _plain(messages)
        return {"messages": plain}, list(dict.fromkeys([*losses, _WHOLE, *_tools(tools), *found]))
    if kind == "preference":
        sides = pair(row)
        if sides.plain:
            return {"prompt": sides.prompt, "chosen": sides.chosen, "rejected": sides.rejected}, [*sides.losses, *_tools(sides.tools)]
        prompt, losses = _plain([{k: v for k, v in message.items() if k != "weight"} for message in turns(sides.prompt, "user")])
        (chosen, more), (rejected, also) = (_plain(turns(side, "assistant")) for side in (sides.chosen, sides.rejected))
        if len(chosen) != 1 or len(rejected) != 1:
            return None, impossible("AutoTrain", kind, "Keep one turn in each answer: AutoTrain takes the last one only.")
        asked = next((plain_text(message.get("content")) for message in reversed(prompt) if message["role"] == "user"), "")
        whole = {"prompt": asked, "chosen": [*prompt, *chosen], "rejected": [*prompt, *rejected]}
        form = Loss("prompt", "it is repeated at the head of both answers, as AutoTrain wants it", "info")
        return whole, list(dict.fromkeys([*sides.losses, form, *_tools(sides.tools), *losses, *more, *also]))
    return None, impossible("AutoTrain", kind, "Train them with `trl` (unpaired) or `openai` (graded).")


def _plain(messages: Messages) -> tuple[Messages, list[Loss]]:
    messages, weights = unweighted(messages)
    messages, old = modern(messages)
    messages, found = text_only(messages)
    losses = [*weights, *old, *found]
    if any(calls(message) or message["role"] == "tool" for message in messages):
        losses.append(Loss("tool_calls", "AutoTrain has no word for calls and their answers", "error"))
        messages = [message for message in messages if message["role"] != "tool" and (not calls(message) or message.get("content"))]
    if any(message.get("name") for message in messages):
        losses.append(Loss("name", "names of speakers are left out"))
    return [{"role": message["role"], "content": message.get("content") or ""} for message in messages], losses


def _tools(tools: list[dict[str, Any]]) -> list[Loss]:
    return [Loss("tools", "AutoTrain has no word for them", "error")] if tools else []
