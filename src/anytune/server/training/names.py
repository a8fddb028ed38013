"""What clients call a tuned model and its checkpoints. The name follows from the order alone: whoever is killed finds it again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anytune.server.book.rows import JobRow

__all__ = ["checkpoint_name", "model_name"]

_TAIL = 8
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")
_WORD = re.compile(r"[^A-Za-z0-9-]+")


def model_name(order: JobRow, organization: str) -> str:
    """Give the name of the model that an order makes: `ft:{model}:{organization}:{suffix}:{8 characters of the order's id}`.

    Of a model's path the last part is taken, and of a model that was tuned before, what it was tuned from.
    """
    suffix = _WORD.sub("-", order.request.get("suffix") or "").strip("-").lower()
    return f"ft:{_base(order.model)}:{organization}:{suffix}:{order.id[-_TAIL:]}"


def checkpoint_name(order: JobRow, organization: str, step: int) -> str:
    """Give the name of the model's state at a step."""
    return f"{model_name(order, organization)}:ckpt-step-{step}"


def _base(model: str) -> str:
    tuned = model.split(":")
    word = tuned[1] if tuned[0] == "ft" and len(tuned) > 1 else model
    return _OTHER.sub("-", word.rstrip("/").rsplit("/", 1)[-1])
