"""The runner in the cloud: `python -m anytune_huggingface.compute.remote`, what the container of a Job or of a Space runs.

It fetches what the record orders, starts the program as a child without a token, tells in its log what the program says, brings each
checkpoint to the record while training goes on, and at the end the model. Killed at any moment and started again, it goes on from the last
checkpoint that was pushed; a record that has ended ends it at once.

Exit code 0: finished or paused, as the record says; 1: failed, or not able to say.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anytune.errors import AnytuneError, Transient, redact
from anytune.local import Reporter
from anytune_huggingface.compute import base_model, inputs, lines, page, parts
from anytune_huggingface.compute.clear import clear
from anytune_huggingface.compute.follow import Child, Follower, child_environment_of, program_argv
from anytune_huggingface.compute.pusher import Pusher, patiently
from anytune_huggingface.compute.told import TIME_UP, Told
from anytune_huggingface.hub.client import Hub
from anytune_huggingface.hub.record import Record, State

if TYPE_CHECKING:
    from anytune_huggingface.compute.lines import Said
    from anytune_huggingface.compute.told import CloudOrder

__all__ = ["Runner", "main"]

_LOOK_S = 0.2
_RESTARTS = 2
"""Starts in a row that may end without a word and without a newer checkpoint, as under the local agent."""

_WORDS = ("result.json", "failed.json", "paused.json")
_LEAVE_S = 0.5
"""A program's last word is the last thing it does: taking leave costs torch up to three seconds (2026-11-23), and nobody waits for that."""

_DRAIN_S, _TERM_DRAIN_S = 1800.0, 20.0
"""After SIGTERM a container has half a minute at most."""

Why = Literal["asked", "budget", "time", "ended"]
_REASONS: dict[Why, str] = {"asked": "", "budget": "", "time": TIME_UP, "ended": "Its container was ended"}


