"""What clients call a tuned model, its checkpoints, and the numbers of a step.

A model's name follows from the order alone: whoever is killed finds it again.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.server.book.rows import JobRow

__all__ = ["checkpoint_name", "model_name", "numbers", "parted"]

_TAIL = 8
_CHECKPOINT = re.compile(r"(?P<model>.+):ckpt-step-(?P<step>\d{1,9})")
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")
_STEP_NAMES: Final = {
    "loss": "train_loss",
    "mean_token_accuracy": "train_mean_token_accuracy",
    "eval_loss": "valid_loss",
    "eval_mean_token_accuracy": "valid_mean_token_accuracy",
}
"""Names of OpenAI's events and checkpoints by those of Hugging Face's trainers."""
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


def parted(name: str) -> tuple[str, int | None]:
    """Give the model that a name is of, and the step where it is a checkpoint's.

    Example:
        >>> parted("ft:starter:anytune::4f2a9c1e:ckpt-step-20")
        ('ft:starter:anytune::4f2a9c1e', 20)
        >>> parted("starter")
        ('starter', None)
    """
    found = _CHECKPOINT.fullmatch(name)
    return (name, None) if found is None else (found["model"], int(found["step"]))


def numbers(values: Mapping[str, float]) -> dict[str, float]:
    """Give a step's numbers by the names that OpenAI's events have; what it has no name for keeps its own, what is no number is left out.

    Example:
        >>> numbers({"loss": 0.5, "eval_loss": float("nan"), "grad_norm": 1.0})
        {'train_loss': 0.5, 'grad_norm': 1.0}
    """
    return {_STEP_NAMES.get(name, name): value for name, value in values.items() if math.isfinite(value)}


def _base(model: str) -> str:
    tuned = model.split(":")
    word = tuned[1] if tuned[0] == "ft" and len(tuned) > 1 else model
    return _OTHER.sub("-", word.rstrip("/").rsplit("/", 1)[-1])
