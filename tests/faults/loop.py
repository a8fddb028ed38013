"""The kill -9 loop: workers make jobs at a faulty provider and are killed every 0.05 to 0.4 s, until all jobs have ended.

    python -m tests.faults.loop --jobs 500 --kills 1000 --seed 7

Each worker is a process of its own that runs a user's script again and again; a fork of a warmed process, since Python alone takes longer to
start than a worker lives. `--way naive` is what scripts do without anytune: create, then write down, with the vendor's own retries.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.faults import lives
from tests.faults.chances import Chances
from tests.faults.crashes import warmed
from tests.faults.ledgers import Broken, read
from tests.faults.points import Points
from tests.faults.worlds import OpenAIWorld, kept_surroundings, quick_folder, rows

from anytune import FineTuneJob
from anytune.errors import AnytuneError, JobFailed
from anytune.ledger import Ledger, sweep
from anytune.testing import WireFaults

if TYPE_CHECKING:
    from collections.abc import Callable

_SHORTEST_S, _LONGEST_S = 0.05, 0.4
_ROUND_S = 0.003
_SPARED_AFTER = 4
"""Deaths in a row without an ended job, after which a worker lives until it has ended one: three empty listings alone take longer than a
worker lives on a busy machine, and are not taken over from a dead one."""
_CANCELLED_EVERY = 5
"""Every fifth job is cancelled by its script, and must end so."""


class Plan(NamedTuple):
    """What a loop shall do.

    Attributes:
        jobs: Jobs at least.
        kills: Kills at least; there are more jobs where these have ended before.
        workers: Processes at a time.
        seed: Of deaths and faults.
        settle_s: The settle window of the backend.
        lag_s: How late listings show a job.
        late_s: How late a create may take effect after its connection broke.
        naive: Create, then write down.
        patience_s: Seconds after which the loop is broken off, and counts as broken.
    """

    jobs: int = 500
    kills: int = 1000
    workers: int = 3
    seed: int = 0
    settle_s: float = 0.8
    lag_s: float = 0.15
    late_s: float = 0.15
    naive: bool = False
    patience_s: float = 3600.0


class Ended(NamedTuple):
    """How a loop ended.

    Attributes:
        created: Jobs that the provider made.
        twice: Jobs beyond the first of each key.
        live_twice: Of these, jobs that cost money after the sweep.
        lost: Jobs of the ledger that did not end as their script wanted, and jobs at the provider that no row names.
        orphans: Live jobs at the provider that no row names, after the sweep.
        swept: Second jobs that the sweep cancelled.
        uploads: Files that were sent; all jobs train on the same one.
    """

    jobs: int
    kills: int
    created: int
    twice: int
    live_twice: int
    lost: int
    orphans: int
    swept: int
    uploads: int
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether the guarantees held."""
        return not (self.live_twice or self.lost or self.orphans)


@dataclass
class Worker:
    """One place for a process."""

    names: list[str]
    pid: int = 0
    line: int = -1
    dies_at: float = 0.0
    in_vain: int = 0
    heard: bytes = b""
    done: list[str] = field(default_factory=list)


