"""Rows 18, 20, 21 and 22 of the list of faults and attacks: no folder of a model runs code or reads a file of this machine, on any way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "load_paths.py"


def tried(model, place, *words):
    """Run the program without asserts (`-OO` is too much: transformers 5.23 needs its docstrings); give its exit code and what it found."""
    env = os.environ | {"HF_HUB_OFFLINE": "1", "GOMP_SPINCOUNT": "0", "ANYTUNE_HOME": str(place / "home")}
    (place / "home").mkdir()
    argv = [sys.executable, "-O", str(PROGRAM), str(model), str(place / "evil"), *words]
    done = subprocess.run(argv, env=env, cwd=place, capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout, done.stderr[-2000:]
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_no_way_to_a_loader_runs_code_or_shows_a_secret_without_asserts_either(tiny_model, tmp_path):
    code, found = tried(tiny_model, tmp_path)
    assert found["wrong"] == []
    assert code == 0
    assert found["tried"] >= 300
    assert found["asserts"] is False


@pytest.mark.slow
def test_a_loader_that_unpickles_would_be_caught(tiny_model, tmp_path):
    code, found = tried(tiny_model, tmp_path, "planted")
    assert code == 1
    assert "model: pickle alone: planted ran code" in found["wrong"]
