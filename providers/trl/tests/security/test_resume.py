"""Row 18 at a checkpoint: one changed byte and it is not used; and where an attacker sealed it anew, its pickles still run nothing."""

from __future__ import annotations

import pickle
import shutil

import pytest

from anytune_huggingface import checkpoints

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # what the training libraries warn of is not ours

STEPS = {"max_steps": 4, "save_steps": 2, "per_device_train_batch_size": 4}


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def halfway(run, rows):
    """Train four steps, and forget all but the checkpoint after two."""
    run.order(rows(), method=STEPS).train()
    assert run.said("failed.json") is None
    for path in (run.folder / "checkpoints" / "checkpoint-4", run.folder / "merged", run.folder / "adapter"):
        shutil.rmtree(path)
    (run.task / "result.json").unlink()
    return run, run.folder / "checkpoints" / "checkpoint-2"


def test_a_checkpoint_with_one_changed_byte_is_refused_before_it_is_loaded(halfway):
    run, checkpoint = halfway
    weights = checkpoint / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert checkpoints.problem(checkpoint) == "adapter_model.safetensors was changed"
    run.train()
    assert "A checkpoint is not used: checkpoint-2: adapter_model.safetensors was changed." in run.messages
    assert not any("Going on from" in message for message in run.messages)
    assert run.said("result.json")["steps"] == 4


def test_pickles_in_a_checkpoint_run_nothing_even_where_it_was_sealed_anew(halfway, tmp_path):
    run, checkpoint = halfway
    canary = tmp_path / "canary"
    names = [path.name for path in checkpoint.iterdir() if path.suffix in {".pt", ".pth", ".bin"}]
    assert {"optimizer.pt", "scheduler.pt", "rng_state.pth"} <= set(names)
    for name in (*names, "training_args.bin", "adapter_model.bin", "scaler.pt"):
        (checkpoint / name).write_bytes(pickle.dumps(Canary(canary)))
    checkpoints.seal(checkpoint)
    run.train()
    assert any("Going on from checkpoint-2" in message for message in run.messages)
    assert not canary.exists()
    assert run.said("failed.json") is not None
    assert not (run.folder / "merged").exists()
