"""Rows to train on, and what the clients of this folder have in common."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENDED", "chat_file", "preference_file", "until"]

ENDED = {"succeeded", "failed", "cancelled"}


def chat_file(count: int = 12) -> bytes:
    """Rows of a conversation each, enough of them for every backend."""
    return _lines([{"messages": [_says("user", f"{n} cups of rice"), _says("assistant", f"rice {n}")]} for n in range(count)])


def preference_file(count: int = 12) -> bytes:
    """Rows with a better and a worse answer each."""
    return _lines([
        {
            "input": {"messages": [_says("user", f"{n} cups of rice")]},
            "preferred_output": [_says("assistant", f"rice {n}")],
            "non_preferred_output": [_says("assistant", "no")],
        }
        for n in range(count)
    ])  # fmt: skip


def until(ask: Callable[[], Any], done: Callable[[Any], bool], *, within_s: float = 30, every_s: float = 0.05) -> Any:
    """Ask until an answer is as wanted, and give it."""
    deadline = time.monotonic() + within_s
    while not done(answer := ask()):
        assert time.monotonic() < deadline, f"not within {within_s} s; last seen: {answer}"
        time.sleep(every_s)
    return answer


def _says(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
