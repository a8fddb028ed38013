"""What a training child says: to be used inside the process that the agent starts. The standard library only.

Success, failure and pause are what the child *wrote* (`finish`, `fail`, `paused`): exit codes are not trusted. A child that ends without
one of them was interrupted, and is started again: it then goes on from its newest checkpoint, if it reported or left one.

Example:
    ```python
    reporter = Reporter()                       # ANYTUNE_TASK_DIR says where
    for step in range(start, total):
        reporter.metric(step, {"loss": loss})
        reporter.progress(step=step, total_steps=total)
        if reporter.pause_requested():
            save(step)
            reporter.checkpoint(step, path)
            reporter.paused(step)
            return
    reporter.finish({"model": str(merged)})     # only after the weights were loaded and gave a token
    ```
"""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anytune.local import durable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Reporter"]


class Reporter:
    """Writes what happens in a training child where the agent and every reader look for it.

    Args:
        folder: The task's folder; None takes `ANYTUNE_TASK_DIR`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Find the folder."""
        named = os.environ.get("ANYTUNE_TASK_DIR")
        if folder is None and not named:
            raise RuntimeError("ANYTUNE_TASK_DIR is not set: this is meant to be started by the agent of anytune.")
        self.folder = folder or Path(named or "")

    def event(self, message: str, level: Literal["info", "warning", "error"] = "info", **data: Any) -> None:
        """Say that something happened; `data` are numbers and names, never row text."""
        durable.append(self.folder / "events.jsonl", {"at": _now(), "message": message, "level": level, "data": _finite(data)})

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        """Give the numbers of one step. What is not finite is left out, and said as a warning: JSON has no word for it."""
        numbers = {name: float(value) for name, value in values.items()}
        for name, value in numbers.items():
            if not math.isfinite(value):
                self.event(f"{name} is {value} at step {step}.", "warning", step=step)
        durable.append(self.folder / "metrics.jsonl", {"step": int(step), "at": _now(), "values": _finite(numbers)})

    def progress(
        self,
        *,
        step: int,
        total_steps: int | None = None,
        tokens_per_second: float | None = None,
        eta_s: float | None = None,
        trained_tokens: int | None = None,
        peak_memory_bytes: int | None = None,
    ) -> None:
        """Say how far it is, and what it took so far; each call replaces the one before.

        `trained_tokens` and `peak_memory_bytes` are those of all starts: `last_progress` has what the earlier ones came to.
        """
        said = {
            "step": step,
            "total_steps": total_steps,
            "tokens_per_second": tokens_per_second,
            "eta_s": eta_s,
            "trained_tokens": trained_tokens,
            "peak_memory_bytes": peak_memory_bytes,
        }
        durable.write(self.folder / "progress.json", _finite(said) | {"at": _now()}, sync=False)

    def last_progress(self) -> dict[str, Any]:
        """Give what was said last by `progress`, by this or an earlier start; empty before."""
        try:
            return durable.read(self.folder / "progress.json") or {}
        except ValueError:
            return {}

    def checkpoint(self, step: int, path: Path) -> None:
        """Say that a whole checkpoint is on disk: a child that dies after it is started again, however often that happens."""
        durable.write(self.folder / "checkpoint.json", {"step": step, "path": str(path), "at": _now()})

    def last_checkpoint(self) -> Path | None:
        """Give the folder of the checkpoint reported last, by this or an earlier start, if it still exists."""
        path = Path(str((durable.read(self.folder / "checkpoint.json") or {}).get("path", "")))
        return path if path.is_absolute() and path.exists() else None

    def pause_requested(self) -> bool:
        """Tell whether to save a checkpoint, call `paused` and leave: someone asked, or the budget is used up."""
        return (self.folder / "hold").exists() or (self.folder / "over_budget").exists()

    def paused(self, step: int) -> None:
        """Say that a checkpoint of this step is saved and the process is about to leave."""
        durable.write_last(self.folder / "paused.json", {"step": step, "at": _now()})

    def finish(self, result: dict[str, Any]) -> None:
        """Say that it succeeded: the last thing to do, after everything is on disk and was seen to work."""
        durable.write_last(self.folder / "result.json", result)

    def fail(self, message: str) -> None:
        """Say that it failed for good, and why: it is not started again. A disk that is full does not prevent it."""
        durable.write_last(self.folder / "failed.json", {"message": message, "at": _now()})


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not (isinstance(value, float) and not math.isfinite(value))}
