"""What a remote job says of itself, and what is asked of it: the small files through which both sides of a record speak."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from anytune.values import Value, now

__all__ = ["State", "Wish"]


class State(Value):
    """How far a remote job is, in its own last words.

    Attributes:
        status: `queued` before it runs, `finished` once its model lies in the record; the last three are final.
        part: 1, 2, …: which of the jobs that run it after each other says so.
        step: Optimiser steps done.
        total_steps: Optimiser steps planned.
        error: Why it failed, with the last lines of its log; empty otherwise.
        at: When it said so.
        ran_s: Seconds of running, over all parts.
        tokens_per_second: Throughput over the last interval.
        eta_s: Seconds to the end, as the program estimates.
        trained_tokens: Tokens read in training, over all parts.
        peak_memory_bytes: Most memory that one of the parts held.
    """

    status: Literal["queued", "running", "paused", "finished", "failed", "cancelled"]
    part: int = Field(default=1, ge=1)
    step: int | None = None
    total_steps: int | None = None
    error: str = ""
    at: datetime = Field(default_factory=now)
    ran_s: float | None = None
    tokens_per_second: float | None = None
    eta_s: float | None = None
    trained_tokens: int | None = None
    peak_memory_bytes: int | None = None

    @classmethod
    def cancelled(cls, before: State | None, *, part: int = 1) -> State:
        """Give the state of a job that is cancelled now, with the figures that it had before."""
        told = before.model_dump(exclude={"status", "at", "error"}) if before is not None else {}
        return cls.model_validate(told | {"status": "cancelled", "part": max(part, before.part if before is not None else 1)})

    @property
    def final(self) -> bool:
        """Tell whether it can never change again."""
        return self.status in {"finished", "failed", "cancelled"}

    def may_follow(self, before: State | None) -> bool:
        """Tell whether it may take the place of another: nothing follows a final one, and an earlier part has nothing more to say."""
        return before is None or (not before.final and self.part >= before.part)


class Wish(Value):
    """What was asked of a remote job last.

    Attributes:
        wish: `hold` asks for a checkpoint and an end, `resume` takes that back, `cancel` is final.
        at: When it was asked.
    """

    wish: Literal["hold", "resume", "cancel"]
    at: datetime = Field(default_factory=now)
