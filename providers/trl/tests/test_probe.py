from __future__ import annotations

import tempfile

import pytest

from anytune.backend import DataStats
from anytune.data import describe
from anytune.errors import ConfigError
from anytune.spec import TrainingSpec
from anytune_trl import TRLBackend

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def probed(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def probe(data, model, **spec):
        made = TrainingSpec(**({"backend": "trl", "model": str(model), "train": data} | spec))
        backend, files = TRLBackend(), [describe(data, "train")]
        before = backend.quote(made, DataStats(rows=1))
        after = backend.probe(made, files)
        assert list(scratch.iterdir()) == []
        return before, after

    return probe


def test_a_probe_measures_steps_and_keeps_nothing(probed, rows, tiny_model, anytune_home):
    before, after = probed(rows(), tiny_model)
    assert after.tokens == before.tokens
    assert after.minutes > 0
    assert after.memory_bytes > 100e6
    assert "measured on" in after.basis
    assert "3 steps of 8 rows" in after.basis
    assert f"the estimate before was {before.minutes:g} minutes" in after.basis
    assert not (anytune_home / "runs").exists()


def test_preferences_are_probed_too(probed, rows, tiny_model, fruit):
    preferences = [{"prompt": f"what is the colour of {name}", "chosen": colour, "rejected": "sky"} for name, colour in fruit * 2]
    _, after = probed(rows(preferences), tiny_model, method={"type": "dpo", "per_device_train_batch_size": 4})
    assert "3 steps of 4 rows" in after.basis


def test_steps_that_fail_say_why(probed, rows, copied):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ConfigError, match="The probe's steps failed"):
        probed(rows(), copied)


def test_data_that_cannot_be_trained_is_not_probed(probed, rows, tiny_model):
    with pytest.raises(ConfigError, match="longer than max_length"):
        probed(rows(), tiny_model, method={"type": "sft", "max_length": 12})


def test_the_steps_end_with_the_process_that_asked_for_them(rows, tiny_model, tmp_path, until):
    import os
    import signal
    import subprocess
    import sys

    import psutil

    code = (
        "import sys; from pathlib import Path; from anytune.data import describe; from anytune.spec import TrainingSpec; from anytune_trl import TRLBackend\n"
        "spec = TrainingSpec(backend='trl', model=sys.argv[2], train=Path(sys.argv[1]))\n"
        "TRLBackend().probe(spec, [describe(spec.train, 'train')])"
    )
    asking = subprocess.Popen([sys.executable, "-c", code, str(rows()), str(tiny_model)], env=os.environ | {"TMPDIR": str(tmp_path)})
    child = until(lambda: next((c for c in psutil.Process(asking.pid).children() if "anytune_trl.measure" in c.cmdline()), None))
    asking.send_signal(signal.SIGKILL)
    asking.wait(10)
    assert until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_probe_works_in_the_same_state_folder(probed, rows, tiny_model, tmp_path, monkeypatch):
    from anytune_trl import probe

    said = {}

    class Child:
        def __init__(self, command, *, env, **_):
            said.update(env)
            raise OSError("enough was seen")

    monkeypatch.setattr(probe.subprocess, "Popen", Child)
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "state"))
    with pytest.raises(OSError, match="enough"):
        probed(rows(), tiny_model)
    assert said["ANYTUNE_HOME"] == str(tmp_path / "state")
