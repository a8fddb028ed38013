"""Azure OpenAI (Microsoft Foundry) as a backend of anytune."""

from __future__ import annotations

__all__: list[str] = []
