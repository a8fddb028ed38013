"""What a run took: tokens, minutes and memory, over all its starts, beside the estimate."""

from __future__ import annotations

import subprocess
import sys

import pytest

from anytune import FineTuneJob, Status
from anytune.runtime import Runtime
from anytune_huggingface.device import peak_memory_bytes
from anytune_trl import TRLBackend

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning"
)

TEN = {"max_steps": 10, "save_steps": 2, "logging_steps": 1, "save_total_limit": 5}


def one_pass(run):
    (counted,) = [line for line in run.lines("events.jsonl")[:1] if line["data"].get("role") == "train"]
    return counted["data"]["tokens"]


def read_in_step(run, step):
    read = {line["step"]: line["values"]["num_tokens"] for line in run.lines("metrics.jsonl") if "num_tokens" in line["values"]}
    return read[step] - read[step - 1]


def ends_before(step, monkeypatch):
    """End training as a kill would: by an error that no code of ours catches."""
    from anytune_trl.callbacks import Follower

    def dies(self, args, state, control, **_):
        if state.global_step == step:
            raise SystemExit("killed")

    monkeypatch.setattr(Follower, "on_step_begin", dies)


def test_the_tokens_are_those_of_all_steps(run, rows):
    run.order(rows(), method={"num_train_epochs": 2, "per_device_train_batch_size": 5}).train()
    assert run.said("progress.json")["trained_tokens"] == 2 * one_pass(run)


def test_the_tokens_of_preferences_are_those_of_both_sides(run, rows, fruit):
    preferences = [{"prompt": f"what is the colour of {name}", "chosen": colour, "rejected": "sky"} for name, colour in fruit]
    run.order(rows(preferences), method={"type": "dpo", "num_train_epochs": 2}).train()
    assert run.said("progress.json")["trained_tokens"] == 2 * one_pass(run)


def test_tokens_of_steps_that_are_done_again_count_again(run, rows, monkeypatch):
    data = rows()
    run.order(data, method=TEN)
    ends_before(7, monkeypatch)
    with pytest.raises(SystemExit):
        run.train()
    seventh = read_in_step(run, 7)
    monkeypatch.undo()
    monkeypatch.setenv("ANYTUNE_TASK_DIR", str(run.task))
    run.train()
    twice = run.said("progress.json")["trained_tokens"]
    (resumed,) = [line for line in run.lines("events.jsonl") if "steps_again" in line["data"]]
    assert resumed["data"]["steps_again"] == 1

    for path in (*run.task.iterdir(),):
        path.unlink()
    run.folder = run.folder.with_name("whole")
    run.order(data, method=TEN).train()
    assert twice == run.said("progress.json")["trained_tokens"] + seventh


def test_a_restart_does_not_say_that_it_is_at_the_beginning(run, rows, monkeypatch):
    from anytune.local.child import Reporter

    run.order(rows(), method=TEN)
    ends_before(7, monkeypatch)
    with pytest.raises(SystemExit):
        run.train()
    steps = []
    original = Reporter.progress
    monkeypatch.undo()
    monkeypatch.setattr(Reporter, "progress", lambda self, **said: (steps.append(said["step"]), original(self, **said)))
    run.train()
    assert steps[0] == 6


def test_a_childs_peak_of_memory_is_its_own():
    ballast = b"\1" * 300_000_000
    code = "from anytune_huggingface.device import peak_memory_bytes; print(peak_memory_bytes())"
    childs = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert 5e6 < childs < 200e6
    assert peak_memory_bytes() > len(ballast)


def test_after_a_pause_the_ledger_holds_the_estimate_beside_all_that_the_run_took(rows, tiny_model, until):
    epochs = 100
    job = FineTuneJob.create(
        backend=TRLBackend(),
        model=str(tiny_model),
        train=rows(),
        method={"type": "sft", "num_train_epochs": epochs, "save_steps": 1000},
        name="colours",
        context=Runtime(),
    )
    assert job.actual.minutes is None
    until(lambda: (job.refresh().step or 0) > 3)
    job.pause()
    until(lambda: job.refresh().status is Status.PAUSED)
    paused = job.actual
    job.resume()
    until(lambda: job.refresh().status.terminal)
    assert job.status is Status.SUCCEEDED, job.snapshot.error
    assert 0 < paused.tokens < job.actual.tokens == job.estimate.tokens
    assert 0 < paused.minutes < job.actual.minutes < 5
    assert 100e6 < paused.memory_bytes <= job.actual.memory_bytes < 3e9
    assert job.actual.cost_usd == 0
    assert job.actual.basis
