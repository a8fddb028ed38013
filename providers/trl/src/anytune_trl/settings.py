"""What the backend understands: the names of its settings."""

from __future__ import annotations

from anytune.spec import DPO, SFT, LoRA

__all__ = ["SETTINGS"]

_HOSTED_ONLY = {"type", "learning_rate_multiplier"}

SETTINGS = frozenset(
    ({*SFT.model_fields, *DPO.model_fields} - _HOSTED_ONLY)
    | {"adapter.type"}
    | {f"adapter.{name}" for name in LoRA.model_fields if name != "type"}
)
"""Every setting but OpenAI's multiplier of its own, unpublished base rate."""
