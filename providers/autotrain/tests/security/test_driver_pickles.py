"""Row 18 in AutoTrain's own environment, with its older libraries: neither a model's nor a checkpoint's pickles run anything."""

from __future__ import annotations

import pickle
import shutil

import pytest

from anytune_autotrain.translate import translate
from anytune_autotrain.words import dressed

pytestmark = pytest.mark.filterwarnings("ignore")  # what the training libraries warn of is not ours


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "canary"


@pytest.fixture
def spoilt(tiny, tmp_path, canary):
    """A model that has pickles beside its weights."""
    folder = tmp_path / "spoilt"
    shutil.copytree(tiny, folder)
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt"):
        (folder / name).write_bytes(pickle.dumps(Canary(canary)))
    return folder


def test_no_pickle_is_in_what_autotrain_is_given(spoilt, tmp_path):
    made = translate(spoilt, tmp_path / "copy", verify=lambda folder: None)
    assert made != spoilt
    assert {path.suffix for path in made.iterdir()} <= {".json", ".safetensors"}


def test_nor_in_a_copy_with_another_tokenizer(spoilt, tmp_path):
    class Tokenizer:
        def save_pretrained(self, into):
            (into / "tokenizer.json").write_text("{}")

    made = dressed(spoilt, Tokenizer(), tmp_path / "dressed")
    assert {path.suffix for path in made.iterdir()} <= {".json", ".safetensors"}


@pytest.mark.parametrize("disk", ["same", "another"])
def test_links_lead_to_weights_only(tiny, tmp_path, monkeypatch, disk):
    import os

    def refused(*_):
        raise OSError(18, "Invalid cross-device link")

    if disk == "another":
        monkeypatch.setattr(os, "link", refused)
    made = translate(tiny, tmp_path / "copy", verify=lambda folder: None)
    assert {path.name for path in made.iterdir() if path.is_symlink()} == ({"model.safetensors"} if disk == "another" else set())
    from anytune_huggingface.models import folders

    folders.verify(made)


@pytest.mark.slow
def test_a_checkpoint_s_pickles_run_nothing(drive, canary):
    settings = {"overrides": {"max_steps": 2, "save_steps": 1}, "validation": False}
    whole = drive("sft", **settings).wait()
    checkpoint = whole.output / "checkpoint-1"
    names = [path.name for path in checkpoint.iterdir() if path.suffix in {".pt", ".pth", ".bin"}]
    assert {"optimizer.pt", "scheduler.pt", "rng_state.pth"} <= set(names)
    for name in (*names, "training_args.bin", "adapter_model.bin", "scaler.pt"):
        (checkpoint / name).write_bytes(pickle.dumps(Canary(canary)))
    resumed = drive("sft", resume=str(checkpoint), **settings).wait()
    assert not canary.exists()
    assert resumed.code == 1
    assert resumed.of("finished") == []
