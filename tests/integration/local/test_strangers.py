"""Numbers of processes are reused, and descendants hide: strangers are left alone, and our own are found."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

import psutil
import pytest

from anytune import local
from anytune.local.processes import boot_id, identify


@pytest.fixture
def stranger():
    """A process that is nobody's business here."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def forge(machine, name, identity, **more):
    """Let a task's state name another process, down to its start time and boot."""
    machine.kill_agent()
    folder = local.task_folder(name)
    (folder / "result.json").unlink(missing_ok=True)
    (folder / "state.json").write_text(json.dumps({"id": name, "status": "running", **identity.model_dump(), **more}))
    return folder


def test_a_stranger_with_the_very_same_number_start_time_and_boot_is_left_alone(machine, stranger):
    machine.start_agent()
    machine.train("forged", "--steps", "5")
    machine.state("forged")
    folder = forge(machine, "forged", identify(stranger.pid))
    (folder / "cancel").touch()
    assert machine.state("forged").status == "cancelled"
    assert stranger.poll() is None


def test_the_child_of_another_task_is_left_alone(machine):
    machine.start_agent("--slots", "2")
    machine.train("theirs", "--steps", "2000", "--step-s", "0.02")
    machine.train("forged", "--steps", "3")
    machine.state("forged")
    theirs = machine.state("theirs", "running")
    folder = forge(machine, "forged", identify(theirs.pid))
    (folder / "cancel").touch()
    machine.start_agent("--slots", "2")
    assert machine.state("forged").status == "cancelled"
    assert local.state("theirs").pid == theirs.pid
    assert psutil.pid_exists(theirs.pid)


def test_a_running_task_whose_number_is_a_strangers_now_is_started_again(machine, stranger):
    machine.start_agent()
    order = machine.home / "order"
    machine.train("lost", "--steps", "3", "--order", str(order))
    machine.state("lost")
    forge(machine, "lost", identify(stranger.pid))
    state = machine.state("lost")
    assert (state.status, state.restarts) == ("succeeded", 1)
    assert stranger.poll() is None


def test_a_descendant_that_made_itself_a_daemon_is_ended_with_its_task(machine):
    machine.start_agent()
    machine.train("family", "--steps", "10000", "--daemon")
    machine.until(lambda: len(machine.processes("family")) == 2 and local.progress("family"))
    local.ask("family", "cancel")
    assert machine.state("family").status == "cancelled"
    assert machine.processes("family") == []


def test_a_daemon_that_outlives_its_task_is_ended_before_the_task_is_over(machine):
    machine.start_agent()
    machine.train("family", "--steps", "3", "--daemon")
    assert machine.state("family").status == "succeeded"
    assert machine.processes("family") == []


def test_after_a_reboot_what_ran_is_taken_for_interrupted(machine, stranger):
    machine.start_agent()
    machine.train("night", "--steps", "12", "--step-s", "0.05", "--checkpoints")
    machine.until(lambda: local.checkpoint("night") and local.checkpoint("night").step >= 3)
    machine.kill_agent()
    for process in machine.processes("night"):
        process.kill()
    machine.until(lambda: machine.processes("night") == [])
    folder = local.task_folder("night")
    state = json.loads((folder / "state.json").read_text())
    before = {"pid": stranger.pid, "starttime": identify(stranger.pid).starttime, "boot_id": "the boot before"}
    (folder / "state.json").write_text(json.dumps(state | before))
    found = machine.state("night")
    assert (found.status, found.restarts, found.boot_id) == ("succeeded", 1, boot_id())
    assert "from step 0" not in local.log_tail("night").splitlines()[-1]
    assert stranger.poll() is None


def test_a_machine_without_free_descriptors_keeps_a_task_waiting_and_fails_nothing(machine):
    pid = machine.start_agent()
    machine.until(lambda: "agent started" in (machine.home / "local/agent.log").read_text())
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 4, hard))
    machine.train("waiting")
    machine.until(lambda: "Too many open files" in (machine.home / "local/agent.log").read_text())
    time.sleep(0.3)
    assert local.state("waiting").status == "queued"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert machine.state("waiting").status == "succeeded"
    assert machine.agent_pid() == pid
