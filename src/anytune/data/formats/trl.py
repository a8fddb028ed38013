"""What TRL's trainers take: `messages`, or `prompt` with `completion`, `chosen` and `rejected`; `label`; `text`.

TRL learns every token of `messages` unless `assistant_only_loss` is set, and only the answer of `prompt` and `completion`: rows of which
only the last turn is learned are therefore written in that form, where the whole file can be. (Read in trl 1.16, 2026-11-22.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from anytune.data.formats.canonical import Unreadable, bare, impossible, kind_word, pair, talk, text_only
from anytune.data.formats.losses import Loss, left_out
from anytune.data.formats.turns import Messages, arguments_object, calls, modern, numbered, plain_text, unweighted

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["fits", "read", "splittable", "write"]

_ASKED = {"user", "system", "developer"}
_SIDES = ("prompt", "chosen", "rejected", "completion", "messages")
_WHOLE = Loss(
    "messages",
    "TRL learns all turns, the user's too, unless it is told otherwise",
    fix="Train with `SFTConfig(assistant_only_loss=True)`, and a chat template that marks what the assistant says.",
)


def fits(row: dict[str, Any]) -> bool:
    """Tell whether a row is one of TRL's that is not anytune's own: implicit prompts, bare prompts, calls without ids."""
    if (_whole(row.get("chosen")) and _whole(row.get("rejected"))) or _asks(row):
        return True
    return any(bare(side) for key in _SIDES if _is_messages(side := row.get(key)))


def read(row: dict[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
    """Read a row of TRL's: the turns that both answers share become the prompt, and calls get ids."""
    if _whole(row.get("chosen")) and _whole(row.get("rejected")):
        return _explicit(row)
    if _asks(row):
        return {"messages": numbered(row["prompt"])} | {key: value for key, value in row.items() if key != "prompt"}, []
    prompt = row.get("prompt")
    before = prompt if _is_messages(prompt) else []
    done = dict(row)
    for key in _SIDES:
        side = row.get(key)
        if _is_messages(side):
            done[key] = numbered(side) if key in {"prompt", "messages"} else numbered([*before, *side])[len(before) :]
    return done, []


def splittable(rows: Iterable[dict[str, Any]]) -> bool:
    """Tell whether every row can be written as prompt and completion, and there is one at all."""
    found = False
    for row in rows:
        kind = kind_word(row)
        if kind == "prompt":
            continue
        if kind != "chat" or _cut(talk(row, "chat").messages) is None:
            return False
        found = True
    return found


def write(row: dict[str, Any], kind: str, *, split: bool = False) -> tuple[dict[str, Any] | None, list[Loss]]:
    """Write a canonical row for TRL.

    Args:
        row: The row.
        kind: Which kind it is.
        split: Write a conversation as prompt and completion.
    """
    if kind == "chat":
        return _chat(row, split=split)
    if kind == "preference":
        sides = pair(row)
        return _sides({"prompt": sides.prompt, "chosen": sides.chosen, "rejected": sides.rejected}, sides.tools, sides.losses)
    if kind in {"prompt", "unpaired"}:
        done, losses = _sides({"prompt": row["prompt"], "completion": row["completion"]}, list(row.get("tools") or []), [])
        return done | ({"label": row["label"]} if kind == "unpaired" else {}), losses
    if kind == "graded":
        return _graded(row)
    if kind == "text":
        return dict(row), []
    return None, impossible("TRL", kind, "`anytune data check` says what the rows are.")


def _chat(row: dict[str, Any], *, split: bool) -> tuple[dict[str, Any], list[Loss]]:
    messages, tools, losses = talk(row, "chat")
    cut = _cut(messages) if split else None
    more = {"tools": tools} if tools else {}
    if cut is None:
        plain, found = _plain(messages)
        return {"messages": plain} | more, [*losses, _WHOLE, *found]
    # What stands before the cut is not learned: a weight of 0 there is said by the form.
    asked, found = _plain([{key: value for key, value in message.items() if key != "weight"} for message in messages[:cut]])
    answer, also = _plain(messages[cut:])
    form = Loss("messages", "the last turn becomes the completion, which alone is learned", "info")
    return {"prompt": asked, "completion": answer} | more, [*losses, form, *found, *also]


