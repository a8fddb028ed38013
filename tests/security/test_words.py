"""Row 19: whatever a name, a path or an option says, it stays one word of an argument list, and no shell ever reads it."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest
from tests.security.sweep import Life, rows

from anytune import local
from anytune.cli import ExitCode, invoke
from anytune.errors import AnytuneError
from anytune.local.task import Task

PAYLOADS = (
    "$(touch canary)",
    "`touch canary`",
    "; touch canary",
    "x\ntouch canary\n",
    "x\0y",
    "-o",
    "--trust-remote-code",
    '" ; touch canary ; "',
    "../../../../tmp/x",
    "%s%n{0}{x}",
    "\x1b[2J\u202e",
    "x" * 100_000,
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    rows(tmp_path / "rows.jsonl")


def invoked(capfd, *words):
    """Give a command; it ends with a code and a sentence, never with a traceback or a fault of its own."""
    code = invoke(words)
    out, err = capfd.readouterr()
    assert code != ExitCode.UNEXPECTED, (words[:2], err[-300:])
    assert "Traceback" not in err
    return code, out + err


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: repr(payload)[:24])
def test_no_word_of_a_command_reaches_a_shell(tmp_path, payload, capfd):
    spec = {"backend": "memory", "model": payload, "train": "rows.jsonl", "name": "plain"}
    (tmp_path / "spec.yaml").write_text(json.dumps(spec))
    (tmp_path / "suffix.yaml").write_text(json.dumps(spec | {"model": "m", "options": {"memory": {"suffix": payload}}}))
    (tmp_path / "name.yaml").write_text(json.dumps(spec | {"model": "m", "name": payload}))
    (tmp_path / "train.yaml").write_text(json.dumps(spec | {"model": "m", "train": payload}))
    for command in (
        ["preflight", "spec.yaml"],
        ["run", "spec.yaml", "--poll", "0.01s"],
        ["run", "suffix.yaml", "--poll", "0.01s"],
        ["run", "name.yaml", "--no-wait"],
        ["run", "train.yaml", "--no-wait"],
        ["preflight", "spec.yaml", "--backend", payload],
        ["preflight", "spec.yaml", "--report", f"{payload}.html"],
        ["jobs", "show", payload],
        ["jobs", "cancel", payload],
        ["deploy", payload],
        ["chat", payload, "hello"],
        ["data", "check", payload],
        ["data", "convert", "rows.jsonl", f"{payload}.jsonl", "--to", "alpaca"],
        ["push", "plain", payload],
    ):
        if "\0" in payload and any("\0" in word for word in command):
            continue  # no process can be given one
        invoked(capfd, *command)
    assert not list(tmp_path.rglob("canary"))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: repr(payload)[:24])
def test_a_profile_s_values_are_values(tmp_path, payload, monkeypatch, capfd):
    text = (
        f'[profiles.lab]\nbackend = "memory"\nstate_file = {json.dumps(payload[:200])}\n[profiles.odd]\nbackend = {json.dumps(payload)}\n'
    )
    (tmp_path / "anytune.toml").write_text(text, encoding="utf-8")
    (tmp_path / "spec.yaml").write_text("backend: lab\nmodel: m\ntrain: rows.jsonl\nname: plain\n")
    invoked(capfd, "preflight", "spec.yaml")
    invoked(capfd, "preflight", "spec.yaml", "--backend", "odd")
    assert not list(tmp_path.rglob("canary"))


@pytest.mark.slow
def test_a_child_gets_each_word_as_it_is(tmp_path):
    said, words = tmp_path / "said.json", [p for p in PAYLOADS if "\0" not in p and len(p) < 1000]
    code = (
        "import json, os, sys; from anytune.local.child import Reporter\n"
        "open(sys.argv[1], 'w').write(json.dumps([sys.argv[2:], os.environ['ODD']]))\nReporter().finish({})"
    )
    argv = (sys.executable, "-c", code, str(said), *words)
    local.put(Task(id="T1", argv=argv, env={"ODD": PAYLOADS[0]}, run_dir=tmp_path / "run", restarts=0))
    deadline = time.monotonic() + 90
    while not local.state("T1").ended:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert json.loads(said.read_text()) == [words, PAYLOADS[0]]
    assert not list(tmp_path.rglob("canary"))


@pytest.mark.parametrize("payload", ["../x", "a/b", "$(touch canary)", "-o", "", "x" * 65, "a\nb", ".."])
def test_the_id_of_a_task_is_a_plain_name(payload):
    with pytest.raises((AnytuneError, ValueError)):
        local.state(payload)
    with pytest.raises(ValueError, match="id"):
        Task(id=payload, argv=("true",), run_dir="/nowhere")


def test_a_command_in_a_folder_of_an_odd_name(tmp_path):
    odd = tmp_path / "$(touch canary); `touch canary` -o"
    odd.mkdir()
    with Life(odd, {}) as life:
        rows(odd / "rows.jsonl")
        (odd / "spec.yaml").write_text("backend: memory\nmodel: m\ntrain: rows.jsonl\nname: plain\n")
        assert life("run", "spec.yaml", "--poll", "0.01s").returncode == 0
        assert life("deploy", "plain", "--ttl", "1m").returncode == 0
    assert not [path for path in tmp_path.rglob("canary*") if path.name == "canary"]
    assert set(os.listdir(tmp_path)) <= {odd.name, "rows.jsonl", "home"}
