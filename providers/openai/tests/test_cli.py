"""`anytune` on the command line with `backend: openai`: real processes against a simulated OpenAI, set up by OpenAI's own environment names."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from anytune.testing import WireFault, WireFaults

CREATE = "POST /fine_tuning/jobs"
SPEC = "backend: openai\nmodel: gpt-4.1-mini-2025-04-14\ntrain: rows.jsonl\nname: recipes\nmethod: {type: sft, num_train_epochs: 2}\n"


class Shell:
    """The command as users have it."""

    def __init__(self, folder, chats, sim):
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if name not in {"ANYTUNE_LEDGER", "ANYTUNE_DEBUG"}} | {
            "ANYTUNE_HOME": str(folder / "home"),
            "OPENAI_BASE_URL": sim.base_url,
            "OPENAI_API_KEY": sim.api_key,
        }
        chats(folder / "rows.jsonl")
        (folder / "recipes.yaml").write_text(SPEC, encoding="utf-8")

    def __call__(self, *arguments, stdin=""):
        return subprocess.run(
            [sys.executable, "-m", "anytune.cli", *arguments],
            cwd=self.folder, env=self.env, input=stdin, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def good(self, *arguments, **more):
        done = self(*arguments, **more)
        assert done.returncode == 0, done.stderr
        return done

    def json(self, *arguments):
        return json.loads(self.good(*arguments, "--json").stdout)


@pytest.fixture
def shell(tmp_path, chats, sim):
    return Shell(tmp_path, chats, sim)


def test_preflight_says_that_it_is_ready_and_makes_nothing(shell, sim):
    done = shell.good("preflight", "recipes.yaml")
    assert done.stdout == "ready to run\n"
    assert done.stderr.endswith("no price is known for this run\n")
    assert [one.route for one in sim.requests if not one.route.startswith("GET ")] == []


def test_a_spec_becomes_a_model_that_answers(shell, sim):
    ran = shell.good("run", "recipes.yaml", "--poll", "0.05s")
    (job,) = sim.jobs
    assert ran.stdout == f"{job.tuned}\n"
    shown = shell.json("jobs", "show", "recipes")
    assert (shown["status"], shown["remote_id"], shown["model"]["id"]) == ("succeeded", job.id, job.tuned)
    events = shell.good("jobs", "events", "recipes").stdout
    assert "The job has successfully completed" in events
    again = shell.good("run", "recipes.yaml", "--poll", "0.05s")
    assert again.stdout == ran.stdout
    assert sim.count(CREATE) == 1
    deployed = shell.json("deploy", "recipes", "--ttl", "5m")
    assert (deployed["state"], deployed["model"], deployed["hourly_usd"]) == ("ready", job.tuned, None)
    assert shell.good("chat", "recipes", "3 cups of rice").stdout == "rice 3\n"
    shell.good("deployments", "stop", "recipes")
    assert shell.json("deployments", "list") == {"deployments": []}


def test_a_run_without_waiting_is_watched_by_another_process(shell, sim):
    shell.good("run", "recipes.yaml", "--no-wait")
    watched = shell.good("jobs", "watch", "recipes", "--poll", "0.05s")
    assert watched.stdout == f"{sim.jobs[0].tuned}\n"


def test_jobs_made_elsewhere_are_attached_and_their_models_answer(shell, sim, client):
    file = client.files.create(file=("mine.jsonl", (shell.folder / "rows.jsonl").read_bytes()), purpose="fine-tune")
    theirs = [
        client.fine_tuning.jobs.create(model="gpt-4.1-mini-2025-04-14", training_file=file.id, suffix=word) for word in ("one", "two")
    ]
    shell.good("jobs", "attach", "openai", "--all")
    listed = shell.json("jobs", "list")["jobs"]
    assert {job["remote_id"] for job in listed} == {job.id for job in theirs}
    shell.good("jobs", "watch", theirs[0].id, "--poll", "0.05s")
    shell.good("deploy", sim.jobs[0].tuned, "-b", "openai", "--name", "hand")
    assert shell.good("chat", "hand", "7 cups of rice").stdout == "rice 7\n"
    assert sim.count(CREATE) == 2


def test_the_key_is_in_no_output_and_no_file(shell, sim):
    outputs = [shell("run", "recipes.yaml", "--poll", "0.05s"), shell("jobs", "show", "recipes", "--json"), shell("doctor", "--json")]
    written = b"".join(path.read_bytes() for path in (shell.folder / "home").rglob("*") if path.is_file())
    assert sim.api_key.encode() not in written
    assert [one.args for one in outputs if sim.api_key in one.stdout + one.stderr] == []


def failed(done, code, *words):
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    missing = [word for word in words if word not in " ".join(done.stderr.split())]
    assert not missing, done.stderr


def test_a_closed_organisation_is_told_that_nothing_was_made_and_where_to_look(shell, sim):
    sim.closed_to_org = True
    failed(shell("run", "recipes.yaml"), 3, "can no longer create fine-tuning jobs", "Nothing was created", "anytune backends")
    assert sim.jobs == []


@pytest.fixture
def behind_a_proxy(shell, sim):
    """Let the command believe that it speaks to OpenAI itself: the simulator is its proxy, and nothing leaves the machine."""
    shell.env |= dict.fromkeys(["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"], sim.url) | {"NO_PROXY": "", "no_proxy": ""}
    shell.env["OPENAI_BASE_URL"] = "http://api.openai.com/v1"
    return shell


def test_openais_prices_are_quoted_for_openais_own_address(behind_a_proxy, sim):
    whatever_the_day = ("--allow", "training-closed", "--allow", "model-gone")
    report = json.loads(behind_a_proxy("preflight", "recipes.yaml", *whatever_the_day, "--json").stdout)
    assert report["quote"]["tokens"] > 0
    assert report["quote"]["cost_usd"] == pytest.approx(report["quote"]["tokens"] * 5e-6)
    assert sim.count("GET /models/{id:path}") == 1


def test_openais_closing_is_told_with_its_day_and_who_else_could(behind_a_proxy, sim):
    sim.closed_to_org = True
    done = behind_a_proxy("run", "recipes.yaml")
    assert done.returncode not in {0, 70}
    said = " ".join(done.stderr.split())
    assert "2027-01-06" in said
    assert "`trl`" in said
    assert "Traceback" not in said
    assert sim.jobs == []


def test_a_wrong_key_is_named_and_not_shown(shell):
    shell.env["OPENAI_API_KEY"] = "sk-wrong-0123456789abcdef"
    done = shell("run", "recipes.yaml")
    failed(done, 3, "OPENAI_API_KEY")
    assert "sk-wrong-0123456789abcdef" not in done.stderr


def test_a_missing_key_is_named(shell):
    del shell.env["OPENAI_API_KEY"]
    failed(shell("run", "recipes.yaml"), 2, "OPENAI_API_KEY")


@pytest.mark.parametrize("name", ["quota", "credit_gone"])
def test_an_account_without_money_is_told_so(shell, sim, name):
    sim.faults = WireFaults(calls=(WireFault(kind="refuse", name=name, on=CREATE),))
    failed(shell("run", "recipes.yaml"), 3, "billing")
    assert sim.count(CREATE) == 1


def test_an_address_where_nobody_listens_is_named(shell):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shell.env["OPENAI_BASE_URL"] = f"http://127.0.0.1:{port}/v1"
    failed(shell("run", "recipes.yaml"), 3)


def test_a_job_that_fails_says_why_and_the_next_attempt_is_named(shell, sim):
    shell.good("run", "recipes.yaml", "--no-wait")
    sim.fail(sim.jobs[0].id, "moderation")
    failed(shell("jobs", "watch", "recipes", "--poll", "0.05s"), 1, "moderation", "Flagged lines")
    failed(shell("run", "recipes.yaml", "--poll", "0.05s"), 1, "--new-attempt")


def test_cancelling_a_job_whose_reply_was_lost_says_that_it_may_run_and_what_ends_it(shell, sim):
    sim.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=CREATE), WireFault(kind="error", on="GET /fine_tuning/jobs", times=10)))
    assert shell("run", "recipes.yaml", "--no-wait").returncode == 6
    assert "openai may run and bill it" in shell.good("jobs", "cancel", "recipes").stderr
    sim.faults = WireFaults()
    assert shell.json("jobs", "show", "recipes")["status"] == "cancelled"
    assert [job.word for job in sim.jobs] == ["cancelled"]


def test_a_run_that_is_stopped_while_it_sends_says_that_the_job_may_exist(shell, sim):
    sim.faults = WireFaults(calls=(WireFault(kind="slow", on=CREATE, delay_s=3.0),))
    argv = [sys.executable, "-m", "anytune.cli", "run", "recipes.yaml"]
    child = subprocess.Popen(argv, cwd=shell.folder, env=shell.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not sim._counts[CREATE]:
        assert time.monotonic() < deadline, "nothing was sent"
        time.sleep(0.01)
    time.sleep(0.2)  # the reply is on its way for 3 seconds
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "openai may run and bill it" in said
    shell.good("run", "recipes.yaml", "--no-wait")
    assert (len(sim.jobs), sim.count(CREATE)) == (1, 1)
