"""The `anytune` command as users have it: processes that share a home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "anytune.cli"]


class Shell:
    def __init__(self, folder):
        self.folder = folder
        drop = {"ANYTUNE_LEDGER", "ANYTUNE_DEBUG"}
        self.env = {name: value for name, value in os.environ.items() if name not in drop} | {
            "ANYTUNE_HOME": str(folder / "home"),
            "ANYTUNE_CONFIG": str(folder / "anytune.toml"),
        }
        rows = [{"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}!"}]} for n in range(12)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "minutes.yaml").write_text("backend: trial\nmodel: starter\ntrain: rows.jsonl\nname: minutes\n")
        self.configure("")

    def configure(self, more):
        text = f'[profiles.trial]\nbackend = "memory"\nstate_file = "{self.folder / "trial.json"}"\n{more}\n'
        (self.folder / "anytune.toml").write_text(text)

    def __call__(self, *arguments, stdin=""):
        return subprocess.run(
            [*COMMAND, *arguments], cwd=self.folder, env=self.env, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, *arguments):
        return subprocess.Popen(
            [*COMMAND, *arguments], cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def json(self, *arguments):
        done = self(*arguments, "--json")
        lines = done.stdout.splitlines()
        assert len(lines) == 1, done
        return json.loads(lines[0])


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


def until(condition, what, patience_s=30.0):
    deadline = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {patience_s} s: {what}"
        time.sleep(0.05)
    return found


def test_help_loads_nothing_heavy(shell):
    heavy = {"torch", "transformers", "sqlalchemy", "alembic", "openai", "pydantic", "yaml", "psutil", "httpx2", "starlette"}
    code = "import sys; from anytune.cli import invoke; invoke(['--help']); print('LOADED', *sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], env=shell.env, capture_output=True, text=True, timeout=60, check=False)
    loaded = done.stderr.partition("LOADED ")[2].split()
    assert "quickstart" in done.stdout
    assert heavy & set(loaded) == set()


def test_a_job_made_by_one_process_is_watched_deployed_and_asked_by_others(shell):
    assert shell("run", "minutes.yaml", "--no-wait").returncode == 0
    shell.configure("")
    watched = shell("jobs", "watch", "minutes", "--poll", "0.1s")
    assert watched.returncode == 0, watched.stderr
    assert watched.stdout == "memory:job-000001\n"
    deployed = shell("deploy", "minutes", "--ttl", "1m")
    assert deployed.returncode == 0, deployed.stderr
    answer = shell("chat", "minutes", stdin="3 minutes?")
    assert answer.stdout == "memory:job-000001 heard: 3 minutes?\n"
    stopped = shell("deployments", "stop", "minutes")
    assert stopped.returncode == 0, stopped.stderr
    assert shell.json("deployments", "list") == {"deployments": []}


def test_ctrl_c_detaches_and_the_job_goes_on(shell):
    shell.configure('life = { words = ["running"] }')
    watching = shell.start("run", "minutes.yaml", "--poll", "0.1s")
    until(lambda: shell.json("jobs", "list")["jobs"][:1] and shell.json("jobs", "list")["jobs"][0]["status"] == "running", "the job runs")
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=30)
    assert watching.returncode == 130
    assert out == ""
    assert "anytune jobs watch" in err
    assert "Traceback" not in err
    assert shell.json("jobs", "show", "minutes")["status"] == "running"


def test_a_killed_run_is_taken_up_by_the_same_command(shell):
    shell.configure('life = { words = ["running"] }')
    watching = shell.start("run", "minutes.yaml", "--poll", "0.1s")
    first = until(lambda: shell.json("jobs", "list")["jobs"], "the job is in the ledger")[0]
    watching.kill()
    watching.communicate(timeout=30)
    again = shell.json("run", "minutes.yaml", "--no-wait")
    assert again["job"]["id"] == first["id"]
    assert json.loads((shell.folder / "trial.json").read_text())["counts"]["jobs"] == 1


def test_json_goes_to_stdout_and_remarks_to_stderr(shell):
    done = shell("run", "minutes.yaml", "--poll", "0.1s", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["job"]["status"] == "succeeded"
    assert "quote:" in done.stderr


def test_a_users_error_has_no_traceback_and_a_reason(shell):
    done = shell("run", "nowhere.yaml")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "nowhere.yaml" in done.stderr


def test_debug_shows_the_traceback_of_a_fault(shell):
    shell.env["ANYTUNE_DEBUG"] = "1"
    code = (
        "import sys, anytune.job\n"
        "def broken(**_): raise RuntimeError('boom')\n"
        "anytune.job.FineTuneJob.list = broken\n"
        "from anytune.cli import invoke\n"
        "sys.exit(invoke(['jobs', 'list']))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=shell.env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 70
    assert "Traceback" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(shell):
    script = f"{sys.executable} -m anytune.cli schema | head -c 10 >/dev/null; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=shell.folder, env=shell.env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_quickstart_makes_a_real_model_better(tmp_path):
    env = os.environ | {"ANYTUNE_HOME": str(tmp_path)}
    done = subprocess.run(
        [*COMMAND, "quickstart", "--json"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=880, check=False
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    figures = json.loads(line)
    assert set(figures) == {"rows", "base_exact_match", "tuned_exact_match", "train_seconds", "total_seconds", "tokens_per_second"}
    assert figures["rows"] >= 30
    assert figures["tuned_exact_match"] > figures["base_exact_match"]
    assert not [path for path in Path(tmp_path, "local", "tasks").glob("*/ready.json") if not (path.parent / "stopped.json").exists()]
