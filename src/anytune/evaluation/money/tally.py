"""What answers took, added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.evaluation.values import Answer

__all__ = ["Tally", "tokens_of"]


class Tally(NamedTuple):
    """Sums over answers.

    Attributes:
        answers: All, failed ones included; `failed` of them failed.
        counted: Those whose tokens the host counted.
        prompt_tokens, cached_tokens, completion_tokens: As the host counted; cached ones are prompt tokens too.
        latency_s: Seconds of waiting for answers, one after the other.
        reserved_usd: Set aside for answers whose tokens no host counted.
    """

    answers: int = 0
    failed: int = 0
    counted: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    reserved_usd: float = 0.0

    def plus(self, answer: Answer, reserved_usd: float | None = None) -> Tally:
        """Add an answer."""
        prompt, cached, completion = tokens_of(answer.usage)
        uncounted = not answer.usage and not answer.error
        return Tally(
            self.answers + 1,
            self.failed + bool(answer.error),
            self.counted + bool(answer.usage),
            self.prompt_tokens + prompt,
            self.cached_tokens + cached,
            self.completion_tokens + completion,
            self.latency_s + (answer.latency_s or 0.0),
            self.reserved_usd + (reserved_usd or 0.0 if uncounted else 0.0),
        )


def tokens_of(usage: Mapping[str, Any]) -> tuple[int, int, int]:
    """Give prompt, cached and completion tokens of a host's `usage`; 0 for what it does not say.

    Example:
        >>> tokens_of({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}})
        (9, 4, 2)
    """
    prompt, completion = (_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens"))
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    return prompt, min(cached, prompt), completion


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
