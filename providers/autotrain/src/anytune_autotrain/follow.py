"""What the driver says, turned into what the agent and every reader look for; and signs that nothing is being learned."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError, DataError
from anytune_huggingface import checkpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.local.child import Reporter

__all__ = ["Follower"]

_ZEROS_ALLOWED = 3
_NAMES = frozenset({"loss", "grad_norm", "learning_rate", "epoch", "accuracy", "log_odds_ratio", "log_odds_chosen", "nll_loss"})
_PREFIXES = ("eval_", "rewards/", "logps/")
_CALMER = "Lower `learning_rate`, look at the data, or try another model."
_FIXES = {
    "config": "Correct the setting.",
    "data": "See `anytune preflight`.",
    "environment": "Repair it: python -m anytune_autotrain.environment",
    "memory": "Lower `per_device_train_batch_size` or `max_length`, or use LoRA.",
    "error": "See the job's log.",
}


class Follower:
    """Reports, seals checkpoints, and passes a wish to pause on.

    Args:
        reporter: Where it is said.
        output: Folder of the checkpoints.
        keep: Checkpoints that are kept.
        step_tokens: Tokens that the mean step reads.
        hold: File at which the driver looks for a wish to pause.
        adopt: Makes a checkpoint's folder one of the base model, before it is sealed.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        reporter: Reporter,
        *,
        output: Path,
        keep: int,
        step_tokens: float,
        hold: Path,
        adopt: Callable[[Path], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing seen."""
        self.reporter, self.output, self.keep, self.hold, self.clock = reporter, output, keep, hold, clock
        self.step_tokens, self.adopt = step_tokens, adopt
        self.last: dict[str, float] = {}
        self.step = self.total_steps = 0
        self.paused = False
        self.model: Path | None = None
        self.versions: dict[str, str] = {}
        earlier = reporter.last_progress()
        self._tokens_before: int = earlier.get("trained_tokens") or 0
        self._peak: int = earlier.get("peak_memory_bytes") or 0
        self._begun = (0.0, 0)
        self._mark = (0.0, 0)
        self._zeros = 0
        self._learned = False
        self._sound_step = 0
        hold.unlink(missing_ok=True)

    def __call__(self, event: dict[str, Any]) -> None:
        """Take one event of the driver.

        Raises:
            DataError: Nothing is being learned, or the rows cannot be used.
            ConfigError: The driver failed otherwise.
        """
        match event.get("event"):
            case "started":
                self._started(event)
            case "progress":
                self._progress(event)
            case "metric":
                self._metric(int(event["step"]), event["values"])
            case "checkpoint":
                self._checkpoint(int(event["step"]), Path(event["path"]))
            case "paused":
                self.paused = True
            case "finished":
                self.model = Path(event["output"])
            case "failed":
                self._failed(str(event.get("kind")), str(event.get("message")))
            case _:
                pass
        if self.reporter.pause_requested() and not self.hold.exists():
            self.hold.touch()

    def _started(self, event: dict[str, Any]) -> None:
        self.step, self.total_steps = int(event["step"]), int(event["total_steps"])
        self.versions = {str(name): str(version) for name, version in event["versions"].items()}
        self._begun = self._mark = (self.clock(), self.step)
        self._sound_step = self.step
        counts = event.get("counts") or {}
        self.reporter.event(
            f"AutoTrain {self.versions.get('autotrain-advanced')} trains {counts.get('sequences')} sequences on {event.get('device')}.",
            **{name: value for name, value in counts.items() if value is not None},
        )
        self._tell()

    def _progress(self, event: dict[str, Any]) -> None:
        self.step, self.total_steps = int(event["step"]), int(event["total_steps"])
        self._peak = max(self._peak, int(event.get("peak_memory_bytes") or 0))
        self._tell()

    def _tell(self) -> None:
        begun, first = self._begun
        done = self.step - first
        self.reporter.progress(
            step=self.step,
            total_steps=self.total_steps,
            tokens_per_second=self.last.get("tokens_per_second"),
            eta_s=(self.clock() - begun) / done * (self.total_steps - self.step) if done > 0 else None,
            trained_tokens=self._tokens_before + round(done * self.step_tokens),
            peak_memory_bytes=self._peak or None,
        )

    def _metric(self, step: int, values: dict[str, float]) -> None:
        numbers = {name: float(value) for name, value in values.items() if name in _NAMES or name.startswith(_PREFIXES)}
        if "loss" in numbers:
            numbers |= self._speed(step)
        elif "eval_loss" not in numbers:
            return
        self.last |= numbers
        self.reporter.metric(step, numbers)
        if "loss" in numbers:
            self._watch(step, numbers)

    def _speed(self, step: int) -> dict[str, float]:
        at, before = self._mark
        now = self.clock()
        self._mark = (now, step)
        return {"tokens_per_second": (step - before) * self.step_tokens / (now - at)} if now > at and step > before else {}

    def _watch(self, step: int, numbers: dict[str, float]) -> None:
        loss, norm = numbers["loss"], numbers.get("grad_norm", 1.0)
        if not math.isfinite(loss) or not math.isfinite(norm):
            what = "loss" if not math.isfinite(loss) else "gradient"
            raise DataError(f"The {what} is not a finite number at step {step}. {self._kept()}", fix=_CALMER)
        self._sound_step = step
        if loss != 0 and norm != 0:
            self._learned, self._zeros = True, 0
            return
        self._zeros += 1
        what = "loss" if loss == 0 else "gradient"
        if not self._learned and self._zeros >= _ZEROS_ALLOWED:
            raise DataError(f"The {what} has been exactly zero since the start (step {step}). {self._kept()}", fix=_CALMER)
        if self._learned and self._zeros == _ZEROS_ALLOWED:
            self.reporter.event(f"The {what} is exactly zero (step {step}): further steps change nothing.", "warning", step=step)

    def _kept(self) -> str:
        """Delete the checkpoints written since the last sound loss, and name the newest of the others."""
        for folder in self.output.glob("checkpoint-*"):
            if checkpoints.step(folder) > self._sound_step:
                shutil.rmtree(folder)
        good, _ = checkpoints.last_good(self.output)
        return f"The last good checkpoint is kept: {good.name}." if good else "No checkpoint had been written yet."

    def _checkpoint(self, step: int, folder: Path) -> None:
        self.adopt(folder)
        checkpoints.seal(folder, {k: v for k, v in self.last.items() if k in {"loss", "eval_loss"} and math.isfinite(v)})
        self.reporter.checkpoint(step, folder)
        self.reporter.event(f"Checkpoint at step {step}.", step=step)
        for old in checkpoints.prune(self.output, self.keep):
            shutil.rmtree(old)

    @staticmethod
    def _failed(kind: str, message: str) -> None:
        error = DataError if kind == "data" else ConfigError
        raise error(message, fix=_FIXES.get(kind, _FIXES["error"]))
