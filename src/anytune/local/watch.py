"""One task under the agent's eyes: from queued to its end. What is true is in the task's folder; this reads it and acts."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from anytune.errors import redact
from anytune.local import durable, locks
from anytune.local.processes import Identity, alive, boot_id, carriers, carries, identify, leader, send, since_boot_s
from anytune.local.task import Task, TaskState, TaskStatus
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.local.folder import Folder

__all__ = ["Watch"]

log = logging.getLogger(__name__)

_LAST_WORDS = ("result.json", "failed.json", "paused.json", "stopped.json")
_OVER_BUDGET_S = 300.0
"""Seconds that a child has for its checkpoint after its budget is used up."""

_PROGRAMS_OWN = frozenset({errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENOEXEC, errno.ELOOP, errno.E2BIG})
"""Errors of a start that come again; all others are the machine's (no memory, no more files or processes, a full disk), and pass."""

_SPARE_BYTES = 2**20
"""What a disk must have free for a start: with less, the child could not even say what is wrong."""


class Watch:
    """One task that has not ended.

    Args:
        folder: Its folder.
        task: Its manifest.
        state: Its state as an earlier agent left it; None for a new one.
        grace_s: Seconds from SIGTERM to SIGKILL, and from a child's last word to its end.
        clock: Monotonic seconds.
    """

    def __init__(self, folder: Folder, task: Task, state: TaskState | None, *, grace_s: float, clock: Callable[[], float]) -> None:
        """Take the task in; a child that an earlier agent started is adopted."""
        self.id, self.folder, self.task, self.grace_s, self.clock = folder.id, folder, task, grace_s, clock
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping_since: float | None = None
        self._ours: Identity | None = None
        self._seen: dict[str, float] = {}
        endpoint = folder.read("endpoint.json") or {}
        self.state = state or TaskState(id=task.id, kind=task.kind, created_at=now(), port=endpoint.get("port"))
        if state is None:
            folder.write_state(self.state)
        elif state.living:
            log.info("task %s: adopted pid %s", self.id, state.pid)

    @property
    def busy(self) -> bool:
        """Tell whether an agent is needed for it: a paused task waits by itself."""
        return not self.state.ended and not (self.state.status == "paused" and self.folder.has("hold") and not self.folder.has("cancel"))

    def step(self) -> None:
        """Do what is due now."""
        if self.state.living:
            self._follow()
        elif self.folder.has("cancel"):
            self._end("stopped" if self.task.kind == "serve" else "cancelled")
        elif self._expired():
            self._end("stopped")
        elif self.state.status == "queued" and self.folder.has("hold"):
            self._become("paused")
        elif self.state.status == "paused" and not self.folder.has("hold"):
            self._become("queued")
            self._note("Resumed.")

    def start(self, slot: int | None = None) -> None:
        """Start the child; it inherits the slot's lock and its own life lock, and holds both until it and its descendants are gone."""
        life = locks.take(self.folder / "life.lock")
        found = carriers(self.id, self.folder.path) if life is None or self.state.started_at or self.folder.has("log.txt") else []
        try:
            if found or life is None:
                self._take_over(found)
                return
            self._spawn([handle for handle in (life, slot) if handle is not None])
        finally:
            if life is not None:
                os.close(life)

    def _take_over(self, found: list[Identity]) -> None:
        """Adopt the child of an agent that died before it could write its pid; what is left of a dead child is stopped."""
        child = leader(found)
        if child is None and not found:
            raise RuntimeError("life.lock is held by a process that does not carry the task's name; it is left alone")
        if child is None:
            self._stop(None, found)
            return
        log.info("task %s: found its child %d", self.id, child.pid)
        self._run_as(child)

    def _spawn(self, handles: list[int]) -> None:
        last = self.folder.read("result.json")
        if self.task.kind == "train" and last is not None:
            self._end("succeeded")
            return
        self.folder.clear("paused.json", "failed.json", "ready.json", "stopped.json")
        self.task.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if full := self._full():
            raise OSError(errno.ENOSPC, full)  # it waits until there is space again
        durable.reserve(self.folder.path)
        output = os.open(self.folder / "log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._process = subprocess.Popen(
                self.task.argv,
                env=self._environment(),
                cwd=self.task.run_dir,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=handles,
                umask=0o077,
            )
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in _PROGRAMS_OWN:
                raise
            self._end("failed", f"{self.task.argv[0]!r} cannot be started: {getattr(error, 'strerror', None) or error}.")
            return
        finally:
            os.close(output)
        child = identify(self._process.pid) or Identity(pid=self._process.pid, starttime="ended", boot_id="ended")
        self._ours = child
        self._run_as(child)
        self._note("Started." if self.state.restarts == 0 else f"Started again ({self.state.restarts}).")
        log.info("task %s: started pid %d", self.id, child.pid)

    def _environment(self) -> dict[str, str]:
        ours = {"ANYTUNE_HOME": str(self.folder.path.parents[2]), "ANYTUNE_REF": self.id, "ANYTUNE_TASK_DIR": str(self.folder.path)}
        expires_s = self._expires()["expires_s"]
        if expires_s is not None:
            ours["ANYTUNE_EXPIRES_S"] = str(expires_s)
        return (self.folder.read("env.json") or {}) | {"PYTHONUNBUFFERED": "1"} | self.task.env | ours

    def _expires(self) -> dict[str, Any]:
        """Give both moments of its end: by the calendar, and by the seconds of this boot, which only a reboot makes worthless."""
        if self.task.ttl_s is None:
            return {"expires_at": None, "expires_s": None}
        at = self.state.expires_at or now() + timedelta(seconds=self.task.ttl_s)
        if self.state.expires_s is not None and self.state.boot_id == boot_id():
            return {"expires_at": at, "expires_s": self.state.expires_s}
        return {"expires_at": at, "expires_s": since_boot_s() + (at - now()).total_seconds()}

    def _run_as(self, child: Identity) -> None:
        self._stopping_since = None
        self._seen.clear()
        self._become(
            "starting" if self.task.kind == "serve" else "running",
            **self._expires(),
            **child.model_dump(),
            started_at=now(),
            started_s=self.clock(),
            mark=self.folder.mark(self.task.run_dir),
        )

    def _follow(self) -> None:
        """Look after a child: end it where that is due, and settle where it has ended."""
        if self._process is not None:
            self._process.poll()  # or it stays a zombie
        child = self.folder.child(self.state)
        if child is None or not self._is_ours(child):
            leftovers = carriers(self.id, self.folder.path)
            if leftovers:
                self._stop(None, leftovers)
            else:
                self._process, self._stopping_since = None, None
                self._settle()
        elif self._stopping_since is not None or self._due():
            self._stop(child, carriers(self.id, self.folder.path))
        elif self.state.status == "starting" and self.folder.has("ready.json"):
            self._note("Ready.")
            self._become("ready")

    def _is_ours(self, child: Identity) -> bool:
        """Tell whether a child lives, and is this task's: what an earlier agent wrote is looked at in the process itself, once."""
        if not alive(child):
            return False
        if self._ours != child and carries(child.pid, self.id, self.folder.path):
            self._ours = child
        return self._ours == child

    def _due(self) -> bool:
        """Tell whether the child must end now; asks for a checkpoint first where the budget is used up."""
        if self.folder.has("cancel") or self._expired():
            return True
        if any(self._age_s(name) > self.grace_s for name in _LAST_WORDS):
            return True
        budget_s = (self.task.budget_minutes or 0) * 60
        if budget_s and self._used_s() > budget_s and not self.folder.has("over_budget"):
            durable.touch(self.folder / "over_budget")
            self._note(f"The budget of {self.task.budget_minutes:g} minutes is used up.", "warning")
        return self._age_s("over_budget") > _OVER_BUDGET_S

    def _expired(self) -> bool:
        """Tell whether its time is over: by this boot's own seconds, and by the calendar only after a reboot."""
        if self.state.expires_s is not None and self.state.boot_id == boot_id():
            return since_boot_s() >= self.state.expires_s
        return self.state.expires_at is not None and now() >= self.state.expires_at

    def _age_s(self, name: str) -> float:
        """Give the seconds since this agent first saw a file; less than 0 where there is none."""
        if not self.folder.has(name):
            self._seen.pop(name, None)
            return -1.0
        return self.clock() - self._seen.setdefault(name, self.clock())

    def _used_s(self, until: datetime | None = None) -> float:
        """Give its seconds of running, to now or to its last sign of life: never more than this boot's own seconds say."""
        state, most = self.state, None
        if state.started_s is not None and state.boot_id == boot_id():
            most = max(0.0, self.clock() - state.started_s)
        ran = ((until or now()) - (state.started_at or until or now())).total_seconds()
        if most is not None and (until is None or not 0 <= ran <= most):
            ran = most
        return state.used_s + max(0.0, ran)

    def _stop(self, child: Identity | None, others: list[Identity]) -> None:
        """SIGTERM, then after the grace SIGKILL at every look until none is left."""
        if self._stopping_since is None:
            self._stopping_since = self.clock()
            send(signal.SIGTERM, child=child, others=[one for one in others if child is None or one != child])
        elif self.clock() - self._stopping_since > self.grace_s:
            send(signal.SIGKILL, child=child, others=others)

    def _settle(self) -> None:
        """Say how a child ended, by what it wrote."""
        used_s = self._used_s(datetime.fromtimestamp(max(self.folder.last_sign(), 0), UTC))
        self.state = self.state.model_copy(update={"used_s": used_s})
        failed = self.folder.read("failed.json")
        serving = self.task.kind == "serve"
        if not serving and self.folder.read("result.json") is not None:
            self._end("succeeded")
        elif self.folder.has("cancel"):
            self._end("stopped" if serving else "cancelled")
        elif self.folder.has("over_budget"):
            self._end("failed", self._budget_error())
        elif failed is not None:
            reason = str(failed.get("message") or "It failed without a reason.")
            self._end("failed", reason, log_lines=0 if serving or "Last lines of its log" in reason else 20)
        elif serving and (self.folder.has("stopped.json") or self._expired()):
            self._end("stopped")
        elif not serving and self.folder.has("paused.json"):
            self._note("Paused.")
            self._become("paused")
        else:
            self._interrupted()

    def _budget_error(self) -> str:
        kept = self.folder.mark(self.task.run_dir)
        where = f"The checkpoint of step {kept} is kept." if kept >= 0 else "There is no checkpoint."
        return f"The budget of {self.task.budget_minutes:g} minutes is used up. {where}"

    def _full(self) -> str:
        """Say which disk is full; empty where none is."""
        for place in (self.task.run_dir, self.folder.path):
            disk = shutil.disk_usage(place)
            if disk.total and disk.free < _SPARE_BYTES:  # some file systems say 0 of 0
                return f"The disk of {place} is full ({disk.free:,} bytes are free)"
        return ""

    def _interrupted(self) -> None:
        """Start it again, unless that brings no progress any more."""
        mark = self.folder.mark(self.task.run_dir)
        newer = self.task.kind == "train" and mark > self.state.mark
        stalled = 0 if newer else self.state.stalled + 1
        if self.task.restarts == 0 or stalled >= self.task.restarts:
            times = "" if self.state.restarts == 0 else f" (started {self.state.restarts + 1} times)"
            self._end("failed", f"The process ended without a word{times}: killed, out of memory, or crashed.", log_lines=20)
            return
        self._note("Interrupted; it will be started again.", "warning", checkpoint_step=mark)
        self._become("queued", stalled=stalled, restarts=self.state.restarts + 1)

    def _end(self, status: TaskStatus, error: str = "", *, log_lines: int = 0) -> None:
        lines = self.folder.log_tail(log_lines) if log_lines else ""
        if status == "failed" and self.task.run_dir.exists() and (full := self._full()):
            error = f"{error}\n{full}: free some space, and start it again."
        text = redact(f"{error}\nLast lines of its log:\n{lines}" if lines else error)
        self._note(f"Ended: {status}.", "error" if status == "failed" else "info")
        self.folder.clear("env.json", "ready.json", durable.RESERVE)
        self._become(status, error=text, ended_at=now())
        log.info("task %s: %s", self.id, status)

    def _note(self, message: str, level: str = "info", **data: Any) -> None:
        """Append an event, if there is space for one: what is done goes on without."""
        with contextlib.suppress(OSError):
            self.folder.note(message, level, **data)

    def _become(self, status: TaskStatus, **changes: Any) -> None:
        state = self.state.model_copy(update={"status": status, **changes})
        self.folder.write_state(state)
        self.state = state
