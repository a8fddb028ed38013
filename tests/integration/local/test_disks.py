"""A disk that is full: what cannot be written is said, nothing is left half-written, and the work goes on once there is space."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from tests.integration.local.conftest import fresh_machine

from anytune import local

SIZE_BYTES = 6 * 2**20


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A machine whose state lies on a disk of 6 MiB."""
    home = tmp_path / "small"
    home.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES},mode=700", "tmpfs", str(home)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with fresh_machine(home, monkeypatch) as machine:
            yield machine
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


def fill(machine):
    """Leave no byte free."""
    path = machine.home / "ballast"
    with path.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return path


def whole(machine):
    """Tell that every file of every task can be read, and no draft is left."""
    for path in (machine.home / "local" / "tasks").rglob("*"):
        assert not path.name.startswith("."), path
        if path.suffix == ".json":
            json.loads(path.read_text())
    return True


def test_a_training_that_fills_the_disk_fails_with_the_reason_although_the_disk_is_full(small):
    small.start_agent()
    small.train("greedy", "--fill", str(small.home / "weights"))
    state = small.state("greedy")
    assert state.status == "failed"
    assert "No space left on device" in state.error
    assert "free some space" in state.error
    assert whole(small)
    (small.home / "weights").unlink()
    small.train("next")
    assert small.state("next").status == "succeeded"


def test_a_task_that_could_not_be_put_is_put_by_the_next_try_and_runs_once(small):
    small.start_agent()
    order = small.home / "order"
    ballast = fill(small)
    with pytest.raises(OSError, match="No space left"):
        small.train("late", "--order", str(order))
    assert local.tasks() == []
    ballast.unlink()
    small.train("late", "--order", str(order))
    assert small.state("late").status == "succeeded"
    assert order.read_text() == "late\n"
    assert whole(small)


def test_a_task_waits_for_space_and_then_runs(small):
    small.start_agent()
    small.train("first", "--steps", "1000", sequence=0)
    small.state("first", "running")
    small.train("second", sequence=1)
    local.ask("first", "cancel")
    ballast = fill(small)
    small.until(lambda: "is full" in (small.home / "local/agent.log").read_text())
    assert local.state("second").status == "queued"
    ballast.unlink()
    assert small.state("second").status == "succeeded"
    assert small.state("first").status == "cancelled"
    assert whole(small)


def test_a_child_that_dies_while_the_disk_is_full_goes_on_from_its_checkpoint_later(small):
    small.start_agent()
    small.train("killed", "--steps", "40", "--step-s", "0.05", "--checkpoints")
    small.until(lambda: local.checkpoint("killed") and local.checkpoint("killed").step >= 3)
    os.kill(local.state("killed").pid, signal.SIGSTOP)
    ballast = fill(small)
    os.kill(local.state("killed").pid, signal.SIGKILL)
    small.until(lambda: local.state("killed").status == "queued" or "is full" in (small.home / "local/agent.log").read_text())
    ballast.unlink()
    state = small.state("killed")
    assert (state.status, state.restarts) == ("succeeded", 1)
    assert "from step 0" not in local.log_tail("killed").splitlines()[-1]
    assert whole(small)


def test_a_file_that_may_grow_no_further_is_an_error_with_its_name(machine):
    """RLIMIT_FSIZE: another disk than the state's; Python gets the signal as an error."""
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from anytune.local import Reporter; reporter = Reporter()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**17, 2**17))\n"
        "try:\n  open('weights', 'wb').write(bytes(2**20))\n"
        "except OSError as error: reporter.fail(f'{error}: weights')\n"
    )
    local.put(local.Task(id="limited", argv=(sys.executable, "-c", code), run_dir=machine.home / "r"))
    assert machine.state("limited").error.startswith("[Errno 27] File too large: weights")
