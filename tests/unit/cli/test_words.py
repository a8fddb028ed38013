"""Words that are wrong: what nobody knows is refused, and the next step names the command that was meant."""

from __future__ import annotations

import sqlite3

import pytest


@pytest.mark.parametrize("command", ["reap", "reconcile", "costs", "jobs list"])
def test_a_backend_that_nobody_knows_is_no_peace(cli, command):
    """A typing error in a crontab must not look like nothing to do."""
    cli(*command.split(), "--backend", "trail")
    assert cli.code == 3
    assert "No backend 'trail'" in cli.err


@pytest.mark.parametrize("command", ["reap", "reconcile", "costs", "jobs list"])
@pytest.mark.parametrize("word", ["trial", "memory"])
def test_a_profile_and_an_installed_backend_are_known(cli, command, word):
    cli(*command.split(), "--backend", word)
    assert cli.code == 0


def test_a_backend_is_known_for_as_long_as_the_ledger_has_a_row_of_it(cli):
    cli("run", cli.spec(), "--no-wait")
    cli.configure(other="")
    cli("jobs", "list", "--backend", "trial")
    assert (cli.code, "minutes" in cli.out) == (0, True)


@pytest.mark.parametrize(
    ("words", "named"),
    [("jobs watch", "anytune jobs watch --help"), ("reconcile --sure", "anytune reconcile --help"), ("jobs bogus", "anytune jobs --help")],
)
def test_wrong_arguments_name_the_help_of_their_command(cli, words, named):
    cli(*words.split())
    assert cli.code == 2
    assert named in cli.err
    assert "Invalid value:" not in cli.err
    assert cli.json(*words.split())["error"]["type"] == "UsageError"


def test_a_bill_without_a_figure_is_counted_beside_its_sum(cli):
    cli("run", cli.spec(), "--no-wait")
    cli("costs")
    assert "without a figure" in cli.out


def test_a_provider_that_could_not_be_asked_for_orphans_ends_in_6_with_what_to_do(cli):
    cli.configure(trial='faults = { calls = [{ kind = "auth", on = "list_jobs", times = 99 }] }')
    cli("orphans")
    assert cli.code == 6
    assert "trial" in cli.err


def test_a_job_whose_reply_was_lost_is_pointed_out_in_the_list(cli):

    cli("run", cli.spec(), "--no-wait")
    with sqlite3.connect(cli.home / "ledger.db") as connection:
        connection.execute("UPDATE anytune_jobs SET submit_state='in_doubt', remote_id=NULL, status='submitting'")
    connection.close()
    cli("jobs", "list")
    assert "`anytune reconcile`" in cli.err
