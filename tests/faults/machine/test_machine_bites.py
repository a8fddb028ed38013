"""The machine finds what it is made for: each of these breaks one promise on purpose, and a short story finds it out."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.faults.machine.lives import LIVES, RATES, counted

from anytune.ledger import jobs, reconcile, transitions

QUICK = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def no_sweep(monkeypatch):
    monkeypatch.setattr(reconcile, "sweepable", lambda row, oldest, **_: False)


def no_settle_window(monkeypatch):
    monkeypatch.setattr(reconcile, "_EMPTY_LISTINGS", 0)


def ends_are_overwritten(monkeypatch):
    """A record that takes whatever was written last."""

    def observe(connection, job_id, ledger, snapshot, *, now, since=None):
        return jobs.change(connection, job_id, ledger, now=now, status=snapshot.status.value, ended_at=now)

    monkeypatch.setattr(jobs, "observe", observe)


def whatever_carries_our_tag_is_ours(monkeypatch):
    monkeypatch.setattr(reconcile, "_same_hash", lambda theirs, ours: True)


def a_lost_reply_is_sent_again(monkeypatch):
    """What every client does that retries its create."""
    monkeypatch.setattr("anytune.retry.Retry.create", lambda self, call, *, backend=None: self.write(call, backend=backend))


def a_late_sender_takes_the_row(monkeypatch):
    """No fence: whoever comes back last has the job."""

    def take(connection, row, remote, *, now):
        values = {"submit_state": "submitted", "remote_id": remote.id, "status": "queued"}
        return jobs.change(connection, row.id, row.ledger, now=now, **values)

    monkeypatch.setattr(transitions, "take", take)


def in_trouble(machine, *, lag_s, fate=None):
    machine.submit_in_trouble(who=0, name="rice", rate=RATES[0], kind="drop_reply", delay_s=5.0, lag_s=lag_s, fate=fate, after=None)


def a_listing_that_lags_too_long(machine):
    in_trouble(machine, lag_s=400.0)


def a_listing_that_lags_a_little(machine):
    in_trouble(machine, lag_s=25.0)


def a_look_held_until_a_cancel_was_seen(machine):
    machine.time_passes(1000.0)
    machine.look(who=0, name="basil", fate=("held", "before write", 1, ("cancel", "basil"), 30.0))


def a_copy_of_our_tag(machine):
    machine.somebody_else_makes_a_job(kind="our tag, another hash")
    machine.sweep(who=0, fate=None)


def a_send_held_until_another_host_took_over(machine):
    machine.submit(
        who=0, name="rice", rate=RATES[0], new=False, fate=("held", "before submit", 2, ("create", "rice", RATES[0], False), 1000.0)
    )


BROKEN = {
    "no sweep": (no_sweep, a_listing_that_lags_too_long, "goes on and no row has it"),
    "no settle window": (no_settle_window, a_listing_that_lags_a_little, "two jobs were made"),
    "ends are overwritten": (ends_are_overwritten, a_look_held_until_a_cancel_was_seen, "was overwritten|at the provider"),
    "a tag alone is enough": (whatever_carries_our_tag_is_ours, a_copy_of_our_tag, "is not ours and was cancelled"),
    "creates are retried": (a_lost_reply_is_sent_again, a_listing_that_lags_a_little, "times by 1 sends"),
    "no fence": (a_late_sender_takes_the_row, a_send_held_until_another_host_took_over, "was exchanged|no row has it|at the provider"),
}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Let a story happen, with all that must hold after it and at its end."""
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    kind = counted(tmp_path)

    def run(story):
        machine = kind()
        machine.begin(lives=LIVES)
        machine.check_rows()
        try:
            story(machine)
            machine.check_rows()
        except BaseException:
            machine.world.close()
            raise
        machine.teardown()

    yield run
    shutil.rmtree(kind.room, ignore_errors=True)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_promise_is_found_out(told, monkeypatch, broken):
    breaks, story, found = BROKEN[broken]
    breaks(monkeypatch)
    with pytest.raises(AssertionError, match=found):
        told(story)


@pytest.mark.parametrize("story", dict.fromkeys(story for _, story, _ in BROKEN.values()))
def test_the_same_story_ends_well_where_nothing_is_broken(told, story):
    told(story)


@pytest.mark.slow
def test_chance_alone_finds_a_create_that_is_retried(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    a_lost_reply_is_sent_again(monkeypatch)
    with pytest.raises(AssertionError, match=r"times by|two jobs were made"):
        run_state_machine_as_test(seed(20261123)(counted(tmp_path)), settings=QUICK)
