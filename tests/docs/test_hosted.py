"""The recipe assistant as a user starts it, against the simulators: one program, and the backend is one word."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "recipe_assistant.py"
PROFILES = ["spec", "as_observed"]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def started(tmp_path, elsewhere):
    """Start the example in a process of its own, in an empty folder."""

    def start(backend, environment, *arguments):
        command = [sys.executable, str(EXAMPLE), backend, "--poll-s", "0.05", *arguments]
        ended = subprocess.run(command, cwd=tmp_path, env=elsewhere(environment), capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return start


def test_it_is_short():
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 150


@pytest.mark.parametrize("openai_host", PROFILES, indirect=True)
def test_at_openai_it_tells_from_the_rows_to_the_answers(openai_host, started):
    host, environment = openai_host
    told = started("openai", environment)
    assert "368 rows, 24,853 tokens" in told
    assert "training: $0.25 for 49,706 tokens" in told
    assert "49706 tokens trained" in told  # as many as were quoted
    assert "a recipe that it has seen: 1 of 1 exactly right" in told
    assert re.search(r"^checkpoints: ftckpt_\w+", told, re.MULTILINE)
    assert "lost" not in told
    assert host.count("DELETE /models/{id:path}") == 0


def test_a_second_start_gives_the_same_job_and_may_delete_its_model(openai_host, started):
    host, environment = openai_host
    first, second = started("openai", environment), started("openai", environment, "--delete")
    jobs = [re.search(r"^job (\S+) at openai$", told, re.MULTILINE)[1] for told in (first, second)]
    assert jobs[0] == jobs[1]
    assert (host.count("POST /fine_tuning/jobs"), host.count("POST /files")) == (1, 2)
    assert "deleted ft:gpt-4.1-mini-2025-04-14:" in second


@pytest.mark.parametrize("azure_host", PROFILES, indirect=True)
def test_at_azure_it_deploys_asks_and_leaves_nothing_that_bills(azure_host, started):
    host, environment = azure_host
    told = started("azure", environment, "--delete")
    assert "training: no price is published for 49,706 tokens" in told
    assert "hosting: $0.00 an hour" in told
    assert re.search(r"^answers as anytune-\S+$", told, re.MULTILINE)
    assert "a recipe that it has seen: 1 of 1 exactly right" in told
    assert (host.count("PUT /arm/deployments/{name}"), host.count("DELETE /arm/deployments/{name}")) == (1, 1)
    assert host.deployments == {}
    assert "deleted gpt-4.1-mini-2025-04-14.ft-" in told


@pytest.mark.parametrize("backend", ["trl", "autotrain"])
def test_on_ones_own_machine_it_is_the_same_program(rehearsed, tmp_path, capsys, backend):
    runpy.run_path(str(EXAMPLE))["main"](backend, str(tmp_path / "recipes"), poll_s=0.01)
    told = capsys.readouterr().out
    assert "no bill: it is trained here" in told
    assert "16 exactly right" in told


def test_the_two_tutorials_tell_one_program_that_differs_in_one_word():
    programs = [BLOCK.findall((ROOT / "docs" / "tutorial" / f"{host}.md").read_text(encoding="utf-8")) for host in ("openai", "azure")]
    lines = [[line.split("  #")[0] for block in program for line in block.splitlines()] for program in programs]
    differ = [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]]
    assert differ == [('BACKEND = "openai"', 'BACKEND = "azure"')]