class Runner:
    """One container's share of a job.

    Args:
        told: How to run.
        hub: The account, with the token of the container.
    """

    def __init__(self, told: Told, hub: Hub) -> None:
        """Make the folders."""
        self.told = told
        self.record = Record(hub, told.record)
        self.work = Path(tempfile.mkdtemp(prefix="anytune-run-"))
        self.run_dir, self.task = self.work / "run", self.work / "task"
        for folder in (self.run_dir, self.task):
            folder.mkdir(mode=0o700)
        self.reporter = Reporter(self.task)
        self._said: list[Said] = []
        self._before: State | None = None
        self._terminated, self._dismissed, self._over = threading.Event(), threading.Event(), threading.Event()
        self._writing, self._wrote, self._closed = threading.Lock(), 0.0, False
        self._budget_s = math.inf
        self._held = False
        self._pushed: Pusher | None = None
        self.follower = Follower(self.task, int(time.time() * 1000), self._tell)

    def __call__(self) -> int:
        """Run the job, or what is left of it."""
        signal.signal(signal.SIGTERM, lambda *_: self._terminated.set())
        try:
            return self._run()
        except AnytuneError as error:
            show(f"anytune: {error}")
            return 1 if isinstance(error, Transient) else self._failed(str(error))
        finally:
            self._over.set()

    def _run(self) -> int:
        found = self._state()
        if found is not None and (found.final or found.part > self.told.part):
            show(f"anytune: the record says {found.status} of part {found.part}: nothing is left to do.")
            return 1 if found.status == "failed" else 0
        order = self._order()
        self._before = found
        budget = (order.spec.get("budget") or {}).get("max_hours")
        self._budget_s = float(budget) * 3600 if budget else math.inf
        self._said += lines.joined(lines.read(patiently(self.record.logs)))
        self._put("running")
        threading.Thread(target=self._watch, name="wishes", daemon=True).start()
        patiently(lambda: inputs.fetch(self.record, order, self.run_dir, f"{self.told.place}:{self.told.record}"))
        name, problems = patiently(lambda: inputs.resume_from(self.record, found, self.run_dir, self.task))
        for problem in problems:
            self.reporter.event(f"A checkpoint of the record is not used: {problem}.", "warning")
        start = f", from {name}" if name else ""
        self.reporter.event(f"Part {self.told.part} runs on {self.told.flavor or self.told.place}{start}.", part=self.told.part)
        return self._train(order)

    # While it trains.

    def _train(self, order: CloudOrder) -> int:
        self._pushed = Pusher(self._push, self.work / "pushing", self._was_pushed, every_s=self.told.push_s)
        stalled, mark = 0, self._step()
        env = child_environment_of(self.task, order.program.environment)
        while True:
            child = Child(program_argv(order.program.module, self.run_dir), env, self.run_dir, show)
            self._follow(child)
            child.end()
            self.follower.look(last=True)
            self._offer()
            if self._dismissed.is_set():
                return self._cancelled()
            if (result := self.follower.read("result.json")) is not None:
                return self._finished(order, result)
            if (failed := self.follower.read("failed.json")) is not None:
                return self._failed(str(failed.get("message")))
            if self.follower.read("paused.json") is not None:
                return self._paused()
            stalled = 0 if self._step() > mark else stalled + 1
            mark = self._step()
            if self._terminated.is_set():
                return self._paused()
            if stalled > _RESTARTS:
                return self._failed(f"It ended without a word, {stalled} times in a row. {child.last_lines}".strip())
            self.reporter.event("It ended without a word, and is started again.", "warning")

    def _follow(self, child: Child) -> None:
        while child.running:
            self.follower.look()
            self._offer()
            if self._dismissed.is_set():
                child.end()
            elif self._why() is not None:
                (self.task / "hold").touch()
            else:
                (self.task / "hold").unlink(missing_ok=True)
            if any((self.task / name).exists() for name in _WORDS):
                self._over.wait(_LEAVE_S)
                return
            self._over.wait(_LOOK_S)

    def _why(self) -> Why | None:
        """Say why it is to be paused, if it is."""
        if self._terminated.is_set():
            return "ended"
        if self._held:
            return "asked"
        if self._ran_s() > self._budget_s:
            return "budget"
        return "time" if time.time() - self.told.started_s > self.told.timeout_s - self.told.grace_s else None

    def _watch(self) -> None:
        """Look at what is asked, and write how far it is: in a thread, as the Hub may take its time."""
        while not self._over.is_set():
            try:
                asked = self.record.asked()
                self._held = asked is not None and asked.wish == "hold"
                if asked is not None and asked.wish == "cancel":
                    self._dismissed.set()
                if time.monotonic() - self._wrote > self.told.pace_s:
                    self._put("running")
            except AnytuneError as error:
                show(f"anytune: {error}")
            self._over.wait(self.told.look_s)

    def _offer(self) -> None:
        reported = self.follower.read("checkpoint.json")
        if reported is not None and self._pushed is not None:
            self._pushed.offer(Path(str(reported.get("path"))))

    def _push(self, folder: Path) -> None:
        """Push what was told up to a checkpoint, then the checkpoint: whoever goes on from it has all that was before."""
        self._put("running")
        self.record.push_checkpoint(folder, keep=self.told.keep)

    def _was_pushed(self, name: str, error: AnytuneError | None) -> None:
        if error is None:
            self.reporter.event(f"{name} is in the record.", checkpoint=name)
        else:
            self.reporter.event(f"{name} could not be pushed: {error}", "warning", checkpoint=name)

    def _step(self) -> int:
        return int((self.follower.read("checkpoint.json") or {}).get("step", -1))

    def _tell(self, said: Said) -> None:
        self._said.append(said)
        show(said.line())

    # How it ends.

    def _finished(self, order: CloudOrder, result: dict[str, Any]) -> int:
        self._drain(_DRAIN_S)
        self.follower.look(last=True)
        self._put("running")
        made = result.get("model") or {}
        artifacts = made.get("artifacts") or {}
        merged = Path(str(artifacts.get("merged") or made.get("id")))
        adapter = Path(artifacts["adapter"]) if "adapter" in artifacts else None
        folder = str(json.loads((self.run_dir / "order.json").read_text(encoding="utf-8"))["model"])
        if adapter is not None:
            base_model.name_base(adapter, order.model)
        card = (merged / "README.md").read_text(encoding="utf-8") if (merged / "README.md").is_file() else ""
        clean = json.loads(json.dumps(result | {"model": {"base_model": order.model}}).replace(folder, order.model))
        state = self._now("finished")
        patiently(
            lambda: self.record.push_model(
                merged, state=state, result=clean, card=redact(card.replace(folder, order.model)), adapter=adapter
            )
        )
        show("anytune: the model is in the record.")
        return 0

    def _paused(self) -> int:
        why = self._why() or "ended"
        self._drain(_TERM_DRAIN_S if self._terminated.is_set() else _DRAIN_S)
        if why == "budget":
            return self._failed(f"The budget of {self._budget_s / 3600:g} hours is used up; the checkpoints are kept.")
        self.follower.look(last=True)
        self._put("paused", _REASONS[why])
        if self.told.place == "hf_jobs" and (why == "asked" or (why == "time" and self.told.resumes)):
            asked = patiently(self.record.asked)
            if asked is None or asked.wish == "resume":
                left = self.told.resumes - (why == "time")
                parts.start_next(self.record.hub, self._order(), self.told, resumes=left)
        return 0

    def _failed(self, message: str) -> int:
        self._drain(_TERM_DRAIN_S)
        self.follower.look(last=True)
        self._put("failed", error=message)
        return 1

    def _cancelled(self) -> int:
        self.follower.look(last=True)
        self._put("cancelled")
        return 0

    def _drain(self, timeout_s: float) -> None:
        if self._pushed is not None and not self._pushed.drain(timeout_s):
            show("anytune: the last checkpoint is not in the record yet.")

    def _state(self) -> State | None:
        return patiently(self.record.state)

    def _order(self) -> CloudOrder:
        return self.told.admitted(patiently(self.record.order))

    def _now(self, status: str, error: str = "") -> State:
        """Give the state as it is."""
        said = self.follower.read("progress.json") or {}
        before = self._before
        told = {name: said[name] for name in lines.FIGURES if said.get(name) is not None}
        if before is not None and "step" not in told:
            told = before.model_dump(include=set(lines.FIGURES))
        mine = {"status": status, "part": self.told.part, "error": redact(error)[:4000], "ran_s": round(self._ran_s(), 3)}
        return State.model_validate(told | mine)

    def _ran_s(self) -> float:
        """Give the seconds of running, over all parts."""
        earlier_s = (self._before.ran_s or 0.0) if self._before is not None else 0.0
        return earlier_s + max(0.0, time.time() - self.told.started_s)

    def _put(self, status: str, error: str = "") -> None:
        with self._writing:
            if self._closed and status == "running":  # a checkpoint or a look that comes late
                return
            self._closed = status != "running"
            self._wrote = time.monotonic()
            state = self._now(status, error)
            said = list(self._said)
            events, metrics = lines.written(said, "event"), lines.written(said, "metric")
            written = patiently(lambda: self.record.put_state(state, events=events, metrics=metrics))
        if not written:  # it was cancelled, or a later part runs: this container has nothing more to say
            self._dismissed.set()


_lock = threading.Lock()


def show(line: str) -> None:
    """Say a line in the container's log, without what looks like a secret."""
    with _lock:
        sys.stdout.write(f"{redact(line)}\n")
        sys.stdout.flush()


def main() -> int:
    """Run one container."""
    told = Told.here()
    hub = Hub(namespace=told.record.partition("/")[0])
    if told.place == "spaces":
        page.serve(int(os.environ.get("PORT", page.APP_PORT)))
    code = 1
    try:
        code = Runner(told, hub)()
    except AnytuneError as error:
        show(f"anytune: {error}")
    try:
        if told.place == "spaces":  # at the very last: it may end this process
            patiently(lambda: clear(Record(hub, told.record), space=told.clean, data=told.clean_data))
    except AnytuneError as error:
        show(f"anytune: {error}")
    return code


if __name__ == "__main__":
    sys.exit(main())
