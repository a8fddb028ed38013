"""What happens to a job of the memory backend: a script of the provider's words, one a poll or one each few seconds."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from anytune.values import Status, Value

__all__ = ["STATUSES", "Life", "status_of"]

STATUSES: dict[str, Status] = {
    "validating_files": Status.QUEUED,
    "queued": Status.QUEUED,
    "running": Status.RUNNING,
    "cancelling": Status.RUNNING,
    "paused": Status.PAUSED,
    "succeeded": Status.SUCCEEDED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
}
"""Every word of the memory backend, mapped once."""


def status_of(word: str) -> Status:
    """Map the memory backend's word to ours; a word that is not in the table is `unknown`."""
    return STATUSES.get(word, Status.UNKNOWN)


class Life(Value):
    """A script: the job shows `words` one after the other and keeps the last one.

    Each `running` is one training step with a metric. `paused` holds the job until `resume` is called. Any other word may be used to see
    what an unknown status does.

    Attributes:
        words: The provider's words, in order.
        tick_s: Seconds (of the backend's clock) that a word lasts; None: a poll moves to the next one.
        error: What a failed job says.
        checkpoint_every: Steps between two checkpoints.
        cancel_polls: Polls that still show `cancelling` after a cancel.
        events: More events than the script's own, by position in `words`.

    Example:
        >>> Life.of(steps=2).words
        ('queued', 'running', 'running', 'succeeded')
    """

    words: tuple[str, ...] = ("queued", "running", "running", "running", "running", "succeeded")
    tick_s: float | None = Field(default=None, gt=0)
    error: str = "Training stopped: the loss was NaN at step 3."
    checkpoint_every: int = Field(default=2, gt=0)
    cancel_polls: int = Field(default=0, ge=0)
    events: dict[int, str] = Field(default_factory=dict)

    @classmethod
    def of(
        cls, *, queued: int = 1, steps: int = 4, end: str | None = "succeeded", tick_s: float | None = None, error: str | None = None
    ) -> Self:
        """Make the usual life: some polls queued, some steps, an end.

        Args:
            queued: Polls (or ticks) in the queue.
            steps: Training steps.
            end: The last word: `succeeded`, `failed`, `cancelled`, `paused`; None: it runs for ever.
            tick_s: Seconds a word lasts; None: a poll moves on.
            error: What a failed job says.
        """
        words = ("queued",) * queued + ("running",) * steps + ((end,) if end else ())
        return cls(words=words, tick_s=tick_s) if error is None else cls(words=words, tick_s=tick_s, error=error)

    @property
    def steps(self) -> int:
        """Training steps in the whole life."""
        return self.words.count("running")
