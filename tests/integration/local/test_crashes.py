"""Processes die at any moment: the agent, the caller, the child. Strangers never do."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

from anytune import local
from anytune.local import locks
from anytune.local.processes import identify


def test_a_child_outlives_the_agent_and_the_next_one_records_its_end(machine):
    machine.start_agent()
    machine.train("orphan", "--steps", "30", "--step-s", "0.05")
    pid = machine.state("orphan", "running").pid
    first = machine.agent_pid()
    machine.kill_agent()
    assert local.state("orphan").pid == pid  # and this look started the next agent
    assert machine.agent_pid() != first
    state = machine.state("orphan")
    assert (state.status, state.pid, state.restarts) == ("succeeded", pid, 0)
    assert "adopted" in (machine.home / "local/agent.log").read_text()


def test_a_child_that_ended_without_an_agent_is_recorded_later(machine):
    machine.start_agent()
    machine.train("alone", "--steps", "5", "--step-s", "0.05")
    machine.state("alone", "running")
    machine.kill_agent()
    machine.until(lambda: machine.processes("alone") == [])
    assert machine.state("alone").status == "succeeded"


def test_a_child_whose_start_was_never_recorded_is_adopted_not_doubled(machine):
    machine.start_agent()
    order = machine.home / "order"
    machine.train("lost", "--steps", "30", "--step-s", "0.05", "--order", str(order))
    machine.state("lost", "running")
    machine.kill_agent()
    (machine.home / "local/tasks/lost/state.json").unlink()
    assert machine.state("lost").status == "succeeded"
    assert order.read_text() == "lost\n"


KILLED_IN_A_START = """
import os, signal, sys
from anytune.local import watch
from anytune.local.__main__ import main

def die(self, child):
    os.kill(os.getpid(), signal.SIGKILL)

