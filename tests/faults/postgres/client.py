"""A user's program, run by the load as a process of its own: it makes jobs, waits for them and says what it got.

Only making a job is tried again, as a script that is run again would. Waiting is called once: it has to outlast the database's absence.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from anytune import FineTuneJob
from anytune.errors import LedgerAway, Transient
from anytune.runtime import Runtime
from anytune_openai import OpenAIBackend

_THREADS = 6
_AGAIN_S = 0.3

told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
backend = OpenAIBackend(base_url=told["base_url"], api_key=told["api_key"], settle_s=0.2)
context = Runtime()
raised: Counter[str] = Counter()


def made(name: str) -> FineTuneJob:
    while True:
        try:
            return FineTuneJob.create(backend=backend, model=told["model"], train=told["train"], name=name, context=context)
        except Transient as error:
            raised["ledger away" if isinstance(error, LedgerAway) else type(error).__name__] += 1
            time.sleep(_AGAIN_S)


def result(name: str) -> dict[str, str | None]:
    job = made(name)
    tuned = job.wait(poll_s=0.1)
    return {"name": name, "id": job.id, "remote_id": job.remote_id, "model": tuned.id}


with ThreadPoolExecutor(_THREADS) as pool:
    results = list(pool.map(result, told["names"]))
Path(told["out"]).write_text(json.dumps({"results": results, "raised": raised}), encoding="utf-8")
