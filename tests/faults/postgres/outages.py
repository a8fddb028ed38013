"""PostgreSQL is stopped and started again at random while processes make jobs and wait for them: nothing may be lost or made twice.

    python -m tests.faults.postgres.outages --jobs 600 --seed 7

The shape is DBOS's chaos test (a stop every 5 to 20 s, down for up to 5 s), four to five times as fast.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.faults.registry import Figure
from tests.postgres import Missing, PostgreSQL

from anytune.ledger import Ledger
from anytune.testing import Life, OpenAISimulator

if TYPE_CHECKING:
    from collections.abc import Iterator

_UP_S, _DOWN_S = (1.0, 3.0), (0.0, 1.5)
_MODEL = "gpt-4.1-mini-2025-04-14"
_ROW = '{"messages": [{"role": "user", "content": "2 eggs"}, {"role": "assistant", "content": "eggs"}]}\n'
_CLIENT = Path(__file__).with_name("client.py")


class Plan(NamedTuple):
    """What a load shall be.

    Attributes:
        jobs: Names; each is asked for by two of the processes.
        processes: How many there are.
        seed: Of the stops.
        patience_s: Seconds after which the load is broken off, and counts as broken.
    """

    jobs: int = 120
    processes: int = 4
    seed: int = 0
    patience_s: float = 240.0


@dataclass
class Outages:
    """What was done to the server.

    Attributes:
        fast: Stops that break transactions off and say so.
        immediate: Stops that are crashes.
        down_s: Seconds that it was down, in sum.
    """

    fast: int = 0
    immediate: int = 0
    down_s: float = 0.0

    def make(self, server: PostgreSQL, over: threading.Event, chance: random.Random) -> None:
        """Stop and start until it is over; it runs at the end."""
        while not over.wait(chance.uniform(*_UP_S)):
            mode = chance.choice(("fast", "immediate"))
            began = time.monotonic()
            server.stop(mode)
            time.sleep(chance.uniform(*_DOWN_S))
            server.start()
            self.down_s += time.monotonic() - began
            setattr(self, mode, getattr(self, mode) + 1)


class Ended(NamedTuple):
    """How a load ended.

    Attributes:
        created: Jobs that the provider made.
        twice: Of these, beyond the first of each name.
        lost: Names without a row that ended well, and jobs of the provider that no row names.
        unlike: Names whose two processes were given different results, or another one than the provider's.
        forgotten: Events of the provider that the ledger lacks, or has twice.
        raised: Errors on the way, by name: what a user's script met, and was run again for.
        complaints: What a process said that did not end well.
    """

    jobs: int
    stops: int
    down_s: float
    created: int
    twice: int
    lost: int
    unlike: int
    forgotten: int
    raised: dict[str, int]
    complaints: list[str]
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether the guarantees held."""
        return not (self.twice or self.lost or self.unlike or self.forgotten or self.complaints)


def figures(full: bool) -> Iterator[Figure]:
    """Give the row of `make faults`."""
    plan = Plan(jobs=600 if full else 60, seed=int(os.environ.get("SEED") or random.randrange(1_000_000)), patience_s=3600.0)
    what = "PostgreSQL stopped every 1 to 3 s for up to 1.5 s, 4 processes, each job asked for by 2"
    try:
        ended = run(plan)
    except Missing as reason:
        yield Figure(what, f"not tried: {reason}", 0.0)
        return
    reached = (
        f"{ended.stops} stops, down for {ended.down_s:.0f} s; {ended.jobs} jobs, {ended.created} made: {ended.lost} lost, {ended.twice} twice, "
        f"{ended.unlike} with another result, {ended.forgotten} without all events; {sum(ended.raised.values())} calls made again"
    )
    yield Figure(what, reached, ended.seconds, plan.seed, ended.sound)


def run(plan: Plan) -> Ended:
    """Lead a load through outages."""
    life = Life(words=("validating_files", "queued", "running", "running", "succeeded"))
    with (
        tempfile.TemporaryDirectory(prefix="anytune-outages-") as folder,
        OpenAISimulator(life=life) as provider,
        PostgreSQL() as server,
        server.ledger() as url,
    ):
        return _Load(plan, Path(folder), provider, server, url).run()


