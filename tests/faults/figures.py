"""The figures of this room: crash points and pairs of them, the kill -9 loop, and the connection cut at every byte."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

from tests.faults import lives
from tests.faults.crashes import Stage
from tests.faults.cuts import HostCuts, JobCuts, cut
from tests.faults.loop import Loop, Plan
from tests.faults.registry import Figure
from tests.faults.worlds import WORLDS, AzureWorld, HubWorld, OpenAIWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.loop import Ended

PAIRS = {"memory": 60, "openai": 30, "azure": 20, "trl@hf_jobs": 10}
"""Pairs of deaths that are drawn where not all are tried."""


def figures(full: bool) -> Iterator[Figure]:
    """Give the rows; `full` tries everything, for an hour and more."""
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    yield from crash_points(full, seed)
    yield from cut_replies(full)
    yield from loops(full, seed)


def crash_points(full: bool, seed: int) -> Iterator[Figure]:
    """Die at every failpoint, then at pairs of them."""
    for name, world in WORLDS.items():
        for script in (lives.whole, lives.cancelled) if world.trains else (lives.cancelled,):
            with Stage(name, script) as stage:
                found = stage.singles()
                what = f"{name}, {_LIVES[script.__name__]}: killed at each of its failpoints"
                yield Figure(what, f"{found.crashes} failpoints ({found.names} kinds), all end well", found.seconds)
        with Stage(name) as stage:
            pairs = stage.pairs() if full else stage.sampled(found.crashes, PAIRS[name], seed)
            what = f"{name}: killed at two failpoints, {'all pairs' if full else 'a sample'}"
            yield Figure(what, f"{pairs.crashes} pairs, all end well", pairs.seconds, None if full else seed)
    with Stage("memory", migrated=False) as stage:
        found = stage.singles()
        yield Figure("memory, from a ledger that is not made yet: the same", f"{found.crashes} failpoints, all end well", found.seconds)


def cut_replies(full: bool) -> Iterator[Figure]:
    """Break the connection at the bytes of a reply."""
    tables = (
        ("openai, reply to POST /fine_tuning/jobs", lambda: JobCuts(OpenAIWorld()), 5, "one job each, adopted"),
        ("azure, reply to ARM's PUT of a deployment", lambda: HostCuts(AzureWorld()), 40, "one host each, stopped"),
        ("trl@hf_jobs, reply to POST /api/jobs", lambda: JobCuts(HubWorld()), 200, "one Job each, adopted"),
    )
    for what, table, every, reached in tables:
        found = cut(table(), every=1 if full else every)
        yield Figure(f"{what}: cut at byte", f"{found.offsets} of {found.length} offsets; {reached}", found.seconds)


def loops(full: bool, seed: int) -> Iterator[Figure]:
    """Kill workers at random."""
    size = {"jobs": 500, "kills": 1000, "workers": 4, "settle_s": 1.5} if full else {"jobs": 24, "kills": 60}
    few = {"jobs": 60, "kills": 120} if full else {"jobs": 8, "kills": 12}
    yield _row("kill -9 loop, listings lag less than the settle window", Plan(seed=seed, **size))
    yield _row("the same, listings lag longer (1 s, window 0.2 s), after the sweep", Plan(seed=seed, settle_s=0.2, lag_s=1.0, **few))
    yield _row("without anytune: create, then write down, the vendor's retries", Plan(seed=seed, naive=True, **few))


_LIVES = {"whole": "create to stop", "cancelled": "create to cancel"}


def _row(what: str, plan: Plan) -> Figure:
    began = time.monotonic()
    ended = Loop(plan).run()
    return Figure(what, told(ended), time.monotonic() - began, plan.seed, sound=ended.sound or plan.naive)


def told(ended: Ended) -> str:
    """Say how a loop ended."""
    return (
        f"{ended.kills} kills, {ended.jobs} jobs: {ended.lost} lost, {ended.live_twice} live duplicates, {ended.orphans} orphans "
        f"({ended.twice} made twice, {ended.swept} of them ended by the last sweep; {ended.uploads} uploads of one file)"
    )
