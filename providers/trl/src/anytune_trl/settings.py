"""What the backend understands: the names of its settings, and help where a name is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.settings import nearest
from anytune.spec import DPO, SFT, LoRA

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SETTINGS", "nearest_option"]

_HOSTED_ONLY = {"type", "learning_rate_multiplier"}

SETTINGS = frozenset(
    ({*SFT.model_fields, *DPO.model_fields} - _HOSTED_ONLY)
    | {"adapter.type"}
    | {f"adapter.{name}" for name in LoRA.model_fields if name != "type"}
)
"""Every setting but OpenAI's multiplier of its own, unpublished base rate."""


def nearest_option(name: str, known: Sequence[str]) -> str:
    """Say which option may have been meant."""
    guess = nearest(name, list(known))
    return f"Did you mean `{guess}`?" if guess else f"Known: {', '.join(known)}."
