"""The clock is set while something runs: budgets and times to live go by the machine's own seconds.

The agent is a real process whose calendar is moved. (libfaketime cannot take part: Python's `sleep` fails under it as soon as it moves.)
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from anytune import local

DAY_S = 86400
AGENT = """
import sys, datetime, pathlib
from anytune.local import agent, folder, watch
from anytune.local.__main__ import main

stamp = pathlib.Path(sys.argv.pop())
moved = lambda: datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=float(stamp.read_text()))
agent.now = folder.now = watch.now = moved
sys.exit(main())
"""


@pytest.fixture
def clock(machine):
    """Start an agent with a calendar of its own; gives what sets it, in seconds from now."""
    stamp = machine.home / "stamp"
    stamp.write_text("0")
    subprocess.run([sys.executable, "-c", AGENT, "--detach", "--poll-s", "0.05", "--grace-s", "1", str(stamp)], check=True, timeout=60)
    first = machine.agent_pid()
    yield lambda seconds: stamp.write_text(str(seconds))
    assert machine.agent_pid() == first


def test_a_clock_that_is_set_forward_uses_up_no_budget(machine, clock):
    machine.train("long", "--steps", "40", "--step-s", "0.05", budget_minutes=30)
    machine.until(lambda: local.progress("long"))
    clock(DAY_S)
    state = machine.state("long")
    assert state.status == "succeeded", state.error
    assert (state.ended_at - state.started_at).total_seconds() > DAY_S, "the clock of the agent was not moved"
    assert state.used_s < 600


def test_a_clock_that_is_set_back_lengthens_no_budget(machine, clock):
    machine.train("dear", "--steps", "10000", "--step-s", "0.05", budget_minutes=1 / 30)
    machine.until(lambda: local.progress("dear"))
    clock(-DAY_S)
    assert "The budget" in machine.state("dear", seconds=30).error


def test_a_pause_keeps_the_minutes_that_were_used_whatever_the_clock_says(machine, clock):
    machine.train("long", "--steps", "1000", "--step-s", "0.02")
    machine.until(lambda: local.progress("long"))
    clock(-DAY_S)
    local.ask("long", "pause")
    paused = machine.state("long", "paused")
    clock(DAY_S)
    local.ask("long", "resume")
    machine.state("long", "running")
    local.ask("long", "cancel")
    ended = machine.state("long")
    assert 0 < paused.used_s <= ended.used_s < 600


def test_a_clock_that_is_set_forward_ends_no_endpoint(machine, clock):
    machine.serve("web", ttl_s=3600)
    machine.state("web", "ready")
    clock(DAY_S)
    time.sleep(1.5)
    assert local.state("web").status == "ready"
    assert local.address("web") is not None


def test_a_clock_that_is_set_back_lengthens_no_time_to_live(machine, clock):
    machine.serve("web", ttl_s=6)
    machine.state("web", "ready")
    clock(-DAY_S)
    assert machine.state("web", seconds=30).status == "stopped"
    assert machine.processes("web") == []


def test_a_gate_that_is_started_again_keeps_the_rest_of_its_time(machine, clock):
    machine.serve("web", ttl_s=3600)
    first = machine.state("web", "ready")
    clock(DAY_S)
    for process in machine.processes("web"):
        process.kill()
    machine.until(lambda: (local.state("web").pid, local.state("web").status) != (first.pid, "ready") and local.address("web"))
    again = local.state("web")
    assert (again.restarts, again.expires_s, again.expires_at) == (1, first.expires_s, first.expires_at)
