"""`python -m anytune.testing.simulators` runs a simulated provider for apps in any language."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager

import openai
import pytest

from anytune.cli.doctor import VENDOR_NAMES


@contextmanager
def running(*arguments):
    argv = [sys.executable, "-m", "anytune.testing.simulators", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield {name: value for name, _, value in (process.stdout.readline().strip().partition(" ") for _ in range(2))}
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("provider", ["openai", "azure"])
def test_it_says_where_it_is_and_answers_until_it_is_stopped(provider):
    with running(provider, "--profile", "as_observed") as told:
        client = openai.OpenAI(base_url=told["base_url"].strip(), api_key=told["api_key"].strip())
        with client:
            assert list(client.fine_tuning.jobs.list()) == []


@pytest.mark.parametrize(("provider", "variables"), [("openai", 2), ("azure", 7)])
def test_it_says_what_to_export(provider, variables):
    argv = [sys.executable, "-m", "anytune.testing.simulators", provider]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        lines = []
        while sum(line.startswith("export ") for line in lines) < variables:
            lines.append(process.stdout.readline())
            assert lines[-1]
        process.send_signal(signal.SIGTERM)
    read = set(VENDOR_NAMES)
    assert {line.split()[1].partition("=")[0] for line in lines if line.startswith("export ")} <= read


def test_faults_come_from_a_file(tmp_path):
    faults = tmp_path / "faults.yaml"
    faults.write_text("calls:\n  - kind: refuse\n    on: GET /models\n    name: quota\n    times: 9\n")
    with running("openai", "--faults", str(faults)) as told:
        client = openai.OpenAI(base_url=told["base_url"].strip(), api_key=told["api_key"].strip(), max_retries=0)
        with client, pytest.raises(openai.RateLimitError) as caught:
            client.models.list()
        assert caught.value.code == "insufficient_quota"


def test_a_file_of_faults_that_makes_no_sense_is_refused(tmp_path):
    faults = tmp_path / "faults.yaml"
    faults.write_text("list_lag: 3\n")
    argv = [sys.executable, "-m", "anytune.testing.simulators", "openai", "--faults", str(faults)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "list_lag" in ended.stderr


def test_a_fault_of_a_request_that_there_is_not_is_refused(tmp_path):
    faults = tmp_path / "faults.yaml"
    faults.write_text("calls:\n  - {kind: drop, on: POST /fine-tunes}\n")
    argv = [sys.executable, "-m", "anytune.testing.simulators", "openai", "--faults", str(faults)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "POST /fine-tunes" in ended.stderr
    assert "POST /fine_tuning/jobs" in ended.stderr
