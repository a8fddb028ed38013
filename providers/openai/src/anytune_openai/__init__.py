"""OpenAI, and hosts that speak its fine-tuning protocol, as a backend of anytune."""

from __future__ import annotations

__all__: list[str] = []
