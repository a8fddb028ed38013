"""The life of an endpoint: ready, right, guarded, and gone without a trace."""

from __future__ import annotations

import json
import os
import signal
import socket

import httpx2
import pytest

from anytune import local
from anytune.errors import ConfigError
from anytune.local import client


def ask(address, **words):
    """Ask an endpoint for a chat."""
    body = {"model": "tuned", "messages": [{"role": "user", "content": "one two three"}], **words}
    headers = {"authorization": f"Bearer {address.credential.get_secret_value()}"}
    return httpx2.post(f"{address.base_url}/chat/completions", json=body, headers=headers, trust_env=False)


def test_stop_leaves_no_process_behind(machine):
    machine.start_agent()
    machine.serve("web", "--worker")
    machine.state("web", "ready")
    assert len(machine.processes("web")) == 3
    local.ask("web", "stop")
    assert machine.state("web").status == "stopped"
    assert machine.processes("web") == []
    assert local.address("web") is None


def test_an_endpoint_answers_on_after_the_agent_was_killed(machine):
    machine.start_agent()
    machine.serve("web")
    machine.state("web", "ready")
    pids = {process.pid for process in machine.processes("web")}
    machine.kill_agent()
    assert ask(local.address("web")).status_code == 200
    assert machine.state("web", "ready").status == "ready"
    assert {process.pid for process in machine.processes("web")} == pids
    local.ask("web", "stop")
    assert machine.state("web").status == "stopped"


def test_the_time_to_live_ends_it_without_an_agent(machine):
    machine.start_agent()
    machine.serve("brief", "--worker", ttl_s=5)
    assert machine.state("brief", "ready").status == "ready"
    machine.kill_agent()
    machine.until(lambda: machine.processes("brief") == [], 20)
    assert machine.state("brief").status == "stopped"


def test_the_time_to_live_ends_what_never_got_ready(machine):
    machine.start_agent()
    machine.serve("slow", "--never-healthy", ttl_s=1)
    assert machine.state("slow").status == "stopped"
    assert machine.processes("slow") == []


def test_an_engine_that_crashes_fails_its_endpoint_with_its_log(machine):
    machine.start_agent()
    machine.serve("crash", "--die-after-s", "1.5")
    machine.state("crash", "failed")
    state = local.state("crash")
    assert state.status == "failed"
    assert "The engine ended with exit code 3." in state.error
    assert "the engine crashed" in state.error
    assert machine.processes("crash") == []


def test_an_engine_that_never_gets_ready_fails_in_time(machine):
    machine.start_agent()
    machine.serve("never", "--never-healthy", ready_timeout_s=2)
    state = machine.state("never")
    assert state.status == "failed"
    assert state.error.startswith("The engine was not ready within 2 s.")


def test_a_killed_gate_comes_back_on_its_port_and_with_its_token(machine):
    machine.start_agent()
    machine.serve("back")
    pid = machine.state("back", "ready").pid
    before = local.address("back")
    os.kill(pid, signal.SIGKILL)
    machine.until(lambda: local.state("back").pid != pid)
    assert machine.state("back", "ready").restarts == 1
    after = local.address("back")
    assert (after.base_url, after.credential) == (before.base_url, before.credential)
    assert len(machine.processes("back")) == 2


def test_a_taken_port_is_an_error_that_names_it(machine, monkeypatch):
    machine.start_agent()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        monkeypatch.setattr(client, "_free_port", lambda: port)
        machine.serve("taken")
        assert machine.state("taken").error.startswith(f"Port {port} on 127.0.0.1 cannot be used: Address already in use.")


def parity(machine, mode="cpu", **changes):
    row = {"messages": [{"role": "user", "content": "a b c"}], "tools": None, "prompt_tokens": 3, "token_ids": [1, 2]}
    row |= {"text": "echo a b c", "first_token": "echo"}
    path = machine.home / "parity.json"
    path.write_text(json.dumps({"mode": mode, "rows": [row, row, row | changes]}))
    return path


def test_an_engine_that_says_what_was_trained_is_ready(machine):
    machine.start_agent()
    machine.serve("same", parity=parity(machine))
    assert machine.state("same", "ready").status == "ready"
    report = json.loads((local.task_folder("same") / "ready.json").read_text())["parity"]
    assert (report["prompts_equal"], report["answers_equal"]) == (3, 3)


def test_another_template_is_never_ready_and_the_difference_is_shown(machine):
    machine.start_agent()
    machine.serve("template", "--extra-tokens", "4", parity=parity(machine))
    state = machine.state("template")
    assert state.status == "failed"
    assert "row 1: the prompt has 3 tokens in training and 7 in serving" in state.error


def test_one_other_answer_fails_on_a_cpu_and_passes_on_a_gpu(machine):
    machine.start_agent()
    machine.serve("cpu", parity=parity(machine, text="other", first_token="other"))
    state = machine.state("cpu", "ready")
    assert state.status == "failed"
    assert "row 3: trained 'other', served 'echo a b c'" in state.error
    machine.serve("gpu", parity=parity(machine, mode="gpu", text="other", first_token="other"))
    assert machine.state("gpu", "ready").status == "ready"


def test_an_engine_that_only_decodes_greedily_refuses_a_temperature(machine):
    machine.start_agent()
    machine.serve("greedy", greedy_only=True)
    machine.state("greedy", "ready")
    answers = [ask(local.address("greedy"), temperature=temperature) for temperature in (0, None, 0.7)]
    assert [answer.status_code for answer in answers] == [200, 200, 400]


def test_a_serving_task_has_no_pause_and_takes_no_slot(machine):
    machine.start_agent()
    machine.serve("web")
    with pytest.raises(ConfigError, match="cannot pause"):
        local.ask("web", "pause")
    machine.train("beside")
    assert machine.state("beside").status == "succeeded"
