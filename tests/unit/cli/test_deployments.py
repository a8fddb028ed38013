from __future__ import annotations

import io
import json

import pytest


@pytest.fixture
def deployed(cli):
    """A job whose model is deployed under its name, stopped at the end."""
    cli("run", cli.spec())
    cli("deploy", "minutes", "--ttl", "2m")
    assert cli.code == 0
    yield cli
    cli("deployments", "stop", "--all")


def test_a_job_is_deployed_asked_and_stopped(deployed):
    cli = deployed
    assert "http://127.0.0.1:" in cli.out
    assert cli("chat", "minutes", "3?").strip() == "memory:job-000001 heard: 3?"
    cli("deployments", "stop", "minutes")
    assert cli.code == 0
    assert cli.json("deployments", "list")["deployments"] == []


def test_an_answer_is_one_json_document(deployed):
    answer = deployed.json("chat", "minutes", "3?")
    assert answer["text"] == "memory:job-000001 heard: 3?"
    assert answer["finish_reason"] == "stop"


def test_the_message_may_come_from_stdin(deployed, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    assert "from a pipe" in deployed("chat", "minutes")


def test_an_empty_message_is_refused(deployed, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    deployed("chat", "minutes")
    assert deployed.code == 2


def test_a_deployment_is_found_by_its_job(cli):
    job = cli.json("run", cli.spec())["job"]
    cli("deploy", job["id"], "--name", "another-word", "--ttl", "2m")
    assert "heard" in cli("chat", "minutes", "3?")
    cli("deployments", "stop", job["id"])
    assert cli.code == 0


def test_deployments_are_listed_with_their_cost(deployed):
    listed = deployed.json("deployments", "list")["deployments"]
    assert [one["name"] for one in listed] == ["minutes"]
    assert listed[0]["hourly_usd"] == 0.5
    assert listed[0]["cost_usd"] >= 0
    deployed("deployments", "list")
    assert "minutes" in deployed.out


def test_the_key_is_shown_only_where_it_is_asked_for(deployed):
    cli = deployed
    assert "api_key" not in json.dumps(cli.json("deployments", "list"))
    shown = cli.json("deploy", "minutes", "--name", "second", "--show-key", "--ttl", "2m")
    assert shown["api_key"]
    assert shown["api_key"] not in cli.err


def test_a_job_without_a_deployment_says_how_to_start_one(cli):
    cli("run", cli.spec())
    cli("chat", "minutes", "3?")
    assert cli.code == 2
    assert "anytune deploy minutes" in cli.err


def test_a_deployment_that_fails_ends_in_3_and_is_taken_down(cli):
    cli.configure(trial='faults = { deploy_error = "no GPU left" }')
    cli("run", cli.spec())
    error = cli.json("deploy", "minutes")["error"]
    assert cli.code == 3
    assert "no GPU left" in error["message"]
    assert cli.json("deployments", "list")["deployments"] == []


def test_a_job_that_runs_has_nothing_to_deploy_yet(cli):
    cli.configure(trial='life = { words = ["running"] }')
    cli("run", cli.spec(), "--no-wait")
    cli("deploy", "minutes")
    assert cli.code == 2


@pytest.mark.parametrize("ttl", ["soon", "0", "-1h", "1w"])
def test_a_wrong_ttl_is_refused(cli, ttl):
    cli("deploy", "minutes", f"--ttl={ttl}")
    assert cli.code == 2
    assert "1h" in cli.err


def test_stopping_needs_a_name(cli):
    cli("deployments", "stop")
    assert cli.code == 2
