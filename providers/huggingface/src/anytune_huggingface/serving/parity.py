"""Three prompts and what the tuned model says to each: the gate asks the served model the same, and compares."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.errors import DataError
from anytune_huggingface.text.rows import Chat, Preference, Text, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.data.files import Line
    from anytune_huggingface.text.render import Renderer

__all__ = ["ROWS", "TOKENS", "Prompt", "beginning", "prompts", "row"]

ROWS = 3
TOKENS = 16

_LOOKED_AT = 50
_BEGINNING = 80
"""Characters."""


class Prompt(NamedTuple):
    """Messages up to where the assistant speaks."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None


def prompts(rows: Iterable[Line], method: str, renderer: Renderer) -> list[Prompt]:
    """Choose the shortest prompts among a file's first rows: they say as much as long ones and cost less.

    Plain text is asked for by its own beginning, as a user's turn; a model without a chat template cannot be asked, and gets no prompts.
    """
    if not renderer.tokenizer.chat_template:
        return []
    found: dict[str, Prompt] = {}
    for line in islice(rows, _LOOKED_AT):
        try:
            prompt = _prompt(read(line, method))
        except DataError:  # left out of training, too
            continue
        if prompt.messages:
            found[repr(prompt)] = prompt
    return sorted(found.values(), key=lambda p: len(renderer.prompt_ids(p.messages, p.tools)))[:ROWS]


def _prompt(row: Chat | Preference | Text) -> Prompt:
    if isinstance(row, Text):
        return Prompt([{"role": "user", "content": row.text[:_BEGINNING]}], None)
    if isinstance(row, Chat):
        return Prompt(row.messages[: row.learned[0]] if row.learned else [], row.tools)
    return Prompt(row.prompt, row.tools)


def row(model: Any, renderer: Renderer, prompt: Prompt) -> dict[str, Any]:
    """Generate greedily from one prompt."""
    ids = renderer.prompt_ids(prompt.messages, prompt.tools)
    new = _generated(model, ids)
    decode = renderer.tokenizer.decode
    return {
        "messages": [_as_request(turn) for turn in prompt.messages],
        "tools": prompt.tools,
        "prompt_tokens": len(ids),
        "token_ids": new,
        "text": decode(new, skip_special_tokens=True),
        "first_token": decode(new[:1], skip_special_tokens=True),
    }


def beginning(model: Any, renderer: Renderer) -> dict[str, Any]:
    """Generate from nothing but a word: the proof of life of a model that has no chat template."""
    return {"token_ids": _generated(model, list(renderer.tokenizer("The")["input_ids"]))}


def _generated(model: Any, ids: list[int]) -> list[int]:
    import torch  # noqa: PLC0415 - in the training child only

    asked = torch.tensor([ids], device=model.device)
    with torch.inference_mode():
        whole = model.generate(
            asked, attention_mask=torch.ones_like(asked), max_new_tokens=TOKENS, do_sample=False, temperature=None, top_p=None, top_k=None
        )
    return [int(i) for i in whole[0, len(ids) :]]


def _as_request(turn: dict[str, Any]) -> dict[str, Any]:
    """Give a message as a client of the OpenAI protocol sends it: tool arguments are JSON text there."""
    if "tool_calls" not in turn:
        return turn
    calls = [c | {"function": c["function"] | {"arguments": json.dumps(c["function"]["arguments"])}} for c in turn["tool_calls"]]
    return turn | {"tool_calls": calls}
