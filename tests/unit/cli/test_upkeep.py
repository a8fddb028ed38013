from __future__ import annotations

import sqlite3

import pytest

from anytune.runtime import runtime
from anytune.testing import Fault, Faults


@pytest.fixture
def sql(cli):
    """Change the ledger behind anytune's back, as a crash or a restored backup would leave it."""

    def run(*statements):
        with sqlite3.connect(cli.home / "ledger.db") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return run


@pytest.fixture
def doubtful(cli, sql):
    """A job that was made, while whoever made it died before the answer."""
    cli("run", cli.spec(), "--no-wait")
    sql("UPDATE anytune_jobs SET submit_state='in_doubt', remote_id=NULL, status='submitting'")
    return cli


def faults(cli, *calls, **more):
    text = ", ".join(f'{{ kind = "{call.kind}", on = "{call.on}", times = {call.times} }}' for call in calls)
    rest = "".join(f", {key} = {value}" for key, value in more.items())
    assert Faults(calls=calls, **more)
    cli.configure(trial=f"faults = {{ calls = [{text}]{rest} }}")
    runtime().backends.clear()  # another process would read the profile anew


def test_nothing_in_doubt_ends_in_0(cli):
    cli("reconcile")
    assert (cli.code, cli.out) == (0, "")
    assert "Nothing is in doubt." in cli.err


def test_a_lost_reply_is_cleared_up(doubtful):
    cli = doubtful
    cli("reconcile")
    assert cli.code == 0
    assert "in_doubt → " in cli.out
    assert "It was made: it is job-000001." in cli.err


def test_what_stays_in_doubt_ends_in_6_with_the_next_command(doubtful):
    cli = doubtful
    faults(cli, Fault(kind="reject", on="find", times=99))
    seen = cli.json("reconcile")
    assert cli.code == 6
    assert seen["open"]
    assert seen["cases"][0]["now"] == "in_doubt"
    cli("reconcile")
    assert cli.code == 6
    assert "anytune reconcile" in cli.err


def test_a_word_against_a_cut_listing_needs_a_second_one(doubtful):
    cli = doubtful
    faults(cli, incomplete_listings=999)
    cli("reconcile", "minutes", "--resend")
    assert cli.code == 6
    assert "--resend --sure" in cli.err
    assert cli.json("reconcile", "minutes", "--resend", "--sure")["cases"][0]["now"] == "queued"
    assert cli.code == 0


@pytest.mark.parametrize("words", [("--sure",), ("--resend",), ("minutes", "--resend", "--send"), ("nobody",)])
def test_words_that_make_no_sense_are_refused(cli, words):
    cli("reconcile", *words)
    assert cli.code == 2


def test_a_job_that_the_ledger_lost_is_shown_and_adopted(cli, sql):
    cli("run", cli.spec(), "--no-wait")
    sql("DELETE FROM anytune_jobs")
    (orphan,) = cli.json("orphans", "--backend", "trial")["ours"]
    assert (orphan["remote_id"], orphan["name"]) == ("job-000001", "minutes")
    assert "job-000001" in cli("orphans", "-b", "trial")
    adopted = cli.json("orphans", "-b", "trial", "--adopt")["adopted"]
    assert [one["name"] for one in adopted] == ["minutes"]
    assert cli.json("orphans", "-b", "trial")["ours"] == []


@pytest.fixture
def lost_host(cli, sql):
    """A host that runs, and whose row is gone."""
    cli("run", cli.spec())
    cli("deploy", "minutes", "--ttl", "2m")
    sql("DELETE FROM anytune_deployments")
    yield cli
    cli("orphans", "-b", "trial", "--stop", "--yes")


def test_a_host_that_the_ledger_lost_is_shown_with_what_it_bills_a_day(lost_host):
    cli = lost_host
    assert cli.json("orphans", "-b", "trial")["usd_per_day"] == 12.0
    cli("orphans", "-b", "trial")
    assert "$12.00" in cli.out
    assert "$12.00 a day." in cli.err


def test_nobody_is_asked_where_nobody_is_there(lost_host):
    cli = lost_host
    cli("orphans", "-b", "trial", "--stop")
    assert cli.code == 2
    assert len(cli.json("orphans", "-b", "trial")["ours"]) == 1


def test_a_host_that_the_ledger_lost_is_stopped_once_that_was_said(lost_host):
    cli = lost_host
    assert cli.json("orphans", "-b", "trial", "--stop", "--yes")["stopped"] != []
    assert cli.code == 0
    assert cli.json("orphans", "-b", "trial")["ours"] == []


def test_a_host_that_cannot_be_stopped_is_said_to_bill_on(lost_host):
    cli = lost_host
    faults(cli, Fault(kind="reject", on="undeploy", times=1))
    cli("orphans", "-b", "trial", "--stop", "--yes")
    assert cli.code == 3


def test_a_backend_that_is_not_set_up_is_named_and_no_fault(cli):
    cli("orphans")
    assert cli.code == 0
    assert "Nothing of this ledger's is orphaned; asked: trial" in cli.err
