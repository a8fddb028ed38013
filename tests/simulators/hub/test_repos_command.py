"""`python -m anytune.testing.simulators hub` is a Hub for clients in any language."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from huggingface_hub import HfApi, errors


@contextmanager
def running(*arguments):
    """Run the command, and give what it said to export."""
    argv = [sys.executable, "-m", "anytune.testing.simulators", "hub", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        told = {}
        try:
            while "HF_HUB_DISABLE_TELEMETRY" not in told:
                line = process.stdout.readline()
                assert line, "it ended"
                name, _, value = line.strip().removeprefix("export ").partition("=")
                told[name] = value
            yield told
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0


def test_it_says_where_it_is_and_answers_until_it_is_stopped():
    with running() as told:
        api = HfApi(endpoint=told["HF_ENDPOINT"], token=told["HF_TOKEN"])
        api.create_repo("one")
        assert api.whoami()["name"] == "ada"
        assert api.repo_exists("ada/one")


def test_faults_come_from_a_file(tmp_path):
    faults = tmp_path / "faults.yaml"
    faults.write_text("calls:\n  - {kind: refuse, on: POST /api/repos/create, name: payment_required}\n")
    with running("--faults", str(faults)) as told:
        api = HfApi(endpoint=told["HF_ENDPOINT"], token=told["HF_TOKEN"])
        with pytest.raises(errors.HfHubHTTPError) as caught:
            api.create_repo("one")
        assert caught.value.response.status_code == 402


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--profile", "as_observed"], "one profile"), (["--faults", "FILE"], "POST /api/models/{repo}/commit/{revision}")],
)
def test_what_the_hub_does_not_have_is_refused(tmp_path, arguments, words):
    faults = tmp_path / "faults.yaml"
    faults.write_text("calls:\n  - {kind: drop, on: POST /fine_tuning/jobs}\n")
    argv = [sys.executable, "-m", "anytune.testing.simulators", "hub", *(str(faults) if each == "FILE" else each for each in arguments)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin", "COLUMNS": "4000"})
    assert (ended.returncode, words in ended.stderr) == (2, True)