watch.Watch._run_as = die
sys.exit(main())
"""


def test_an_agent_killed_between_a_start_and_its_record_leaves_one_child(machine):
    subprocess.run([sys.executable, "-c", KILLED_IN_A_START, "--detach", "--poll-s", "0.05"], check=True, timeout=60)
    order = machine.home / "order"
    machine.train("between", "--steps", "40", "--step-s", "0.05", "--order", str(order))
    machine.until(lambda: not machine.agent_lives() and order.exists())
    assert local.state("between").status == "queued"
    state = machine.state("between")
    assert (state.status, state.restarts) == ("succeeded", 0)
    assert order.read_text() == "between\n"


def test_the_queue_goes_on_under_the_next_agent_with_the_slot_still_taken(machine):
    machine.start_agent()
    machine.train("a", "--steps", "20", "--step-s", "0.05", sequence=0)
    machine.train("b", sequence=1)
    machine.state("a", "running")
    machine.kill_agent()
    machine.start_agent()
    machine.until(lambda: local.state("a").ended or local.state("b").status == "queued")
    assert local.state("b").started_at is None or local.state("a").ended
    assert machine.state("b").status == "succeeded"
    assert local.state("b").started_at >= local.state("a").ended_at


def test_a_task_outlives_the_program_that_ordered_it(machine):
    code = (
        "import sys, time; from pathlib import Path; from anytune import local\n"
        "local.put(local.Task(id='left', argv=tuple(sys.argv[2:]), run_dir=Path(sys.argv[1])))\nprint('put', flush=True)\ntime.sleep(600)"
    )
    trainer = os.path.join(os.path.dirname(__file__), "trainer.py")
    command = [sys.executable, "-c", code, str(machine.home / "r"), sys.executable, trainer, "--steps", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as caller:
        assert caller.stdout.readline() == b"put\n"
        os.killpg(caller.pid, signal.SIGKILL)
    machine.until(lambda: local.tasks()[0].ended)
    assert local.state("left").status == "succeeded"


def test_a_killed_child_goes_on_from_its_checkpoint(machine):
    machine.start_agent()
    machine.train("killed", "--steps", "20", "--step-s", "0.05", "--checkpoints")
    machine.until(lambda: local.checkpoint("killed") and local.checkpoint("killed").step >= 3)
    os.kill(local.state("killed").pid, signal.SIGKILL)
    state = machine.state("killed")
    assert (state.status, state.restarts) == ("succeeded", 1)
    assert "from step 0" not in local.log_tail("killed").splitlines()[-1]
    assert "Interrupted; it will be started again." in [event.message for event in local.events("killed")]


def test_a_child_that_makes_progress_may_be_killed_often(machine):
    machine.start_agent()
    machine.train("often", "--steps", "12", "--step-s", "0.15", "--checkpoints")
    for _ in range(4):
        pid = local.state("often").pid
        machine.until(lambda pid=pid: local.state("often").pid != pid)
        state = local.state("often")
        machine.until(lambda state=state: local.checkpoint("often") and local.checkpoint("often").step > state.mark)
        os.kill(state.pid, signal.SIGKILL)
    assert machine.state("often").status == "succeeded"
    assert local.state("often").restarts == 4


def test_a_child_that_dies_twice_without_progress_fails_with_its_log(machine):
    machine.start_agent()
    machine.train("hopeless", "--die-at", "2")
    state = machine.state("hopeless")
    assert (state.status, state.restarts) == ("failed", 1)
    assert state.error.startswith("The process ended without a word (started 2 times)")
    assert "dying now" in state.error


def test_what_a_dead_child_left_behind_is_stopped(machine):
    machine.start_agent()
    machine.train("family", "--steps", "1000", "--grandchild", restarts=0)
    machine.until(lambda: len(machine.processes("family")) == 2 and local.state("family").status == "running")
    os.kill(local.state("family").pid, signal.SIGKILL)
    assert machine.state("family").status == "failed"
    assert machine.processes("family") == []


@pytest.mark.parametrize("known", ["pid", "pid and start time"])
def test_a_forged_state_never_kills_a_stranger(machine, known):
    machine.start_agent()
    machine.train("forged", "--steps", "5")
    machine.state("forged")
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        identity = identify(stranger.pid)
        starttime = identity.starttime if known == "pid and start time" else "1"
        boot_id = "another boot" if known == "pid and start time" else identity.boot_id
        forged = {"id": "forged", "status": "running", "pid": stranger.pid, "starttime": starttime, "boot_id": boot_id}
        machine.kill_agent()
        folder = local.task_folder("forged")
        (folder / "result.json").unlink()
        (folder / "cancel").touch()
        (folder / "state.json").write_text(json.dumps(forged))
        assert machine.state("forged").status == "cancelled"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_broken_manifest_fails_its_own_task_only(machine):
    folder = machine.home / "local/tasks/broken"
    folder.mkdir(parents=True)
    (folder / "task.json").write_text('{"id": "broken", "ar')
    machine.train("whole")
    assert machine.state("whole").status == "succeeded"
    state = machine.state("broken")
    assert state.status == "failed"
    assert "task.json of broken cannot be read" in state.error


def test_a_broken_state_file_does_not_run_a_finished_task_again(machine):
    order = machine.home / "order"
    machine.train("done", "--order", str(order))
    machine.state("done")
    (local.task_folder("done") / "state.json").write_text("{")
    machine.kill_agent()
    assert machine.state("done").status == "succeeded"
    assert order.read_text() == "done\n"


def test_the_agent_is_gone_when_idle_and_comes_back_for_work(machine):
    machine.start_agent("--idle-s", "0.3")
    machine.until(lambda: not machine.agent_lives())
    machine.train("later")
    assert machine.state("later").status == "succeeded"
    assert machine.agent_lives()


def test_a_paused_task_needs_no_agent(machine):
    machine.start_agent("--idle-s", "0.3")
    machine.train("paused", "--steps", "1000", "--step-s", "0.05")
    machine.state("paused", "running")
    local.ask("paused", "pause")
    machine.state("paused", "paused")
    machine.until(lambda: not machine.agent_lives())
    assert local.state("paused").status == "paused"
    assert not machine.agent_lives()
    local.ask("paused", "cancel")
    assert machine.state("paused").status == "cancelled"


def test_many_callers_start_one_agent(machine):
    code = "from anytune import local; local.ensure_agent()"
    callers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(8)]
    assert [caller.wait(60) for caller in callers] == [0] * 8
    agents = [process for process in psutil.process_iter() if _is_agent_of(process, machine.home)]
    assert len(agents) == 1


def test_an_agent_that_is_told_to_leave_leaves_its_children_alone(machine):
    machine.start_agent()
    machine.train("kept", "--steps", "20", "--step-s", "0.05")
    pid = machine.state("kept", "running").pid
    os.kill(machine.agent_pid(), signal.SIGTERM)
    machine.until(lambda: not machine.agent_lives())
    assert psutil.pid_exists(pid)
    assert machine.state("kept").status == "succeeded"


def test_a_lock_that_is_never_given_back_does_not_block_for_ever(tmp_path):
    held = locks.take(tmp_path / "lock")
    assert locks.wait_for(tmp_path / "lock", 0.1) is None
    os.close(held)
    os.close(locks.wait_for(tmp_path / "lock", 0.1))


def test_an_agent_killed_again_and_again_runs_every_task_once_and_in_order(machine):
    order = machine.home / "order"
    names = [f"t{number:02d}" for number in range(10)]
    for number, name in enumerate(names):
        machine.train(name, "--order", str(order), sequence=number)
    dice = random.Random(7)
    while not all(state.ended for state in local.tasks()):
        machine.start_agent()
        time.sleep(dice.uniform(0.0, 0.4))
        machine.kill_agent()
    assert {state.status for state in local.tasks()} == {"succeeded"}
    assert order.read_text().split() == names
    assert {state.restarts for state in local.tasks()} == {0}


def _is_agent_of(process, home):
    try:
        return "anytune.local" in process.cmdline() and process.environ().get("ANYTUNE_HOME") == str(home)
    except psutil.Error:
        return False
