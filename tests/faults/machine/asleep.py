"""A program that does one thing to one job, and stops itself for real (SIGSTOP) at a named point; run by test_asleep.py."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from anytune import SFT, FineTuneJob
from anytune.errors import AnytuneError
from anytune.runtime import Runtime
from anytune.testing import MemoryBackend

SETTINGS = json.loads(sys.argv[1])


def passing(point):
    """Stop here, or end here, where that was asked for; each once."""
    if SETTINGS.get("stop") == point:
        SETTINGS["stop"] = None
        os.kill(os.getpid(), signal.SIGSTOP)
    if SETTINGS.get("die") == point:
        os._exit(9)


class Stopping(MemoryBackend):
    def submit(self, order):
        passing("before create")
        job = super().submit(order)
        passing("after create")
        return job

    def poll(self, job_id):
        seen = super().poll(job_id)
        passing("after poll")
        return seen


def main():
    able = MemoryBackend().capabilities.model_copy(update={"settle_s": 1.0})
    backend = Stopping(state_file=SETTINGS["state"], life={"words": ["queued", "running"], "tick_s": 0.01}, capabilities=able)
    context = Runtime()
    context.backend(backend)
    if SETTINGS["deed"] == "create":
        job = FineTuneJob.create(
            backend=backend,
            model="base",
            train=Path(SETTINGS["train"]),
            name="recipes",
            method=SFT(learning_rate=1e-4),
            context=context,
        )
        return {"remote_id": job.remote_id, "status": job.status.value}
    return {"status": FineTuneJob.get("recipes", context=context).refresh().status.value}


if __name__ == "__main__":
    try:
        told = main()
    except AnytuneError as error:
        told = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(told))