def _cut(messages: Messages) -> int | None:
    """Find where prompt ends and completion begins: only the last turn is learned."""
    learned = [n for n, message in enumerate(messages) if message.get("role") == "assistant" and message.get("weight") != 0]
    last = len(messages) - 1
    return last if last > 0 and learned == [last] else None


def _sides(sides: dict[str, Any], tools: list[dict[str, Any]], losses: list[Loss]) -> tuple[dict[str, Any], list[Loss]]:
    done: dict[str, Any] = {}
    found = list(losses)
    for key, side in sides.items():
        if isinstance(side, str):
            done[key] = side
            continue
        if key == "prompt":
            side = [{name: value for name, value in message.items() if name != "weight"} for message in side]  # noqa: PLW2901 - not learned
        done[key], more = _plain(side)
        found += more
    return done | ({"tools": tools} if tools else {}), list(dict.fromkeys(found))


def _graded(row: dict[str, Any]) -> tuple[dict[str, Any] | None, list[Loss]]:
    fields = {key: value for key, value in row.items() if key not in {"messages", "tools"}}
    if fields.keys() & {"prompt", "completion", "chosen", "rejected", "label", "text"}:
        fix = "Rename the field `prompt`, `completion`, `chosen`, `rejected` or `text`: TRL has its own."
        return None, impossible("TRL", "graded", fix)
    messages, losses = _plain(row["messages"])
    losses = [*losses, Loss("messages", "they become the prompt; the grader becomes a reward function", "info")]
    return {"prompt": messages} | ({"tools": row["tools"]} if row.get("tools") else {}) | fields, losses


def _plain(messages: Messages) -> tuple[Messages, list[Loss]]:
    messages, weights = unweighted(messages)
    messages, old = modern(messages)
    messages, losses = text_only(messages)
    found = [*weights, *old, *losses]
    done = []
    for message in messages:
        if calls(message):
            shown = [arguments_object({key: value for key, value in call.items() if value is not None}) for call in calls(message)]
            found += [loss for _, losses in shown for loss in losses]
            done.append(message | {"tool_calls": [call for call, _ in shown]})
        else:
            done.append(message)
    return done, list(dict.fromkeys(found))


def _explicit(row: dict[str, Any]) -> tuple[dict[str, Any], list[Loss]]:
    chosen, rejected = row["chosen"], row["rejected"]
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    if shared == 0:
        raise Unreadable("bad-value", "`chosen` and `rejected` share no prompt")
    prompt = chosen[:shared]
    losses = left_out(row, {"prompt", "chosen", "rejected", "tools"})
    said = row.get("prompt")
    repeated = said == prompt or any(said == plain_text(message.get("content")) for message in prompt)
    if said and not repeated:
        raise Unreadable("bad-value", "`prompt` is not the conversation that `chosen` and `rejected` share")
    prompt = numbered(prompt)
    sides = {key: numbered([*prompt, *row[key][shared:]])[shared:] for key in ("chosen", "rejected")}
    return {"prompt": prompt} | sides | ({"tools": row["tools"]} if row.get("tools") else {}), losses


def _asks(row: dict[str, Any]) -> bool:
    """Tell whether a row is a prompt that something else judges answers to."""
    fields = [value for key, value in row.items() if key not in {"prompt", "tools"}]
    known = row.keys() & {"completion", "chosen", "rejected", "label", "messages", "text"}
    return bool(_is_messages(row.get("prompt")) and fields) and not known and not any(value and _is_messages(value) for value in fields)


def _whole(side: object) -> TypeGuard[Messages]:
    return _is_messages(side) and bool(side) and side[0].get("role") in _ASKED


def _is_messages(side: object) -> TypeGuard[Messages]:
    return isinstance(side, list) and all(isinstance(message, dict) and isinstance(message.get("role"), str) for message in side)
