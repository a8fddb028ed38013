"""Crash-point enumeration: a life is led again and again, and dies at its first failpoint, at its second, …, until none is left.

After each death a fresh process runs the same script to its end, and what the ledger says is held against what the provider has. `pairs`
lets the second run die too.
"""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.faults import lives
from tests.faults.ledgers import Broken, Seen, check_crashed, check_ended, read
from tests.faults.points import CRASHED, Points, watch_ledger
from tests.faults.worlds import WORLDS, kept_surroundings, quick_folder, rows

from anytune.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.faults.worlds import World

    from anytune.backend import Backend
    from anytune.runtime import Runtime

    Script = Callable[[World, Runtime, Backend, Path], None]

_LONGEST_S = 60
"""A run that takes longer hangs."""

_MANY = 2000
"""More failpoints than any life has."""


class Run(NamedTuple):
    """How a process ended.

    Attributes:
        code: Its exit code: 0, or CRASHED.
        passed: The failpoints that it passed, in order; of a crash the last one alone.
    """

    code: int
    passed: list[str]


class Tally(NamedTuple):
    """What an enumeration went through."""

    crashes: int
    names: int
    seconds: float


class Stage:
    """Where lives are led: a world, its training file, and an empty ledger to begin with.

    Args:
        name: The world.
        script: The life; by default the whole one, where the world trains.
        migrated: Lives begin with a ledger that was opened before; else its tables are made in front of the failpoints, too.
    """

    def __init__(self, name: str, script: Script | None = None, *, migrated: bool = True) -> None:
        self._kept = ExitStack()
        self._kept.enter_context(kept_surroundings())
        self._place = Path(tempfile.mkdtemp(prefix="anytune-faults-", dir=quick_folder()))
        self._number = 0
        self.world = WORLDS[name]()
        self.script = script or (lives.whole if self.world.trains else lives.cancelled)
        self._train = rows(self._place)
        self._template = self._place / "template.db" if migrated else None
        if migrated:
            Ledger.open(f"sqlite:///{self._template}").close()
        warmed(self.world, self.script, self._train, self._fresh())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.world.close()
        shutil.rmtree(self._place, ignore_errors=True)
        self._kept.close()

    def case(self, at: Iterable[int]) -> list[str]:
        """Lead one life that dies at these failpoints, each in a process of its own, then to its end; give where it died.

        Raises:
            Broken: A guarantee does not hold.
        """
        folder = self._fresh()
        before: list[Seen] = []
        died: list[str] = []
        for point in at:
            run = self._run(folder, at=point, tidy=bool(died))
            if run.code != CRASHED:
                break
            died.append(run.passed[-1])
            before.append(read(folder))
            check_crashed(before[-1], self.world.jobs(), self.world.live_hosts())
        self._run(folder, at=None, tidy=True)
        cancelled = self.script is lives.cancelled
        check_ended(before, read(folder), self.world.jobs(), self.world.live_hosts(), cancelled=cancelled)
        shutil.rmtree(folder, ignore_errors=True)
        return died

    def points(self) -> list[str]:
        """Lead one life to its end, and give the failpoints that it passed."""
        return self._run(self._fresh(), at=None, tidy=False).passed

    def singles(self) -> Tally:
        """Die once, at every failpoint."""
        began, names = time.monotonic(), set()
        for point in range(1, _MANY):
            died = self._told((point,))
            if not died:
                return Tally(point - 1, len(names), time.monotonic() - began)
            names.add(died[0])
        raise Broken(f"the life does not end within {_MANY} failpoints")

    def pairs(self, sample: Iterable[tuple[int, int]] | None = None) -> Tally:
        """Die twice: at all pairs, or at these."""
        began, names, count = time.monotonic(), set(), 0
        for first, second in sample if sample is not None else self._all_pairs():
            died = self._told((first, second))
            count += len(died) == 2
            names.update(died)
        return Tally(count, len(names), time.monotonic() - began)

    def sampled(self, points: int, count: int, seed: int) -> Tally:
        """Die twice at pairs that are drawn: the second death lies within what is left of the life."""
        chance = random.Random(seed)
        return self.pairs([(first := chance.randint(1, points), chance.randint(1, max(1, points - first + 12))) for _ in range(count)])

    def _all_pairs(self) -> Iterable[tuple[int, int]]:
        """Give (n, m) until both lives end by themselves; `case` tells by dying less often."""
        for first in range(1, _MANY):
            for second in range(1, _MANY):
                self._deaths = 2
                yield first, second
                if self._deaths < 2:
                    break
            if self._deaths < 1:
                return

    def _told(self, at: tuple[int, ...]) -> list[str]:
        try:
            died = self.case(at)
        except Exception as error:
            raise Broken(f"{self.world.name}, {self.script.__name__}, died at {at}: {error}") from error
        self._deaths = len(died)
        return died

    def _fresh(self) -> Path:
        self._number += 1
        folder = self._place / str(self._number)
        folder.mkdir()
        if self._template is not None:
            shutil.copy(self._template, folder / "ledger.db")
        self.world.fresh(folder)
        return folder

    def _run(self, folder: Path, *, at: int | None, tidy: bool) -> Run:
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            self._live(folder, at=at, tidy=tidy, line=theirs)
        os.close(theirs)
        with os.fdopen(ours, "rb") as line:
            told = line.read().decode()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code == -signal.SIGALRM:
            raise Broken(f"G5: a run hung for {_LONGEST_S} s")
        if code not in {0, CRASHED}:
            raise Broken(f"G5: a run of the script failed with {code}: {told[-3000:]}")
        return Run(code, json.loads(told) if code == 0 else [told])

    def _live(self, folder: Path, *, at: int | None, tidy: bool, line: int) -> None:
        """Be the process that runs the script; it does not return."""
        code = 1
        try:
            signal.alarm(_LONGEST_S)
            os.environ["ANYTUNE_HOME"] = str(folder / "home")
            points = Points(at, lambda name: os.write(line, name.encode()))
            watch_ledger(points)
            context, backend = self.world.context(folder, points)
            self.script(self.world, context, backend, self._train)
            if tidy:
                lives.tidied(context)
            os.write(line, json.dumps(points.passed).encode())
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
            os.write(line, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(code)


def warmed(world: World, script: Script, train: Path, folder: Path) -> None:
    """Lead one life here, so that what it imports and keeps is there in every fork, which then begins to live at once."""
    os.environ["ANYTUNE_HOME"] = str(folder / "home")
    context, backend = world.context(folder, Points())
    script(world, context, backend, train)
    context.ledger.close()
    backend.close()
    gc.freeze()
