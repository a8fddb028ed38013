"""A checkpoint counts once it is sealed and as long as no byte of it has changed; else the one before it does."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from anytune_huggingface import checkpoints

SAVING = """
import pathlib, sys
from anytune_huggingface import checkpoints

output, first = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for step in range(first, first + 10_000):
    folder = output / f"checkpoint-{step}"
    folder.mkdir()
    for name in ("model.safetensors", "optimizer.pt", "trainer_state.json"):
        (folder / name).write_bytes(f"{name} {step} ".encode() * 20_000)
    checkpoints.seal(folder)
    print(step, flush=True)
"""


@pytest.fixture
def output(tmp_path):
    """Two sealed checkpoints."""
    for step in (10, 20):
        folder = tmp_path / f"checkpoint-{step}"
        (folder / "nested").mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(bytes(range(256)) * 64)
        (folder / "trainer_state.json").write_text('{"global_step": 20}')
        (folder / "nested" / "rng.json").write_text("{}")
        checkpoints.seal(folder)
    return tmp_path


def cut(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])


def flip(folder):
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[1000] ^= 1
    weights.write_bytes(bytes(content))


def tear(folder):
    manifest = folder / checkpoints.MANIFEST
    manifest.write_text(manifest.read_text()[:-20])


BROKEN = {
    "cut short": (cut, "model.safetensors was changed"),
    "one bit flipped": (flip, "model.safetensors was changed"),
    "one file missing": (lambda folder: (folder / "trainer_state.json").unlink(), "trainer_state.json is missing"),
    "one file deeper down missing": (lambda folder: (folder / "nested/rng.json").unlink(), "nested/rng.json is missing"),
    "one file too many": (lambda folder: (folder / "training_args.bin").write_bytes(b"x"), "training_args.bin was added"),
    "never sealed": (lambda folder: (folder / checkpoints.MANIFEST).unlink(), "it was not finished"),
    "a torn manifest": (tear, "it was not finished"),
    "an empty manifest": (lambda folder: (folder / checkpoints.MANIFEST).write_text(""), "it was not finished"),
    "a manifest of another shape": (lambda folder: (folder / checkpoints.MANIFEST).write_text('{"files": []}'), "it was not finished"),
}


@pytest.mark.parametrize(("breaking", "reason"), BROKEN.values(), ids=BROKEN)
def test_the_newest_one_that_is_whole_is_taken_and_the_broken_one_named(output, breaking, reason):
    breaking(output / "checkpoint-20")
    assert checkpoints.last_good(output) == (output / "checkpoint-10", [f"checkpoint-20: {reason}"])


def test_where_none_is_whole_training_begins_anew(output):
    for folder in output.iterdir():
        flip(folder)
    found, problems = checkpoints.last_good(output)
    assert found is None
    assert problems == ["checkpoint-20: model.safetensors was changed", "checkpoint-10: model.safetensors was changed"]


def test_a_writer_killed_at_any_moment_leaves_a_whole_checkpoint_that_is_found(tmp_path):
    seed = time.time_ns() % 2**32
    print(f"seed {seed}")
    dice = random.Random(seed)
    sealed = 0
    for _ in range(15):
        with subprocess.Popen([sys.executable, "-c", SAVING, str(tmp_path), str(newest(tmp_path) + 1)], stdout=subprocess.PIPE) as writer:
            first = int(writer.stdout.readline())
            time.sleep(dice.uniform(0, 0.05))
            writer.kill()
            told = [first, *(int(line) for line in writer.stdout.read().split())]
        sealed = max(sealed, told[-1])
        good, problems = checkpoints.last_good(tmp_path)
        step = checkpoints.step(good)
        assert step >= sealed, "what was said to be sealed was lost"
        assert (good / "model.safetensors").read_bytes() == f"model.safetensors {step} ".encode() * 20_000
        assert len(problems) <= 1
        assert not problems or "it was not finished" in problems[0]


def newest(output):
    return max((checkpoints.step(folder) for folder in output.iterdir()), default=0)
