"""Row 36: a guessable key, or an open address without a key, does not start (LiteLLM refuses weak master keys too)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ([], "sk-1234"),
        (["--host", "0.0.0.0"], "changeme-changeme-changeme-changeme"),
        (["--host", "0.0.0.0"], None),
        (["--host", "::"], None),
    ],
)
def test_an_unsafe_server_ends_before_it_listens(state, arguments, key):
    environ = {name: value for name, value in os.environ.items() if name != "ANYTUNE_API_KEY"} | ({"ANYTUNE_API_KEY": key} if key else {})
    done = subprocess.run(
        [sys.executable, "-m", "anytune.cli", "serve", "--backend", "memory", "--port", "0", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode not in {0, 70}, done.stderr
    assert "ANYTUNE_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr
    assert not key or key not in done.stdout + done.stderr