class Loop:
    """One loop, in a folder of its own."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = random.Random(plan.seed)
        self.folder = Path(tempfile.mkdtemp(prefix="anytune-loop-", dir=quick_folder()))
        self.world = OpenAIWorld()
        self.kills = self.named = 0

    def run(self) -> Ended:
        """Kill until all jobs have ended, then sweep and count.

        Raises:
            Broken: A worker failed by itself, or the loop does not end.
        """
        with kept_surroundings():
            return self._run()

    def _run(self) -> Ended:
        began = time.monotonic()
        workers: list[Worker] = []
        try:
            self._prepare()
            workers += [Worker(self._named(self.plan.jobs // self.plan.workers + 1)) for _ in range(self.plan.workers)]
            while any(worker.names for worker in workers) or self.kills < self.plan.kills:
                if time.monotonic() - began > self.plan.patience_s:
                    raise Broken(f"the loop was not through after {self.plan.patience_s:g} s: {self.kills} kills, {workers}")
                for worker in workers:
                    self._look(worker)
                time.sleep(_ROUND_S)
            return self._counted(sum(len(worker.done) for worker in workers), time.monotonic() - began)
        finally:
            for worker in workers:
                self._kill(worker)
            self.world.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _prepare(self) -> None:
        plan = self.plan
        self.train = rows(self.folder)
        self.world.fresh(self.folder, settle_s=plan.settle_s)
        warmed(self.world, lives.whole, self.train, self.folder)
        self.world.fresh(self.folder, settle_s=plan.settle_s, faults=Chances(seed=plan.seed, list_lag_s=plan.lag_s, late_s=plan.late_s))
        (self.folder / "ledger.db").unlink(missing_ok=True)
        Ledger.open(f"sqlite:///{self.folder}/ledger.db").close()
        with closing(sqlite3.connect(self.folder / "naive.db")) as connection:
            connection.execute("CREATE TABLE jobs (name TEXT PRIMARY KEY, id TEXT)")

    def _named(self, count: int) -> list[str]:
        self.named += count
        return [f"job-{number:05d}" for number in range(self.named - count, self.named)]

    def _look(self, worker: Worker) -> None:
        if worker.pid == 0:
            if not worker.names and self.kills < self.plan.kills:
                worker.names = self._named(4)
            if worker.names:
                self._start(worker)
            return
        self._hear(worker)
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        if pid:
            self._hear(worker)
            os.close(worker.line)
            worker.pid = 0
            if code := os.waitstatus_to_exitcode(status):
                raise Broken(f"a worker failed with {code}: {worker.heard.decode()}")
        elif time.monotonic() >= worker.dies_at and worker.in_vain < _SPARED_AFTER:
            self._kill(worker)
            self.kills += 1
            worker.in_vain += 1

    def _start(self, worker: Worker) -> None:
        ours, theirs = os.pipe()
        worker.dies_at = time.monotonic() + self.chance.uniform(_SHORTEST_S, _LONGEST_S)
        worker.pid = os.fork()
        if worker.pid == 0:
            os.close(ours)
            self._work(worker.names, theirs)
        os.close(theirs)
        os.set_blocking(ours, False)
        worker.line, worker.heard = ours, b""

    def _kill(self, worker: Worker) -> None:
        if worker.pid:
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)
            self._hear(worker)
            os.close(worker.line)
            worker.pid = 0

    def _hear(self, worker: Worker) -> None:
        with suppress(BlockingIOError):
            while said := os.read(worker.line, 65536):
                worker.heard += said
        *whole, worker.heard = worker.heard.split(b"\n")
        for line in whole:
            worker.in_vain = 0
            worker.done.append(line.decode())
            worker.names.remove(line.decode())

    def _work(self, names: list[str], line: int) -> None:
        """Be a worker: run one script after the other, each again until it ends well. It does not return."""
        code = 1
        try:
            script = self._naive() if self.plan.naive else self._script()
            for name in names:
                script(name)
                os.write(line, f"{name}\n".encode())
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the loop is told
            os.write(line, traceback.format_exc()[-3000:].replace("\n", "\r").encode())
        finally:
            os._exit(code)

    def _script(self) -> Callable[[str], None]:
        context, backend = self.world.context(self.folder, Points())

        def run(name: str) -> None:
            while True:
                try:
                    job = lives.created(self.world, context, backend, self.train, name=name)
                    if _to_cancel(name):
                        job.cancel()
                    job.wait(poll_s=0.0)
                except JobFailed:
                    if not _to_cancel(name):
                        raise
                except AnytuneError:
                    context.sleep(1.0)
                    continue
                return

        return run

    def _naive(self) -> Callable[[str], None]:
        from openai import OpenAI, OpenAIError

        client = OpenAI(base_url=self.world.url, api_key="sk-simulated-key", timeout=5.0)  # its own two retries are on
        book = sqlite3.connect(self.folder / "naive.db", isolation_level=None, timeout=30)

        def run(name: str) -> None:
            while True:
                with suppress(OpenAIError):
                    found = book.execute("SELECT id FROM jobs WHERE name = ?", (name,)).fetchone()
                    if found is None:
                        with self.train.open("rb") as stream:
                            file = client.files.create(file=stream, purpose="fine-tune")
                        made = client.fine_tuning.jobs.create(model=self.world.model, training_file=file.id, metadata={"anytune_ref": name})
                        book.execute("INSERT INTO jobs VALUES (?, ?)", (name, made.id))
                        found = (made.id,)
                    while client.fine_tuning.jobs.retrieve(found[0]).status != "succeeded":
                        time.sleep(0.01)
                    return

        return run

    def _counted(self, done: int, seconds: float) -> Ended:
        self.world.set_faults(WireFaults(list_lag_s=self.plan.lag_s))
        time.sleep(self.plan.lag_s + self.plan.late_s)
        swept = [] if self.plan.naive else self._swept()
        made = self.world.jobs()
        if self.plan.naive:
            with closing(sqlite3.connect(self.folder / "naive.db")) as book:
                named = {found for (found,) in book.execute("SELECT id FROM jobs")}
            wrong, keys = 0, {job.ref for job in made}
        else:
            ledger = read(self.folder).jobs
            named = {row["remote_id"] for row in ledger if row["remote_id"] is not None}
            wrong = sum(row["status"] != ("cancelled" if _to_cancel(row["name"]) else "succeeded") for row in ledger)
            keys = {row["id"] for row in ledger}
            wrong += sum(job.ref not in keys for job in made) + len(named - {job.id for job in made}) + abs(len(ledger) - self.named)
        strays = [job for job in made if job.live and job.id not in named]
        return Ended(
            jobs=done,
            kills=self.kills,
            created=len(made),
            twice=len(made) - len({job.ref for job in made}),
            live_twice=sum(job.ref in keys for job in strays),
            lost=wrong,
            orphans=len(strays),
            swept=len(swept),
            uploads=self.world.provider.ask("files"),
            seconds=seconds,
        )

    def _swept(self) -> list[str]:
        context, backend = self.world.context(self.folder, Points())
        for job in FineTuneJob.list(context=context):
            if not job.status.terminal:
                job.refresh()
        found = sweep(context.ledger, backend, retry=context.retry)
        context.ledger.close()
        backend.close()
        return found


def _to_cancel(name: str) -> bool:
    return int(name.rpartition("-")[2]) % _CANCELLED_EVERY == 0


def main() -> int:
    """Run one loop, and print how it ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.loop", description=__doc__.splitlines()[0])
    for name in ("jobs", "kills", "workers", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Plan(), name))
    for name in ("settle", "lag", "late", "patience"):
        parser.add_argument(f"--{name}-s", type=float, default=getattr(Plan(), f"{name}_s"))
    parser.add_argument("--naive", action="store_true", help="create, then write down, with the vendor's retries")
    plan = Plan(**vars(parser.parse_args()))
    print(plan, flush=True)
    ended = Loop(plan).run()
    print(ended)
    return 0 if ended.sound or plan.naive else 1


if __name__ == "__main__":
    sys.exit(main())