class _Load:
    def __init__(self, plan: Plan, folder: Path, provider: OpenAISimulator, server: PostgreSQL, url: str) -> None:
        self.plan, self.folder, self.provider, self.server, self.url = plan, folder, provider, server, url
        self.names = [f"job-{number:04d}" for number in range(plan.jobs)]
        (folder / "train.jsonl").write_text(_ROW * 10, encoding="utf-8")

    def run(self) -> Ended:
        began, over, outages = time.monotonic(), threading.Event(), Outages()
        chaos = threading.Thread(target=outages.make, args=(self.server, over, random.Random(self.plan.seed)))
        children = [self._start(number) for number in range(self.plan.processes)]
        chaos.start()
        try:
            complaints = [said for child in children if (said := self._finished(child, began))]
        finally:
            over.set()
            chaos.join()
            for child in children:
                child.kill()
                child.communicate()
        return self._ended(outages, complaints, time.monotonic() - began)

    def _start(self, number: int) -> subprocess.Popen[str]:
        told = {
            "base_url": self.provider.base_url,
            "api_key": self.provider.api_key,
            "model": _MODEL,
            "train": str(self.folder / "train.jsonl"),
            "names": [name for index, name in enumerate(self.names) if (index - number) % self.plan.processes in {0, 1}],
            "out": str(self.folder / f"{number}.json"),
        }
        environment = os.environ | {"ANYTUNE_LEDGER": self.url, "ANYTUNE_HOME": str(self.folder / "home")}
        errand = self.folder / f"{number}.errand"
        errand.write_text(json.dumps(told), encoding="utf-8")
        command = [sys.executable, str(_CLIENT), str(errand)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def _finished(self, child: subprocess.Popen[str], began: float) -> str:
        try:
            _, said = child.communicate(timeout=max(self.plan.patience_s - (time.monotonic() - began), 0.1))
        except subprocess.TimeoutExpired:
            return "a process did not end"
        return "" if child.returncode == 0 and not said else said.strip().splitlines()[-1]

    def _ended(self, outages: Outages, complaints: list[str], seconds: float) -> Ended:
        told: dict[str, set[tuple[str, str, str]]] = {name: set() for name in self.names}
        raised: Counter[str] = Counter()
        for path in self.folder.glob("*.json"):
            said = json.loads(path.read_text(encoding="utf-8"))
            raised.update(said["raised"])
            for one in said["results"]:
                told[one["name"]].add((one["id"], one["remote_id"], one["model"]))
        made = {job.id: job for job in self.provider.jobs}
        with Ledger.open(self.url) as ledger:
            rows = {row.name: row for row in ledger.jobs()}
            right = {
                name: {(row.id, row.remote_id, made[row.remote_id].tuned)}
                for name, row in rows.items()
                if row.remote_id in made and row.status == "succeeded"
            }
            kept = {row.remote_id: sorted(event.id for event in ledger.events(row.id)) for row in rows.values()}
        owned = {row.remote_id for row in rows.values()}
        return Ended(
            jobs=self.plan.jobs,
            stops=outages.fast + outages.immediate,
            down_s=outages.down_s,
            created=len(made),
            twice=len(made) - len({job.metadata["anytune_ref"] for job in made.values()}),
            lost=len(set(self.names) - set(right)) + len(set(made) - owned),
            unlike=sum(told[name] != right.get(name) for name in self.names),
            forgotten=sum(kept.get(job.id, []) != sorted(event.id for event in job.events) for job in made.values()),
            raised=dict(raised),
            complaints=complaints,
            seconds=seconds,
        )


def main() -> int:
    """Run one load and print how it ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=Plan().jobs)
    parser.add_argument("--processes", type=int, default=Plan().processes)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    parser.add_argument("--patience-s", type=float, default=3600.0)
    given = parser.parse_args()
    plan = Plan(**vars(given))
    ended = run(plan)
    print(f"seed {plan.seed}: {ended}")
    return 0 if ended.sound else 1


if __name__ == "__main__":
    sys.exit(main())
