"""`anytune reap` as cron runs it: after restarts, with watches that died, and with keys that were withdrawn."""

from __future__ import annotations

import json
import sqlite3

import pytest

KEY = "sk-canary-0123456789"

pytestmark = pytest.mark.slow
"""Each test runs half a dozen programs; what they decide is tested in `test_time.py` too."""


@pytest.fixture
def reap(desk):
    """Run it, and give its exit code and its document."""

    def run(*arguments):
        done = desk.cli("reap", "--json", *arguments)
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


@pytest.fixture
def restarted(desk):
    """Kill the watches, and let so many hosts be over their time: as after a restart, locks are free and rows are live."""

    def restart(over=0):
        for process in desk.watches():
            process.kill()
            process.wait(10)
        with sqlite3.connect(desk.home / "ledger.db") as ledger:
            oldest = "SELECT id FROM anytune_deployments WHERE state != 'gone' ORDER BY id LIMIT ?"
            ledger.execute(f"UPDATE anytune_deployments SET expires_at = '2026-01-01 00:00:00.000000' WHERE id IN ({oldest})", [over])

    return restart


def live(desk):
    return [state for state in desk.provider.values() if state != "gone"]


def test_after_a_restart_it_ends_what_is_over_its_time_watches_the_rest_and_again_does_nothing(desk, reap, restarted):
    code, _, err = desk.run("tuned.deploy(ttl_s=600)\ntuned.deploy(ttl_s=600)")
    assert code == 0, err
    restarted(over=1)
    code, told = reap()
    assert (code, len(told["stopped"]), told["failed"]) == (0, 1, [])
    assert len(live(desk)) == 1
    (first,) = desk.watches()
    assert reap() == (0, {"stopped": [], "failed": [], "ended": [], "held": [], "unheld": [], "unwatched": []})
    assert [process.pid for process in desk.watches()] == [first.pid]


def test_a_withdrawn_key_fails_and_is_named_by_list_and_doctor(desk, reap, restarted):
    assert desk.run("tuned.deploy(ttl_s=600)")[0] == 0
    restarted(over=1)
    desk.env["BILLING_KEY"] = "sk-withdrawn-0123456789"
    code, told = reap()
    assert code == 3
    assert told["failed"][0]["type"] == "AuthError"
    assert len(live(desk)) == 1
    desk.until(lambda: list((desk.home / "watch").glob("*.trouble")), "the watch has left word")
    assert "can end nothing" in desk.cli("deployments", "list").stderr
    doctor = json.loads(desk.cli("doctor", "--json").stdout)
    assert [one["level"] for one in doctor["checks"] if one["what"] == "watch over host"] == ["warning"]
    desk.env["BILLING_KEY"] = KEY
    assert desk.cli("deployments", "stop", "--all").returncode == 0


def test_a_job_with_a_budget_is_watched_from_the_moment_it_was_sent_and_ended_by_cron(desk, reap, restarted):
    desk.configure('life = { words = ["queued", "running"], tick_s = 0.01 }')
    desk.env["BILLING_TRAINS"] = "1"
    order = 'backend="host", model="starter", train="rows.jsonl", name="long", budget={"max_hours": 0.002}'
    code, _, err = desk.story(f"anytune.FineTuneJob.create({order})")
    assert code == 0, err
    assert len(desk.watches()) == 1
    restarted()
    (told,) = desk.until(lambda: reap()[1]["ended"] or None, "it is over its seven seconds")
    assert "The budget of 0.002 hours is used up" in told["reason"]
