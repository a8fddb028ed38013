"""What a task is, and where it is: the values of this package."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from anytune.values import Value

__all__ = ["DEFAULT_ENV", "Progress", "ServeSettings", "Served", "Task", "TaskState", "TaskStatus"]

DEFAULT_ENV = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"),
    *("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONOPTIMIZE", "LD_LIBRARY_PATH", "LD_PRELOAD"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "TORCH_HOME"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_PATH", "NVIDIA_VISIBLE_DEVICES", "TOKENIZERS_PARALLELISM"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOMP_SPINCOUNT", "ANYTUNE_HOST"),
)
"""Names of the caller's environment that a child gets unasked: nothing that holds a key."""

TaskStatus = Literal["queued", "running", "paused", "succeeded", "failed", "cancelled", "starting", "ready", "stopped"]


class Served(Value):
    """One of the models that an engine holds.

    Attributes:
        engine_model: The name that the engine wants; clients' requests are rewritten to it.
        parity: The trainer's parity.json; None where there is none: then it is ready once it says anything.
    """

    engine_model: str
    parity: Path | None = None


class ServeSettings(Value):
    """What the serving child needs to know.

    Attributes:
        engine: The engine's argv; `{port}` is replaced by the loopback port that it must listen on.
        model: The name that clients send.
        engine_model: The name that the engine wants; clients' requests are rewritten to it.
        health: Path of the engine's health route.
        parity: The trainer's parity.json; None where there is none (a base model): then warm-up alone makes it ready.
        parity_mode: `cpu` or `gpu` (see `anytune.local.parity`); None takes the file's.
        ready_timeout_s: Seconds from start to ready; loading and the first request of a batching engine take up to a minute on a CPU.
        greedy_only: The engine decodes every request greedily whatever it asks for, so that `temperature` over 0 is refused, not ignored.
        adapters: What the engine holds beside `model`, by the name that clients send.
    """

    engine: tuple[str, ...] = Field(min_length=1)
    model: str
    engine_model: str
    health: str = "/health"
    parity: Path | None = None
    parity_mode: Literal["cpu", "gpu"] | None = None
    ready_timeout_s: float = Field(default=300, gt=0)
    greedy_only: bool = False
    adapters: dict[str, Served] = Field(default_factory=dict)

    @property
    def models(self) -> dict[str, Served]:
        """All that the engine holds, by the name that clients send; `model` comes first."""
        return {self.model: Served(engine_model=self.engine_model, parity=self.parity)} | self.adapters


class Task(Value):
    """One piece of local work, as ordered; it never changes.

    Attributes:
        id: The job's or deployment's ref (letters, digits, `-`, `_`).
        kind: `train` waits for a slot, `serve` does not.
        sequence: Place in the queue: the lowest queued one is next.
        name: A word for people.
        argv: What to run; no shell. Empty for `serve`: the gate.
        env: Additions to the child's environment.
        passed_env: Names of the caller's environment that the child gets, as they are when the task is put.
        run_dir: The child's working folder; made if missing. Checkpoints named `checkpoint-<step>` in it count as progress.
        restarts: Starts in a row that may end without a word and without a newer checkpoint before the task fails; 0 never restarts.
        ttl_s: Seconds after the first start when a serving child must be gone.
        serve: For `serve` only.
        budget_minutes: Minutes of running, over all restarts; then it is asked for a checkpoint, and fails.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    kind: Literal["train", "serve"] = "train"
    sequence: int = 0
    name: str = ""
    argv: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    passed_env: tuple[str, ...] = DEFAULT_ENV
    run_dir: Path
    restarts: int = Field(default=2, ge=0)
    ttl_s: float | None = Field(default=None, gt=0)
    serve: ServeSettings | None = None
    budget_minutes: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Task:
        if (self.kind == "serve") != (self.serve is not None):
            raise ValueError("`serve` settings belong to tasks of kind `serve`, and to those only")
        if self.kind == "train" and not self.argv:
            raise ValueError("a training task needs an `argv`")
        return self


class TaskState(Value):
    """Where a task is.

    Attributes:
        status: Training: queued → running ⇄ paused → succeeded | failed | cancelled. Serving: queued → starting → ready → stopped | failed.
        pid: The child, known for certain only together with `starttime` and `boot_id`: numbers are reused.
        created_at: When the agent first saw it.
        started_at: When the child was last started.
        started_s: Monotonic seconds of that boot when it was last started: a clock that is set while it runs moves no budget.
        expires_at: When a serving child must be gone.
        expires_s: The same in seconds since that boot, sleep included; it goes before `expires_at` while the machine is up.
        restarts: How often it was started again after it died without a word.
        stalled: How many of the last starts brought no newer checkpoint.
        mark: Step of the newest checkpoint when it was last started.
        used_s: Seconds of running before the last start.
        error: Why it failed, with the last lines of its log.
        port: Where a serving child answers on loopback.
    """

    id: str
    kind: Literal["train", "serve"] = "train"
    status: TaskStatus = "queued"
    pid: int | None = None
    starttime: str | None = None
    boot_id: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    started_s: float | None = None
    expires_at: datetime | None = None
    expires_s: float | None = None
    restarts: int = 0
    stalled: int = 0
    mark: int = -1
    used_s: float = 0.0
    error: str = ""
    port: int | None = None

    @property
    def ended(self) -> bool:
        """Tell whether it can never change again."""
        return self.status in {"succeeded", "failed", "cancelled", "stopped"}

    @property
    def living(self) -> bool:
        """Tell whether it has a process, as far as the agent knew."""
        return self.status in {"running", "starting", "ready"}

    def ran_s(self, at: datetime) -> float:
        """Give the seconds that it had a process, over all starts: while it lives up to `at`, otherwise to its last sign of life."""
        since = (at - self.started_at).total_seconds() if self.living and self.started_at else 0.0
        return self.used_s + max(0.0, since)


class Progress(Value):
    """How far a training child is, in its own last words.

    Attributes:
        step: Optimiser steps done.
        total_steps: Optimiser steps planned.
        tokens_per_second: Throughput over the last interval.
        eta_s: Seconds to the end, as the child estimates.
        trained_tokens: Tokens read in training, over all starts; those of steps that were done again after an interruption count again.
        peak_memory_bytes: Most memory that one of its starts held.
        at: When it said so.
    """

    step: int
    total_steps: int | None = None
    tokens_per_second: float | None = None
    eta_s: float | None = None
    trained_tokens: int | None = None
    peak_memory_bytes: int | None = None
    at: datetime
