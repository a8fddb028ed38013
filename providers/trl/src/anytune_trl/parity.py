"""Three prompts and what the tuned model says to each: the gate asks the served model the same, and compares."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.data import ChatRow, PreferenceRow, PromptRow, lines
from anytune_trl.rows import chats, preferences

if TYPE_CHECKING:
    from pathlib import Path

    from anytune_trl.render import Renderer

__all__ = ["ROWS", "TOKENS", "Prompt", "prompts", "row"]

ROWS = 3
TOKENS = 16

_LOOKED_AT = 50


class Prompt(NamedTuple):
    """Messages up to where the assistant speaks."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None


def prompts(path: Path, method: str, renderer: Renderer) -> list[Prompt]:
    """Choose the shortest prompts among a file's first rows: they say as much as long ones and cost less."""
    found: dict[str, Prompt] = {}
    for line in islice(lines(path), _LOOKED_AT):
        if method == "sft":
            kind: Any = ChatRow if "messages" in line.row else PromptRow
            for chat in chats([(line.number, kind.model_validate(line.row))]):
                prompt = Prompt(chat.messages[: chat.learned[0]], chat.tools)
                if prompt.messages:
                    found[repr(prompt)] = prompt
        else:
            for preference in preferences([(line.number, PreferenceRow.model_validate(line.row))]):
                prompt = Prompt(preference.prompt, preference.tools)
                found[repr(prompt)] = prompt
    return sorted(found.values(), key=lambda p: len(renderer.prompt_ids(p.messages, p.tools)))[:ROWS]


def row(model: Any, renderer: Renderer, prompt: Prompt) -> dict[str, Any]:
    """Generate greedily from one prompt."""
    import torch  # noqa: PLC0415 - in the training child only

    ids = renderer.prompt_ids(prompt.messages, prompt.tools)
    asked = torch.tensor([ids], device=model.device)
    with torch.inference_mode():
        whole = model.generate(
            asked, attention_mask=torch.ones_like(asked), max_new_tokens=TOKENS, do_sample=False, temperature=None, top_p=None, top_k=None
        )
    new = [int(i) for i in whole[0, len(ids) :]]
    decode = renderer.tokenizer.decode
    return {
        "messages": [_as_request(turn) for turn in prompt.messages],
        "tools": prompt.tools,
        "prompt_tokens": len(ids),
        "token_ids": new,
        "text": decode(new, skip_special_tokens=True),
        "first_token": decode(new[:1], skip_special_tokens=True),
    }


def _as_request(turn: dict[str, Any]) -> dict[str, Any]:
    """Give a message as a client of the OpenAI protocol sends it: tool arguments are JSON text there."""
    if "tool_calls" not in turn:
        return turn
    calls = [c | {"function": c["function"] | {"arguments": json.dumps(c["function"]["arguments"])}} for c in turn["tool_calls"]]
    return turn | {"tool_calls": calls}
