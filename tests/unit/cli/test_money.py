"""What the command line says of money and of places: costs, differences, and jobs that wait."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def spent(cli):
    """A job that ran and a host of its model, gone by now."""
    cli("run", cli.spec())
    cli("deploy", "minutes", "--ttl", "2m")
    cli("deployments", "stop", "--all")
    return cli


@pytest.fixture
def full(cli):
    """A job that holds the only place, and one that waits for it."""
    cli.configure(trial='max_concurrent = 1\nlife = { words = ["running"] }')
    cli("run", cli.spec("first"), "--no-wait")
    cli("run", cli.spec("second"), "--no-wait")
    return cli


def test_costs_add_up_training_and_hosting(spent):
    told = spent.json("costs")
    assert told["total"]["training_usd"] == 0.04
    assert 0 < told["total"]["hosting_usd"] < 0.5
    assert told["total"]["usd_per_day"] == 0
    assert [group["word"] for group in told["groups"]] == ["trial"]


def test_what_a_backend_reported_is_told_from_what_is_estimated(spent):
    bills = {bill["kind"]: bill for bill in spent.json("costs")["bills"]}
    assert (bills["job"]["estimated"], bills["job"]["basis"]) == (False, "as the backend reported")
    assert bills["deployment"]["estimated"]
    assert "$0.50 an hour" in bills["deployment"]["basis"]


def test_a_host_that_runs_is_told_by_the_day(cli):
    cli("run", cli.spec())
    cli("deploy", "minutes", "--ttl", "2m")
    assert cli.json("costs")["total"]["usd_per_day"] == 12
    cli("deployments", "stop", "--all")


@pytest.mark.parametrize(("by", "word"), [("name", "minutes"), ("month", "20"), ("backend", "trial")])
def test_costs_are_added_up_by_what_is_asked_for(spent, by, word):
    assert spent.json("costs", "--by", by)["groups"][0]["word"].startswith(word)
    assert "$0.04" in spent("costs", "--by", by)


def test_costs_by_something_else_are_refused(cli):
    cli("costs", "--by", "mood")
    assert cli.code == 2


def test_without_jobs_nothing_was_spent(cli):
    cli("costs")
    assert cli.code == 0
    assert cli.json("costs")["total"]["training_usd"] == 0


def test_show_holds_the_estimate_against_what_it_took(spent):
    told = spent.json("jobs", "show", "minutes")
    assert told["estimate"]["cost_usd"] is not None
    assert told["actual"]["cost_usd"] == 0.04
    assert told["difference"]["cost_usd"] == pytest.approx(0.04 - told["estimate"]["cost_usd"])
    assert "difference" in spent("jobs", "show", "minutes")


def test_run_says_what_a_job_waits_for(full):
    assert "waits for the one place at memory" in full.err
    assert full.code == 0


def test_list_and_show_say_what_a_job_waits_for(full):
    waiting = {job["name"]: job["waiting"] for job in full.json("jobs", "list")["jobs"]}
    assert waiting == {"first": "", "second": "the one place at memory"}
    assert "waits for" in full("jobs", "list")
    assert full.json("jobs", "show", "second")["status"] == "submitting"


def test_watch_says_what_a_job_waits_for(full):
    full("jobs", "watch", "second", "--timeout", "1s", "--poll", "1s")
    assert full.code == 4
    assert "waits for the one place at memory" in full.err


def test_a_waiting_job_is_cancelled(full):
    assert "cancelled" in full("jobs", "cancel", "second")
    assert full.json("jobs", "list", "--status", "submitting")["jobs"] == []


def test_reap_has_nothing_to_do_where_nothing_is_over(cli):
    cli("reap")
    assert cli.code == 0
    assert "Nothing is over" in cli.err


def test_a_job_over_its_budget_ends_with_1(cli):
    cli.configure(trial='life = { words = ["running", "running", "running", "running", "running"] }')
    spec = cli.spec("dear", budget=json.dumps({"max_usd": 0.025}))
    cli("run", spec, "--poll", "1s")
    assert cli.code == 1
    assert "The budget of 0.025 US dollars is used up" in cli.err
    cli("run", spec)
    assert cli.code == 1
    assert "is used up" in cli.err
