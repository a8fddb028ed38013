from __future__ import annotations

import os
import sys

import pytest

from anytune.errors import ConfigError, DataError
from anytune.local.child import Reporter
from anytune_autotrain import child
from anytune_autotrain.follow import Follower
from anytune_huggingface import checkpoints


@pytest.fixture
def follower(tmp_path):
    (tmp_path / "task").mkdir()
    made = Follower(
        Reporter(tmp_path / "task"), output=tmp_path / "checkpoints", keep=2, step_tokens=10.0, hold=tmp_path / "hold", adopt=lambda _: None
    )
    made({"event": "started", "step": 0, "total_steps": 40, "versions": {}, "counts": {}, "device": "cpu"})
    return made


def log(step, loss, norm=1.0):
    return {"event": "metric", "step": step, "values": {"loss": loss, "grad_norm": norm}}


def saved(follower, step):
    folder = follower.output / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text("{}")
    return {"event": "checkpoint", "step": step, "path": str(folder)}


def test_checkpoints_are_sealed_and_old_ones_go(follower):
    for step in (1, 2, 3):
        follower(log(step, 2.0))
        follower(saved(follower, step))
    assert [found.step for found in checkpoints.listed(follower.output)] == [2, 3]
    assert checkpoints.metrics(follower.output / "checkpoint-3") == {"loss": 2.0}


def test_a_loss_that_is_no_number_fails_the_run_and_keeps_what_was_sound(follower):
    follower(log(4, 2.0))
    follower(saved(follower, 4))
    follower(saved(follower, 6))
    with pytest.raises(DataError, match=r"The loss is not a finite number at step 8\. The last good checkpoint is kept: checkpoint-4"):
        follower(log(8, float("nan")))


def test_a_gradient_of_zero_from_the_start_fails_the_run(follower):
    follower(log(1, 2.0, 0.0))
    follower(log(2, 2.0, 0.0))
    with pytest.raises(DataError, match="gradient has been exactly zero since the start"):
        follower(log(3, 2.0, 0.0))


def test_a_failure_keeps_its_reason_and_says_what_to_do(follower):
    with pytest.raises(ConfigError, match="There is not enough memory") as caught:
        follower({"event": "failed", "kind": "memory", "message": "There is not enough memory: 3 GB"})
    assert "per_device_train_batch_size" in caught.value.fix


def test_a_wish_to_pause_reaches_the_driver(follower, tmp_path):
    (tmp_path / "task" / "over_budget").touch()
    follower({"event": "progress", "step": 1, "total_steps": 40, "peak_memory_bytes": 5})
    assert follower.hold.exists()


def fake(tmp_path, body):
    """A python that ignores what it is told to run."""
    path = tmp_path / "bin" / "python"
    path.parent.mkdir()
    path.write_text(
        f"#!{sys.executable}\nimport json, os, sys\nsay = os.fdopen(int(os.environ['ANYTUNE_EVENTS_FD']), 'w', buffering=1)\n{body}\n"
    )
    path.chmod(0o700)
    return path


def test_a_process_that_ends_without_a_word_was_interrupted(tmp_path):
    python = fake(tmp_path, 'print(\'{"event": "started"}\\n{"event": "half\', file=say); os.kill(os.getpid(), 9)')
    said = child.events(python, {}, tmp_path)
    assert next(said) == {"event": "started"}
    with pytest.raises(child.Interrupted, match="SIGKILL"):
        next(said)


def test_the_process_gets_no_secret_and_none_of_our_packages(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_invented")
    monkeypatch.setenv("WANDB_API_KEY", "invented")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    python = fake(tmp_path, "print(json.dumps({'event': 'finished', 'env': dict(os.environ), 'argv': sys.argv}), file=say)")
    (event,) = child.events(python, {"params": {}}, tmp_path)
    assert not {"HF_TOKEN", "WANDB_API_KEY", "PYTHONPATH"} & set(event["env"])
    assert event["env"]["PATH"].split(os.pathsep)[0] == str(python.parent)
    assert "hf_invented" not in " ".join(event["argv"])
