"""The agent: one process per machine (and ANYTUNE_HOME) that watches over all local tasks."""

from __future__ import annotations

import logging
import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from anytune.errors import redact
from anytune.local import durable, locks
from anytune.local.folder import BrokenTask, Folder
from anytune.local.launch import introduce
from anytune.local.processes import carriers, send
from anytune.local.task import TaskState
from anytune.local.watch import Watch
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anytune.local.processes import Identity

__all__ = ["Agent"]

log = logging.getLogger(__name__)

_TRIM_S = 5.0
_RACE_TRIES = 40


class Agent:
    """Takes queued tasks in order, starts their children, and sees them end.

    Everything that it knows is in the tasks' folders: it may be killed at any moment, and the next one goes on from there.

    Args:
        folder: `<ANYTUNE_HOME>/local`.
        slots: Trainings at the same time.
        idle_s: Seconds without work after which it leaves.
        poll_s: Seconds between two looks.
        grace_s: Seconds from SIGTERM to SIGKILL.
        clock: Monotonic seconds.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        slots: int = 1,
        idle_s: float = 30,
        poll_s: float = 0.2,
        grace_s: float = 10,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Know the settings; touch nothing yet."""
        self.folder, self.slots, self.idle_s, self.poll_s, self.grace_s = folder, max(1, slots), idle_s, poll_s, grace_s
        self.clock, self.sleep = clock, sleep
        self._lock: int | None = None
        self._watched: dict[str, Watch] = {}
        self._done: set[str] = set()
        self._told: dict[str, str] = {}
        self._leaving = False
        self._trimmed = 0.0

    def enter(self) -> bool:
        """Become the agent; False where another one runs. Tries for a while: callers that look hold the lock for a moment."""
        for _ in range(_RACE_TRIES):
            self._lock = locks.take(self.folder / "agent.lock")
            if self._lock is not None:
                introduce(self._lock)
                log.info("agent started: %d slots, idle after %g s", self.slots, self.idle_s)
                return True
            self.sleep(0.02)
        return False

    def leave(self) -> None:
        """Leave at the next look; children go on."""
        self._leaving = True

    def run(self) -> None:
        """Look, act and sleep until idle."""
        last_work = self.clock()
        while not self._leaving:
            try:
                busy = self.look()
            except OSError as error:  # a full or vanished disk: nothing to do but to look again
                self._tell("", f"{type(error).__name__}: {error}")
                busy = self.folder.exists()
            if busy:
                last_work = self.clock()
            elif self.clock() - last_work >= self.idle_s and self._left_in_order():
                return
            self.sleep(self.poll_s)
        log.info("agent leaves: it was told to")

    def _left_in_order(self) -> bool:
        """Give the lock back, then look once more: who put a task before that saw the lock held and started nobody."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if not self.folder.exists():
            self._clear_up()
        elif self._anything_new():
            return not self.enter()
        log.info("agent leaves: idle")
        return True

    def _clear_up(self) -> None:
        """End what is left of tasks whose folders are gone: nobody could follow, pause or end it any more."""
        log.warning("the folder %s is gone: its tasks are ended", self.folder)
        deadline = self.clock() + self.grace_s
        left = self._carriers()
        send(signal.SIGTERM, child=None, others=left)
        while left and self.clock() < deadline:
            self.sleep(self.poll_s)
            left = self._carriers()
        send(signal.SIGKILL, child=None, others=left)

    def _carriers(self) -> list[Identity]:
        return [one for watch in self._watched.values() for one in carriers(watch.id, watch.folder.path)]

    def _anything_new(self) -> bool:
        """Look without touching anything: another agent may be at work by now."""
        names = {entry.name for entry in os.scandir(self.folder / "tasks") if not entry.name.startswith(".")}
        unknown = names - self._done - self._watched.keys()
        return any(Folder(name, self.folder).exists for name in unknown) or any(watch.busy for watch in self._watched.values())

    def look(self) -> bool:
        """Look at every task once and do what is due; tells whether any has work left."""
        busy = self._discover()
        for watch in list(self._watched.values()):
            self._guarded(watch.id, watch.step)
            if watch.state.ended:
                self._done.add(watch.id)
                del self._watched[watch.id]
        self._fill()
        if self.clock() - self._trimmed > _TRIM_S:
            self._trimmed = self.clock()
            for watch in self._watched.values():
                durable.trim(watch.folder / "log.txt")
        return busy

    def _discover(self) -> bool:
        """Take in the folders that are new; tells whether any task has work left."""
        names = {entry.name for entry in os.scandir(self.folder / "tasks") if not entry.name.startswith(".")}
        self._done &= names
        for name in self._watched.keys() - names:
            del self._watched[name]
        for name in sorted(names - self._done - self._watched.keys()):
            self._guarded(name, partial(self._take_in, name))
        return any(watch.busy for watch in self._watched.values())

    def _take_in(self, name: str) -> None:
        folder = Folder(name, self.folder)
        if not folder.exists:
            return  # being put at this moment
        state = folder.state()
        if state is not None and state.ended:
            self._done.add(name)
            return
        try:
            task = folder.task()
        except BrokenTask as error:
            self._refuse(folder, state, str(error))
            return
        self._watched[name] = Watch(folder, task, state, grace_s=self.grace_s, clock=self.clock)

    def _refuse(self, folder: Folder, state: TaskState | None, reason: str) -> None:
        log.error("task %s: %s", folder.id, reason)
        state = state or TaskState(id=folder.id)
        folder.write_state(state.model_copy(update={"status": "failed", "error": reason, "ended_at": now()}))
        self._done.add(folder.id)

    def _fill(self) -> None:
        """Start serving tasks at once, and training tasks by `sequence` while slots are free."""
        queued = sorted((w for w in self._watched.values() if w.state.status == "queued"), key=lambda w: (w.task.sequence, w.id))
        for watch in queued:
            if watch.task.kind == "serve":
                self._guarded(watch.id, watch.start)
        for watch in (w for w in queued if w.task.kind == "train"):
            slot = locks.take_slot(self.folder / "slots", self.slots)
            if slot is None:
                return
            try:
                self._guarded(watch.id, partial(watch.start, slot))
            finally:
                os.close(slot)

    def _guarded(self, name: str, action: Callable[[], object]) -> None:
        """Do something for one task so that its trouble is nobody else's; the same trouble is logged once."""
        try:
            action()
            self._told.pop(name, None)
        except Exception as error:  # noqa: BLE001 - one task's trouble must not be the end of all; it is logged with its trace
            self._tell(name, f"{type(error).__name__}: {error}", trace=True)

    def _tell(self, name: str, text: str, *, trace: bool = False) -> None:
        if self._told.get(name) != text:
            self._told[name] = text
            log.error("task %s: %s", name or "-", redact(text), exc_info=trace)
