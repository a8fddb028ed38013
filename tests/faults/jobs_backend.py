"""The real Hugging Face Jobs below a program that only waits: what is sent and asked is what a training run sends and asks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import httpx2
from huggingface_hub import constants, set_client_factory, utils
from tests.faults.points import Points, Watched

from anytune.values import Quote
from anytune_huggingface.backend import ComputeBackend
from anytune_huggingface.compute.place import Program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anytune.backend import Backend

HUB_CONSTANTS = ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_XET", "HF_HUB_CACHE", "HF_TOKEN_PATH", "AGENT_HARNESSES_PATH")
"""What is changed in the library, which read it from the environment when it was imported."""

_SETTINGS = {"type": "hf_jobs", "flavor": "cpu-basic", "timeout": 300, "look_s": 0.3, "push_s": 0, "pace_s": 1, "quiet_s": 0.2}


class JobsBackend(ComputeBackend[Any]):
    """Trains nothing, at Hugging Face Jobs."""

    name = "trl"
    program = Program(backend="trl", module="waiting", distributions=("anytune-huggingface",), environment={})
    methods = frozenset({"sft"})
    adapters = frozenset({"lora"})
    settings = frozenset({"num_train_epochs", "max_steps"})

    def check(self, spec: Any, data: Any) -> list[Any]:
        return []

    def quote(self, spec: Any, stats: Any) -> Quote:
        return Quote(cost_usd=0.5)

    def resolved(self, spec: Any) -> dict[str, Any]:
        return {}


def jobs_backend(points: Points, folder: Path, environment: Mapping[str, str]) -> Backend:
    """Set it up in this process: what the library read when it was imported is changed here."""
    os.environ.update(environment)
    os.environ.pop("HF_HUB_OFFLINE", None)
    values = (False, True, *(str(folder / name) for name in ("hub-cache", "token", "agents.json")))
    for name, value in zip(HUB_CONSTANTS, values, strict=True):
        setattr(constants, name, value)
    utils.disable_progress_bars()
    set_client_factory(lambda: httpx2.Client(transport=Watched(points), follow_redirects=True, timeout=10.0))
    return JobsBackend(compute=_SETTINGS)
