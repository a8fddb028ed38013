"""Alpaca: `instruction`, `input`, `output`, with LLaMA-Factory's `system`, `history`, `chosen`, `rejected`, `kto_tag`; Dolly's names, too.

The input is put under the instruction, on a line of its own, as LLaMA-Factory does. (Its data page, read 2026-11-22.)
"""

from __future__ import annotations

from typing import Any

from anytune.data.formats.canonical import Unreadable, impossible, pair, talk, text_only
from anytune.data.formats.losses import Loss, left_out
from anytune.data.formats.turns import Messages, strict_json, turns, unweighted

__all__ = ["fits", "read", "write"]

_PAIR = 2
_ROUNDS = "Alpaca holds a system's message and turns of user and assistant; write other conversations as `sharegpt`."


def fits(row: dict[str, Any]) -> bool:
    """Tell whether a row is one of Alpaca's."""
    if not isinstance(row.get("instruction"), str):
        return False
    if isinstance(row.get("chosen"), str) and isinstance(row.get("rejected"), str):
        return True
    if isinstance(row.get("output"), str):
        return True
    return isinstance(row.get("context"), str) and isinstance(row.get("response"), str)


def read(row: dict[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
    """Read a row of Alpaca's.

    Raises:
        Unreadable: The history is no list of pairs.
    """
    dolly = "output" not in row and isinstance(row.get("response"), str)
    more, answer = ("context", "response") if dolly else ("input", "output")
    asked = row["instruction"]
    if isinstance(row.get(more), str) and row[more].strip():
        asked = f"{asked}\n{row[more]}"
    prompt: Messages = [{"role": "system", "content": row["system"]}] if isinstance(row.get("system"), str) and row["system"] else []
    prompt += [*_history(row.get("history")), {"role": "user", "content": asked}]
    known = {"instruction", more, "system", "history"}
    if isinstance(row.get("chosen"), str):
        sides = {key: turns(row[key], "assistant") for key in ("chosen", "rejected")}
        return {"prompt": prompt} | sides, left_out(row, {*known, *sides})
    completion = turns(row[answer], "assistant")
    if isinstance(row.get("kto_tag"), bool):
        return {"prompt": prompt, "completion": completion, "label": row["kto_tag"]}, left_out(row, {*known, answer, "kto_tag"})
    return {"messages": [*prompt, *completion]}, left_out(row, {*known, answer})


def write(row: dict[str, Any], kind: str) -> tuple[dict[str, Any] | None, list[Loss]]:
    """Write a canonical row as Alpaca."""
    if kind == "preference":
        sides = pair(row)
        answers = [turns(side, "assistant") for side in (sides.chosen, sides.rejected)]
        if any(len(answer) != 1 for answer in answers):
            return None, impossible("Alpaca", kind, "Keep one turn in each answer.")
        both = [_rounds([*turns(sides.prompt, "user"), *answer], sides.tools, masked=False) for answer in answers]
        if any(written is None for written, _ in both):
            return None, impossible("Alpaca", kind, _ROUNDS)
        (chosen, losses), (rejected, more) = both
        plain = [Loss("prompt, chosen, rejected", "plain texts become turns", "info")] if sides.plain else []
        done = (chosen or {}) | {"chosen": (chosen or {})["output"], "rejected": (rejected or {})["output"]}
        del done["output"]
        return done, list(dict.fromkeys([*sides.losses, *losses, *more, *plain]))
    if kind not in {"chat", "prompt", "unpaired"}:
        return None, impossible("Alpaca", kind, "Write them for `openai` (graded rows) or `trl` (text).")
    messages, tools, losses = talk(row, kind)
    label = {"kto_tag": row["label"]} if kind == "unpaired" else {}
    whole, found = _rounds(messages, tools, masked=kind != "unpaired")
    if whole is None:
        return None, impossible("Alpaca", kind, _ROUNDS)
    return whole | label, list(dict.fromkeys([*losses, *found]))


def _rounds(messages: Messages, tools: list[dict[str, Any]], *, masked: bool) -> tuple[dict[str, Any] | None, list[Loss]]:
    found = [Loss("tools", "Alpaca has no word for them", "error")] if tools else []
    messages, weights = unweighted(messages)
    messages, losses = text_only(messages)
    found += [*(weights if masked else []), *losses]
    if any(message.get("name") for message in messages):
        found.append(Loss("name", "names of speakers are left out"))
    system = messages[:1] if messages and messages[0]["role"] in {"system", "developer"} else []
    if system and system[0]["role"] == "developer":
        found.append(Loss("developer", "the role becomes `system`"))
    rest = messages[len(system) :]
    if not rest or len(rest) % 2 or not all(_plain_turn(message, n) for n, message in enumerate(rest)):
        return None, []
    texts = [message["content"] for message in rest]
    done: dict[str, Any] = {"instruction": texts[-2], "input": "", "output": texts[-1]}
    if system and system[0]["content"]:
        done["system"] = system[0]["content"]
    elif system:
        found.append(Loss("system", "an empty system's message is left out", "info"))
    if len(texts) > _PAIR:
        done["history"] = [[texts[n], texts[n + 1]] for n in range(0, len(texts) - _PAIR, _PAIR)]
    return done, found


def _plain_turn(message: dict[str, Any], place: int) -> bool:
    right = message["role"] == ("user", "assistant")[place % 2]
    return right and isinstance(message.get("content"), str) and not message.get("tool_calls")


def _history(value: object) -> Messages:
    if value in (None, "", []):
        return []
    if isinstance(value, str):
        try:
            value = strict_json(value)
        except ValueError as error:
            raise Unreadable("bad-type", f"`history` cannot be read: it is {error}") from None
    if not isinstance(value, list) or not all(isinstance(two, list | tuple) and len(two) == _PAIR for two in value):
        raise Unreadable("bad-type", "`history` is not a list of pairs of texts")
    return [{"role": role, "content": said} for two in value for role, said in zip(("user", "assistant"), two, strict=True)]
