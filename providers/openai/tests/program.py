"""A user's script that makes one job, run by the tests as a process of its own; it can stop for good right after the create."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from anytune import FineTuneJob
from anytune.runtime import Runtime
from anytune_openai import OpenAIBackend

settings = json.loads(sys.argv[1])


class Stopping(OpenAIBackend):
    def submit(self, order):
        job = super().submit(order)
        if settings.get("stop"):
            print("created", flush=True)
            time.sleep(600)
        return job


if "go" in settings:
    Path(settings["go"] + f".{settings['number']}").touch()
    while not Path(settings["go"]).exists():
        time.sleep(0.001)

backend = Stopping(settle_s=settings.get("settle_s", 0.5))
job = FineTuneJob.create(backend=backend, model="gpt-4.1-mini-2025-04-14", train=Path(settings["train"]), name="recipes", context=Runtime())
print(json.dumps({"id": job.id, "remote_id": job.remote_id, "status": job.status}))
