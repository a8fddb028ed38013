"""What it takes to watch a thousand jobs: CPU, memory, threads and requests, beside the openai client's own way.

    python bench/watch.py [--jobs 1000] [--seconds 120] [--every 15]

The jobs run at the OpenAI simulator, over real HTTP, in a process of its own; each ends at a random time within half an hour of its start.
Who watches is measured in a child: CPU seconds of all its threads against the clock, its peak memory (RSS), its threads and what the
simulator counted. The openai client has no way to watch many, so its own way is one `jobs.retrieve` for each: in a thread each, or in a
task each of asyncio. Prints Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "gpt-4.1-mini-2025-04-14"
SEED = 20261123
HALF_AN_HOUR_S = 1800.0
_STEPS = 20
WHO = {
    "anytune": "**anytune**, `watch_many`, its own rhythm",
    "anytune-every": "**anytune**, `watch_many`, every {every:g} s",
    "threads": "openai, a thread a job, every {every:g} s",
    "asyncio": "openai, a task a job, every {every:g} s",
}


def main() -> None:
    """Run each of them, one after the other, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--every", type=float, default=15.0)
    parser.add_argument("--only", choices=WHO, action="append")
    parser.add_argument("--child", choices=WHO, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        _measured(given.child, given.seconds, given.every)
        return
    rows = [_run(who, given.jobs, given.seconds, given.every) for who in given.only or WHO]
    print("| who | CPU, % of one core | peak memory | threads | requests/s | ends seen |")
    print("|---|---:|---:|---:|---:|---:|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    versions = f"openai {importlib.metadata.version('openai')}, Python {platform.python_version()}"
    where = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"\n{given.jobs} jobs, {given.seconds:g} s each, seed {SEED}. {versions}, {where}, {time.strftime('%Y-%m-%d')}.")


def _run(who: str, jobs: int, seconds: float, every: float) -> list[str]:
    """Let one of them watch, in a process of its own; this one is the provider."""
    from openai import OpenAI  # noqa: PLC0415 - the child that measures loads only what it needs

    from anytune.testing import Life, OpenAISimulator  # noqa: PLC0415 - as above

    chance = random.Random(SEED)  # noqa: S311 - lives, no secrets
    words = ("queued", *("running",) * _STEPS, "succeeded")
    lives = [Life(words=words, tick_s=chance.uniform(30.0, HALF_AN_HOUR_S) / len(words)) for _ in range(jobs)]
    rows = "".join(json.dumps({"messages": [{"role": r, "content": f"{n} cups"} for r in ("user", "assistant")]}) + "\n" for n in range(12))
    with OpenAISimulator(life=lives) as sim, OpenAI(base_url=sim.base_url, api_key=sim.api_key) as client:
        file = client.files.create(file=("train.jsonl", rows.encode()), purpose="fine-tune")
        while client.files.retrieve(file.id).status != "processed":
            time.sleep(0.05)
        ids = [client.fine_tuning.jobs.create(model=MODEL, training_file=file.id).id for _ in range(jobs)]
        before = len(sim.requests)
        with tempfile.TemporaryDirectory(prefix="anytune-watch-") as folder:
            env = os.environ | {"OPENAI_BASE_URL": sim.base_url, "OPENAI_API_KEY": sim.api_key, "ANYTUNE_HOME": folder}
            argv = [sys.executable, __file__, "--child", who, "--seconds", str(seconds), "--every", str(every)]
            done = subprocess.run(argv, env=env, input=json.dumps(ids), capture_output=True, text=True, check=False, timeout=seconds + 300)
        if done.returncode:
            raise SystemExit(done.stderr)
        seen = json.loads(done.stdout)
        asked = (len(sim.requests) - before) / seen["wall_s"]
    name = WHO[who].format(every=every)
    share = f"{100 * seen['cpu_s'] / seen['wall_s']:.1f}"
    return [name, share, f"{seen['rss_mb']:.0f} MB", str(seen["threads"]), f"{asked:.1f}", str(seen["ended"])]


def _measured(who: str, seconds: float, every: float) -> None:
    ids = json.load(sys.stdin)
    watching: dict[str, Callable[[list[str], float, float], Any]] = {
        "anytune": lambda ids, seconds, _: _anytune(ids, seconds, None),
        "anytune-every": _anytune,
        "threads": _threads,
        "asyncio": lambda ids, seconds, every: asyncio.run(_tasks(ids, seconds, every)),
    }
    begun, cpu_s, ended, threads = watching[who](ids, seconds, every)
    used = {
        "wall_s": time.monotonic() - begun,
        "cpu_s": time.process_time() - cpu_s,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "threads": threads,
        "ended": ended,
    }
    sys.stdout.write(json.dumps(used))
    sys.stdout.flush()
    os._exit(0)  # a thousand threads sleep for a while yet


def _anytune(ids: list[str], seconds: float, every: float | None) -> tuple[float, float, int, int]:
    from anytune.fleet import Fleet  # noqa: PLC0415 - what is not measured is not loaded
    from anytune.ledger import claims  # noqa: PLC0415 - as above
    from anytune.runtime import runtime  # noqa: PLC0415 - as above
    from anytune.values import Snapshot, Status, now  # noqa: PLC0415 - as above

    context = runtime()
    backend = context.backend("openai")
    key = {"backend": "openai", "account": backend.account, "profile": None, "host": None}
    with context.ledger.database.write() as connection:
        for place, each in enumerate(ids):
            seen = Snapshot(id=each, status=Status.QUEUED)
            claims.attach(connection, context.ledger.uuid, seen, remote_id=each, name=f"job-{place}", now=now(), **key)
    begun, cpu_s, most = time.monotonic(), time.process_time(), 0
    ended = 0
    with Fleet(poll_s=every, context=context) as fleet:
        while time.monotonic() - begun < seconds:
            ended += sum(change.snapshot.status.terminal for change in fleet.step())
            most = max(most, threading.active_count())
    return begun, cpu_s, ended, most


def _threads(ids: list[str], seconds: float, every: float) -> tuple[float, float, int, int]:
    from openai import OpenAI  # noqa: PLC0415 - as above

    client = OpenAI()
    begun, cpu_s = time.monotonic(), time.process_time()
    ended: list[str] = []

    def watch(job_id: str) -> None:
        time.sleep(random.uniform(0.0, every))  # noqa: S311 - spread, as anybody would
        while client.fine_tuning.jobs.retrieve(job_id).status not in {"succeeded", "failed", "cancelled"}:
            time.sleep(every)
        ended.append(job_id)

    for each in ids:
        threading.Thread(target=watch, args=(each,), daemon=True).start()
    most = threading.active_count()
    time.sleep(max(seconds - (time.monotonic() - begun), 0.0))
    return begun, cpu_s, len(ended), most


async def _tasks(ids: list[str], seconds: float, every: float) -> tuple[float, float, int, int]:
    from openai import AsyncOpenAI  # noqa: PLC0415 - as above

    client = AsyncOpenAI()
    begun, cpu_s = time.monotonic(), time.process_time()
    ended: list[str] = []

    async def watch(job_id: str) -> None:
        await asyncio.sleep(random.uniform(0.0, every))  # noqa: S311 - as above
        while (await client.fine_tuning.jobs.retrieve(job_id)).status not in {"succeeded", "failed", "cancelled"}:  # noqa: ASYNC110 - polls
            await asyncio.sleep(every)
        ended.append(job_id)

    tasks = [asyncio.create_task(watch(each)) for each in ids]
    await asyncio.sleep(seconds)
    most = threading.active_count()
    for task in tasks:
        task.cancel()
    return begun, cpu_s, len(ended), most


if __name__ == "__main__":
    main()
