"""Row 21: nothing that protects rests on `assert`. The gates are run again where Python leaves them out (vLLM CVE-2026-41523)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AGAIN = [
    "tests/security/test_canaries.py",
    "tests/security/test_objects.py",
    "tests/security/test_yaml.py",
    "tests/server/security/test_csrf.py",
    "tests/server/security/test_rebinding.py",
    "tests/server/security/test_start.py",
]


def again(*paths):
    """Run tests under PYTHONOPTIMIZE=1; pytest rewrites the asserts of test modules, which stay."""
    env = os.environ | {"PYTHONOPTIMIZE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    words = ["-q", "-p", "pytest_timeout", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestConfigWarning"]
    argv = [sys.executable, "-m", "pytest", *words, *map(str, paths)]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.slow
def test_the_gates_hold_without_asserts():
    done = again(*AGAIN)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout


@pytest.mark.slow
def test_a_test_that_fails_fails_there_too(tmp_path):
    planted = tmp_path / "test_planted.py"
    planted.write_text("def test_it():\n    assert not 1\n\n\ndef test_asserts_are_off():\n    assert not __debug__\n")
    done = again(planted, "-c", os.devnull, "--rootdir", tmp_path)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
