from __future__ import annotations

import json

import pytest


@pytest.fixture
def account(cli):
    """An account with three jobs that the ledger knows nothing of."""
    for name in ("one", "two", "three"):
        cli("run", cli.spec(name))
    cli("jobs", "rm", "one", "two", "three")
    assert cli.json("jobs", "list")["jobs"] == []
    return cli


def ids(jobs):
    return sorted(job["remote_id"] for job in jobs)


def test_one_job_is_attached_under_a_name(account):
    job = account.json("jobs", "attach", "trial", "job-000001", "--name", "mine")
    assert (job["name"], job["remote_id"], job["status"]) == ("mine", "job-000001", "succeeded")


def test_several_jobs_are_attached_by_their_ids(account):
    told = account.json("jobs", "attach", "trial", "job-000003", "job-000001", "job-000003")
    assert account.code == 0
    assert ids(told["attached"]) == ["job-000001", "job-000003"]


def test_all_jobs_of_an_account_are_attached_once(account):
    told = account.json("jobs", "attach", "trial", "--all")
    assert (account.code, ids(told["attached"]), told["known"], told["failed"]) == (0, ["job-000001", "job-000002", "job-000003"], [], [])
    assert [job["name"] for job in account.json("jobs", "list")["jobs"]] == ["job-000003", "job-000002", "job-000001"]
    again = account.json("jobs", "attach", "trial", "--all")
    assert (again["attached"], sorted(again["known"])) == ([], ["job-000001", "job-000002", "job-000003"])


def test_a_limit_takes_the_newest_and_says_that_there_may_be_more(account):
    assert account.json("jobs", "attach", "trial", "--all", "--limit", "2")["more"] is True
    assert ids(account.json("jobs", "list")["jobs"]) == ["job-000002", "job-000003"]
    account("jobs", "attach", "trial", "--all", "--limit", "2")
    assert "--limit 20" in account.err


def test_a_job_of_this_ledger_that_waits_for_its_answer_is_not_attached_a_second_time(cli):
    cli.configure(trial='faults = { calls = [{ kind = "drop_reply" }, { kind = "auth", on = "find" }] }')
    cli("run", cli.spec(), "--no-wait")
    assert cli.json("jobs", "list")["jobs"][0]["submit_state"] == "in_doubt"
    told = cli.json("jobs", "attach", "trial", "--all")
    assert (told["attached"], told["known"]) == ([], ["job-000001"])


def test_people_get_a_table(account):
    assert "job-000002" in account("jobs", "attach", "trial", "--all")
    assert "succeeded" in account.out
    account("jobs", "attach", "trial", "--all")
    assert "3 known already." in account.err


def test_one_that_fails_does_not_keep_the_others(account):
    told = account.json("jobs", "attach", "trial", "job-000001", "job-999999")
    assert account.code == 2
    assert ids(told["attached"]) == ["job-000001"]
    assert [one["remote_id"] for one in told["failed"]] == ["job-999999"]


@pytest.mark.parametrize("words", [[], ["job-000001", "--all"], ["job-000001", "job-000002", "--name", "x"], ["--all", "--name", "x"]])
def test_wrong_arguments_are_refused(account, words):
    account("jobs", "attach", "trial", *words)
    assert account.code == 2
    assert account.json("jobs", "list")["jobs"] == []


def test_a_backend_that_cannot_list_its_jobs_says_so(cli):
    cli("jobs", "attach", "trl", "--all")
    assert cli.code == 3
    assert "cannot list jobs" in cli.err


def test_an_attached_job_is_deployed_and_asked(account):
    account("jobs", "attach", "trial", "job-000002")
    account("deploy", "job-000002", "--ttl", "2m")
    assert json.dumps("memory:job-000002 heard: 3?") == json.dumps(account("chat", "job-000002", "3?").strip())
    account("deployments", "stop", "--all")
