"""What the trainer tells us while it runs: metrics, checkpoints, a request to pause, and signs that nothing is being learned."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from anytune_huggingface import checkpoints
from anytune_huggingface.device import peak_memory_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.local.child import Reporter

__all__ = ["Follower", "NothingLearnedError"]

_ZEROS_ALLOWED = 3
_NAMES = {"loss", "grad_norm", "learning_rate", "num_tokens", "epoch", "mean_token_accuracy", "entropy"}


class NothingLearnedError(Exception):
    """Loss or gradient were zero or no number from the start."""


class Follower(TrainerCallback):
    """Reports, seals checkpoints, and stops the trainer when asked to.

    Args:
        reporter: Where it is said.
        keep: Checkpoints that are kept.
        clock: Monotonic seconds.
    """

    def __init__(self, reporter: Reporter, *, keep: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing seen."""
        self.reporter, self.keep, self.clock = reporter, keep, clock
        self.paused = False
        self.last: dict[str, float] = {}
        self._mark = (0.0, 0.0)
        self._start = (0.0, 0)
        self._zeros = 0
        self._learned = False
        earlier = reporter.last_progress()
        self._tokens_before: int = earlier.get("trained_tokens") or 0
        self._peak_before: int = earlier.get("peak_memory_bytes") or 0
        self._restored_tokens = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002 - transformers' signature
        """Start the clocks."""
        self._mark = (self.clock(), 0.0)
        self._start = (self.clock(), state.global_step)
        self._restored_tokens = state.num_input_tokens_seen  # a checkpoint's; `_tokens_before` has them, and those read after it
        self.tell(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Pause when asked; save at the very end, so that a death while saving the model costs no training."""
        if state.global_step >= state.max_steps:
            control.should_save = True
        elif self.reporter.pause_requested():
            self.paused = control.should_save = control.should_training_stop = True
        self.tell(state)

    def tell(self, state: Any) -> None:
        """Say how far the run is, and what all its starts took so far."""
        self.reporter.progress(
            step=state.global_step,
            total_steps=state.max_steps,
            tokens_per_second=self.last.get("tokens_per_second"),
            eta_s=self._eta(state),
            trained_tokens=self._tokens_before + state.num_input_tokens_seen - self._restored_tokens,
            peak_memory_bytes=max(self._peak_before, peak_memory_bytes()),
        )

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:  # noqa: ARG002
        """Report one line of numbers."""
        numbers = {
            k: float(v)
            for k, v in (logs or {}).items()
            if isinstance(v, (int, float)) and (k in _NAMES or k.startswith(("eval_", "rewards/")))
        }
        if "loss" in numbers:
            numbers |= self._speed(numbers.get("num_tokens"))
            self._watch(state.global_step, numbers)
            self.last = self.last | numbers
        elif "eval_loss" not in numbers:
            return
        self.last |= numbers
        self.reporter.metric(state.global_step, numbers)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Seal the checkpoint just written, then delete what is beyond the limit."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle that nothing here reads
        checkpoints.seal(folder, {k: v for k, v in self.last.items() if k in {"loss", "eval_loss"} and math.isfinite(v)})
        self.reporter.checkpoint(state.global_step, folder)
        self.reporter.event(f"Checkpoint at step {state.global_step}.", step=state.global_step)
        for old in checkpoints.prune(Path(args.output_dir), self.keep):
            shutil.rmtree(old)

    def _speed(self, tokens: float | None) -> dict[str, float]:
        """Give tokens per second since the last line, or since the start."""
        if tokens is None:
            return {}
        at, before = self._mark
        now = self.clock()
        self._mark = (now, tokens)
        return {"tokens_per_second": (tokens - before) / (now - at)} if now > at and tokens > before else {}

    def _eta(self, state: Any) -> float | None:
        begun, first = self._start
        done = state.global_step - first
        return (self.clock() - begun) / done * (state.max_steps - state.global_step) if done > 0 else None

    def _watch(self, step: int, numbers: dict[str, float]) -> None:
        loss, norm = numbers["loss"], numbers.get("grad_norm", 1.0)
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise NothingLearnedError(f"The {'loss' if not math.isfinite(loss) else 'gradient'} is not a finite number at step {step}.")
        if loss != 0 and norm != 0:
            self._learned, self._zeros = True, 0
            return
        self._zeros += 1
        if not self._learned and self._zeros >= _ZEROS_ALLOWED:
            raise NothingLearnedError(f"The {'loss' if loss == 0 else 'gradient'} has been exactly zero since the start (step {step}).")
        if self._learned and self._zeros == _ZEROS_ALLOWED:
            self.reporter.event(f"Loss or gradient are exactly zero (step {step}): further steps change nothing.", "warning", step=step)
