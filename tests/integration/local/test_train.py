"""Training tasks: queue, ends, pause, cancel."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from datetime import timedelta

import pytest

from anytune import local
from anytune.errors import AnytuneError, ConfigError, NotFound
from anytune.local.child import Reporter
from anytune.values import now


def test_a_task_that_finishes_succeeds_and_can_be_followed(machine):
    machine.train("one", "--steps", "4")
    assert machine.state("one").status == "succeeded"
    assert local.result("one") == {"steps": 4}
    assert [metric.step for metric in local.metrics("one")] == [1, 2, 3, 4]
    assert [metric.step for metric in local.metrics("one", after=2)] == [3, 4]
    assert local.progress("one").step == 4
    assert local.progress("one").eta_s == 0
    assert local.log_tail("one") == "from step 0"
    told = local.events("one")
    assert [event.message for event in told] == ["Started.", "Ended: succeeded."]
    assert local.events("one", after=told[0].id) == told[1:]


def test_exit_code_0_without_a_result_is_no_success(machine):
    machine.train("mute", "--no-result", restarts=0)
    state = machine.state("mute")
    assert state.status == "failed"
    assert "good bye" in state.error


def test_a_child_that_says_why_it_failed_is_not_started_again(machine):
    machine.train("bad", "--fail", "The loss is NaN.")
    state = machine.state("bad")
    assert (state.status, state.restarts) == ("failed", 0)
    assert state.error == "The loss is NaN.\nLast lines of its log:\nfrom step 0\na last line"


def test_a_program_that_does_not_exist_fails_with_its_name(machine):
    local.put(local.Task(id="none", argv=("/does/not/exist",), run_dir=machine.home / "r"))
    assert machine.state("none").error == "'/does/not/exist' cannot be started: No such file or directory."


def test_words_of_an_argv_reach_no_shell(machine):
    words = ["$(touch pwned)", "; touch pwned", "-o", "a\nb"]
    code = "import json, sys; from anytune.local import Reporter; Reporter().finish({'argv': sys.argv[1:]})"
    local.put(local.Task(id="shell", argv=(sys.executable, "-c", code, *words), run_dir=machine.home / "r"))
    assert machine.state("shell").status == "succeeded"
    assert local.result("shell") == {"argv": words}
    assert list((machine.home / "r").iterdir()) == []


def test_the_queue_goes_by_sequence_and_not_by_time(machine):
    machine.start_agent()
    order = machine.home / "order"
    machine.train("first", "--step-s", "0.3", "--order", str(order), sequence=0)
    machine.state("first", "running")
    for name, sequence in (("c", 3), ("a", 1), ("b", 2)):
        machine.train(name, "--order", str(order), sequence=sequence)
    machine.state("c")
    assert order.read_text().split() == ["first", "a", "b", "c"]


def test_100_queued_tasks_are_one_process_at_a_time_and_all_finish_in_order(machine):
    machine.start_agent()
    order = machine.home / "order"
    names = [f"t{number:03d}" for number in range(100)]
    code = (
        "import os, time; from anytune.local.child import Reporter; f = open(os.environ['ORDER'], 'a'); "
        "f.write(os.environ['ANYTUNE_REF'] + ' '); f.close(); Reporter().finish({})"
    )
    argv = (sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}")
    for number, name in enumerate(names):
        local.put(local.Task(id=name, sequence=number, argv=argv, env={"ORDER": str(order)}, run_dir=machine.home / "r"))
    most = 0
    while not local.state(names[-1]).ended:
        most = max(most, len(machine.processes()))
        time.sleep(0.2)
    assert most <= 1
    assert {state.status for state in local.tasks()} == {"succeeded"}
    assert order.read_text().split() == names


def test_two_slots_run_two(machine):
    machine.start_agent("--slots", "2")
    for name in ("a", "b", "c"):
        machine.train(name, "--steps", "1000", "--step-s", "0.1")
    machine.until(lambda: [local.state(name).status for name in "abc"].count("running") == 2)
    assert len(machine.processes()) == 2


def test_cancel_of_a_queued_task_starts_nothing(machine):
    machine.start_agent()
    machine.train("busy", "--steps", "1000", sequence=0)
    machine.state("busy", "running")
    machine.train("waiting", sequence=1)
    local.ask("waiting", "cancel")
    assert machine.state("waiting").status == "cancelled"
    assert not (machine.home / "local/tasks/waiting/log.txt").exists()
    local.ask("busy", "cancel")


def test_cancel_ends_even_a_stubborn_family(machine):
    machine.start_agent()
    machine.train("stubborn", "--steps", "10000", "--stubborn", "--grandchild")
    machine.until(lambda: len(machine.processes("stubborn")) == 2 and local.progress("stubborn"))
    local.ask("stubborn", "cancel")
    local.ask("stubborn", "cancel")
    assert machine.state("stubborn").status == "cancelled"
    assert machine.processes("stubborn") == []


def test_a_paused_task_waits_without_a_process_and_goes_on_where_it_was(machine):
    machine.start_agent()
    machine.train("long", "--steps", "30", "--step-s", "0.05")
    machine.until(lambda: local.progress("long"))
    local.ask("long", "pause")
    assert machine.state("long", "paused").status == "paused"
    assert machine.processes("long") == []
    at = local.checkpoint("long").step
    assert 0 < at < 30
    local.ask("long", "resume")
    assert machine.state("long").status == "succeeded"
    assert f"from step {at}" in local.log_tail("long")
    assert [metric.step for metric in local.metrics("long")] == list(range(1, 31))


def test_the_seconds_of_a_task_are_those_of_its_starts_and_not_of_its_pauses(machine):
    machine.start_agent()
    assert local.TaskState(id="new").ran_s(now()) == 0
    machine.train("long", "--steps", "1000", "--step-s", "0.05")
    machine.until(lambda: local.progress("long"))
    running = machine.state("long", "running")
    assert 0 < running.ran_s(now()) < (now() - running.created_at).total_seconds()
    local.ask("long", "pause")
    paused = machine.state("long", "paused")
    assert paused.ran_s(now()) == paused.ran_s(now() + timedelta(hours=1)) > 0
    before = local.progress("long").at
    local.ask("long", "resume")
    machine.until(lambda: local.progress("long").at > before)
    local.ask("long", "cancel")
    assert machine.state("long").ran_s(now()) > paused.ran_s(now())


def test_the_next_start_knows_what_was_said_last(tmp_path):
    reporter = Reporter(tmp_path)
    assert reporter.last_progress() == {}
    reporter.progress(step=3, trained_tokens=4_000, peak_memory_bytes=5_000_000)
    said = Reporter(tmp_path).last_progress()
    assert (said["step"], said["trained_tokens"], said["peak_memory_bytes"]) == (3, 4_000, 5_000_000)
    (tmp_path / "progress.json").write_text("{")
    assert reporter.last_progress() == {}


def test_a_queued_task_can_be_paused_and_resumed(machine):
    machine.start_agent()
    machine.train("busy", "--steps", "1000", sequence=0)
    machine.train("next", sequence=1)
    local.ask("next", "pause")
    assert machine.state("next", "paused").status == "paused"
    local.ask("busy", "cancel")
    machine.state("busy")
    local.ask("next", "resume")
    assert machine.state("next").status == "succeeded"


def test_a_task_over_its_budget_fails_and_keeps_its_checkpoint(machine):
    machine.start_agent()
    machine.train("dear", "--steps", "10000", "--step-s", "0.1", budget_minutes=1 / 60)
    state = machine.state("dear")
    assert state.status == "failed"
    kept = local.checkpoint("dear").step
    assert state.error == f"The budget of 0.0166667 minutes is used up. The checkpoint of step {kept} is kept."


def test_putting_a_task_again_runs_it_once(machine):
    order = machine.home / "order"
    for _ in range(3):
        machine.train("once", "--order", str(order))
    machine.state("once")
    machine.train("once", "--order", str(order))
    assert order.read_text() == "once\n"


def test_a_child_gets_the_callers_named_environment_and_no_more(machine, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "not for children")
    monkeypatch.setenv("WANTED", "yes")
    code = "import os; from anytune.local import Reporter; Reporter().finish(dict(os.environ))"
    passed = (*local.DEFAULT_ENV, "WANTED")
    local.put(local.Task(id="env", argv=(sys.executable, "-c", code), env={"MORE": "1"}, passed_env=passed, run_dir=machine.home / "r"))
    machine.state("env")
    seen = local.result("env")
    assert (seen["WANTED"], seen["MORE"], seen["ANYTUNE_REF"]) == ("yes", "1", "env")
    assert "SECRET_KEY" not in seen
    folder = machine.home / "local/tasks/env"
    assert not (folder / "env.json").exists()
    assert "SECRET_KEY" not in (psutil_environ := _environ(machine.agent_pid()))
    assert "WANTED" not in psutil_environ


def test_everything_is_for_the_owner_only(machine):
    machine.train("own")
    machine.state("own")
    for path in (machine.home / "local").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_removed_task_is_unknown_and_a_running_one_is_kept(machine):
    machine.train("gone", "--steps", "20")
    with pytest.raises(ConfigError, match="has not ended"):
        local.remove("gone")
    machine.state("gone")
    local.remove("gone")
    with pytest.raises(NotFound):
        local.state("gone")
    assert (machine.home / "runs/gone").exists()


@pytest.mark.parametrize("task_id", ["../x", "/etc", "", "a/b", "a" * 65, ".hidden", "a\n"])
def test_an_id_is_never_a_path(machine, task_id):
    with pytest.raises(AnytuneError):
        local.state(task_id)


def test_a_half_written_event_is_left_out_until_it_is_whole(machine):
    machine.train("half")
    machine.state("half")
    path = machine.home / "local/tasks/half/events.jsonl"
    before = local.events("half")
    with path.open("a") as file:
        file.write('{"at": "2026-11-22T00:00:00+00:00", "mess')
    assert local.events("half") == before
    local.Reporter(path.parent).event("after the crash")
    assert [event.message for event in local.events("half", after=before[-1].id)] == ["after the crash"]


def test_a_number_that_is_not_finite_is_told_as_a_warning(machine):
    machine.train("nan")
    machine.state("nan")
    reporter = local.Reporter(machine.home / "local/tasks/nan")
    reporter.metric(9, {"loss": float("nan"), "learning_rate": 0.1})
    assert local.metrics("nan", after=8)[0].values == {"learning_rate": 0.1}
    assert local.events("nan")[-1].message == "loss is nan at step 9."
    assert json.loads(path_text(machine, "nan").splitlines()[-1])["level"] == "warning"


def path_text(machine, name):
    return (machine.home / f"local/tasks/{name}/events.jsonl").read_text()


def _environ(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        return os.fsdecode(file.read())
