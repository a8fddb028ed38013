"""What happens around an agent: its code is replaced, its home goes, its endpoint's port is somebody else's by now."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest
from pydantic import SecretStr

from anytune import local
from anytune.errors import ConfigError, Unreachable
from anytune.infer import Endpoint
from anytune.local.processes import identify
from anytune.retry import Retry

OLD = (
    "import anytune; anytune.__version__ = '0.0.9'\n"
    "import sys; sys.argv = ['anytune.local', '--detach', '--poll-s', '0.05', '--grace-s', '1']\n"
    "from anytune.local.__main__ import main; sys.exit(main())"
)


def start_older_agent(machine):
    subprocess.run([sys.executable, "-c", OLD], check=True, timeout=60)
    return machine.agent_pid()


def test_an_older_agent_hands_over_to_a_newer_callers_and_its_child_goes_on(machine):
    older = start_older_agent(machine)
    folder = machine.home / "local/tasks/running"
    machine.train("running", "--steps", "60", "--step-s", "0.05")
    newer = machine.agent_pid()
    assert newer != older
    assert identify(older) is None
    state = machine.state("running")
    assert (state.status, state.restarts) == ("succeeded", 0)
    assert "0.0.9" not in (machine.home / "local/agent.lock").read_text()
    assert folder.exists()


def test_a_child_of_an_older_agent_is_adopted(machine):
    machine.start_agent()
    machine.train("running", "--steps", "60", "--step-s", "0.05")
    pid = machine.state("running", "running").pid
    machine.kill_agent()
    older = start_older_agent(machine)
    assert local.state("running").pid == pid
    assert machine.agent_pid() != older
    state = machine.state("running")
    assert (state.status, state.pid, state.restarts) == ("succeeded", pid, 0)


def test_an_agent_of_the_same_version_stays(machine):
    first = machine.start_agent()
    machine.train("one")
    assert machine.state("one").status == "succeeded"
    assert machine.agent_pid() == first


def test_a_newer_agents_files_are_read_for_what_is_known_of_them(machine):
    folder = machine.home / "local/tasks/future"
    machine.train("future", "--steps", "30", "--step-s", "0.05")
    machine.state("future", "running")
    machine.kill_agent()
    for name in ("task.json", "state.json"):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | {"colour": "blue"}))
    state = machine.state("future")
    assert (state.status, state.restarts) == ("succeeded", 0)


def test_a_home_that_is_removed_takes_its_processes_with_it(machine):
    machine.start_agent("--idle-s", "0.5")
    machine.train("long", "--steps", "100000", "--step-s", "0.02", "--grandchild")
    machine.serve("web", "--worker")
    machine.state("web", "ready")
    machine.until(lambda: local.progress("long"))
    agent = machine.agent_pid()
    machine.until(lambda: removed(machine.home))
    machine.until(lambda: identify(agent) is None)
    assert machine.processes() == []


def removed(folder):
    """Remove a folder that others still write into: what appears meanwhile is removed by the next try."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def test_a_home_that_is_moved_runs_nothing_twice(machine, monkeypatch):
    machine.start_agent("--idle-s", "0.5")
    order = machine.home.parent / "order"
    machine.train("long", "--steps", "30", "--step-s", "0.05", "--order", str(order))
    first = machine.state("long", "running").pid
    machine.until(lambda: local.progress("long"))
    agent = machine.agent_pid()
    moved = machine.home.with_name("moved")
    machine.home.rename(moved)
    machine.until(lambda: identify(agent) is None)
    monkeypatch.setenv("ANYTUNE_HOME", str(moved))
    machine.home = moved
    assert identify(first) is None
    assert machine.state("long").status == "succeeded"
    assert order.read_text() == "long\nlong\n"


def test_a_home_on_a_network_file_system_is_refused(machine, monkeypatch):
    monkeypatch.setattr("anytune.ledger.engine.network_file_system", lambda _: "nfs4")
    with pytest.raises(ConfigError, match=r"network file system \(nfs4\)") as caught:
        machine.train("one")
    assert "ANYTUNE_HOME" in caught.value.fix
    assert local.tasks() == []


class Listener:
    """A stranger on a port, who writes down what it is sent."""

    def __init__(self, port):
        self.heard = b""
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.heard += connection.recv(65536)

    def close(self):
        self.socket.close()


def both_killed(machine, name):
    """Kill agent and gate at once, as a power loss would, and wait until nothing of them is left."""
    gate = local.state(name).pid
    machine.kill_agent()
    os.kill(gate, signal.SIGKILL)
    machine.until(lambda: machine.processes(name) == [])


def test_a_port_that_is_somebody_elses_by_now_never_hears_the_token(machine):
    machine.start_agent()
    machine.serve("web")
    machine.state("web", "ready")
    address = local.address("web")
    both_killed(machine, "web")
    stranger = Listener(local.state("web").port)
    try:
        assert local.address("web") is None
        with Endpoint(address, retry=Retry(sleep=lambda _: None)) as endpoint, pytest.raises(Unreachable, match="not running now"):
            endpoint.chat("hello")
        state = machine.state("web")
        assert state.status == "failed"
        assert f"Port {address.base_url.rpartition(':')[2].partition('/')[0]}" in state.error
        assert stranger.heard == b""
    finally:
        stranger.close()


def test_an_endpoint_comes_back_after_agent_and_gate_were_killed_and_old_handles_work_again(machine):
    machine.start_agent()
    machine.serve("web")
    machine.state("web", "ready")
    address = local.address("web")
    assert isinstance(address.credential, SecretStr)
    assert address.credential.get_secret_value() not in repr(address)
    both_killed(machine, "web")
    with Endpoint(address, retry=Retry(sleep=lambda _: machine.until(lambda: local.state("web") and local.address("web")))) as endpoint:
        assert endpoint.chat("hello") == "echo hello"


def test_an_engine_that_is_killed_fails_its_endpoint_and_leaves_nothing(machine):
    machine.start_agent()
    machine.serve("web", "--worker")
    machine.state("web", "ready")
    engine = next(one for one in machine.processes("web") if "engine.py" in " ".join(one.cmdline()))
    engine.kill()
    state = machine.state("web")
    assert state.status == "failed"
    assert "The engine ended with exit code -9" in state.error
    assert local.address("web") is None
    assert machine.processes("web") == []
