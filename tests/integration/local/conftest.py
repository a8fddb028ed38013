"""A machine of its own for every test: a state folder, an agent that looks often, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from anytune import local
from anytune.local import locks

HERE = Path(__file__).parent


class Machine:
    """What the tests do with the agent, from outside: it is always a real process."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def start_agent(self, *words: str) -> int:
        command = [sys.executable, "-m", "anytune.local", "--detach", "--poll-s", "0.05", "--grace-s", "1", *words]
        subprocess.run(command, check=True, timeout=60)
        return self.agent_pid()

    def agent_pid(self) -> int:
        return int((self.home / "local" / "agent.lock").read_text().split()[0])

    def agent_lives(self) -> bool:
        return locks.held(self.home / "local" / "agent.lock")

    def kill_agent(self) -> None:
        os.kill(self.agent_pid(), signal.SIGKILL)
        self.until(lambda: not self.agent_lives())

    def train(self, name: str, *words: str, **settings) -> str:
        argv = (sys.executable, str(HERE / "trainer.py"), *words)
        local.put(local.Task(id=name, argv=argv, run_dir=self.home / "runs" / name, **settings))
        return name

    def serve(self, name: str, *words: str, parity=None, ready_timeout_s=60, greedy_only=False, adapters=None, **settings) -> str:
        engine = (sys.executable, str(HERE / "engine.py"), "--port", "{port}", *words)
        serve = local.ServeSettings(
            engine=engine,
            model="tuned",
            engine_model="inner/model",
            parity=parity,
            ready_timeout_s=ready_timeout_s,
            greedy_only=greedy_only,
            adapters=adapters or {},
        )
        local.put(local.Task(id=name, kind="serve", run_dir=self.home / "runs" / name, serve=serve, **settings))
        return name

    def state(self, name: str, *statuses: str, seconds: float = 60) -> local.TaskState:
        """Wait until a task has one of the statuses, or has ended."""
        self.until(lambda: local.state(name).status in statuses or local.state(name).ended, seconds)
        return local.state(name)

    def processes(self, name: str | None = None) -> list[psutil.Process]:
        """Give the living processes of one task, or of all of this machine."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                folder = process.environ().get("ANYTUNE_TASK_DIR", "")
                mine = folder.startswith(str(self.home)) and (name is None or folder.endswith(f"/{name}"))
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    @staticmethod
    def until(condition, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not so within {seconds} s: {condition}"
            time.sleep(0.03)


@contextlib.contextmanager
def fresh_machine(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(home))
    monkeypatch.setenv("ANYTUNE_AGENT_IDLE_S", "20")
    monkeypatch.delenv("ANYTUNE_SLOTS", raising=False)
    (home / "local").mkdir(parents=True, mode=0o700)
    machine = Machine(home)
    try:
        yield machine
    finally:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError, IndexError):
            if machine.agent_lives():
                os.kill(machine.agent_pid(), signal.SIGKILL)
        for process in machine.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    with fresh_machine(tmp_path / "home", monkeypatch) as machine:
        yield machine


@pytest.fixture(scope="module")
def shared_machine(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch, fresh_machine(tmp_path_factory.mktemp("shared") / "home", monkeypatch) as machine:
        yield machine
