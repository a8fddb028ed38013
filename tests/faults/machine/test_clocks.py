"""Wall clocks that jump by days, and hosts whose clocks differ: no early resend, and nobody waits for a time that never comes (row 11)."""

from __future__ import annotations

import pytest
from tests.faults.machine.world import SETTLE_S

from anytune.errors import SubmitInDoubt
from anytune.ledger import sweep
from anytune.testing import Fault, Faults

DAY_S = 86_400.0
JUMPS_S = [-400 * DAY_S, -2 * DAY_S, 2 * DAY_S, 400 * DAY_S]


def make(process, **options):
    return process.act(lambda: process.create("basil", 1e-4), **options)


def row(process):
    return process.context.ledger.job("basil")


@pytest.mark.parametrize("jump_s", JUMPS_S)
@pytest.mark.parametrize("host", ["here", "there"])
def test_a_wall_clock_that_jumps_shortens_no_settle_window(world, one, jump_s, host):
    """The listing shows the job after half the window: who looks for shorter sends a second one."""
    world.faults = Faults(list_lag_s=SETTLE_S / 2)
    make(one, die_at="after submit")
    if host == "there":
        world.sleep(1000)
        with world.store.change() as state:
            state.jobs["job-000001"].visible_at = world.seconds + SETTLE_S / 2
    world.skew[host] = jump_s
    make(world.process(host))
    assert world.creates.total() == 1
    assert row(world.process(host)).remote_id == "job-000001"


@pytest.mark.parametrize("skew_s", [-600.0, 600.0])
def test_clocks_that_differ_by_ten_minutes_make_nobody_take_a_live_sender_for_dead(world, one, other, skew_s):
    world.skew["there"] = skew_s
    answers = []
    make(one, held_at="before submit", meanwhile=lambda: answers.append(make(other)))
    assert isinstance(answers[0], SubmitInDoubt)
    assert len(world.jobs()) == 1


def test_a_send_that_lies_days_ahead_of_this_clock_is_not_waited_for_until_then(world, one, other):
    world.skew["here"] = 30 * DAY_S
    make(one, die_at="before submit")
    began = world.seconds
    make(other)
    assert row(other).submit_state == "submitted"
    assert world.seconds - began < 300


@pytest.mark.parametrize("jump_s", JUMPS_S)
def test_a_second_job_is_swept_whatever_day_this_clock_shows(world, one, jump_s):
    world.faults = Faults(list_lag_s=500.0, calls=(Fault(kind="drop_reply"),))
    make(one)
    assert len(world.live()) == 2
    world.skew["here"] = jump_s
    world.sleep(1000)
    one.act(lambda: sweep(one.context.ledger, one.backend, retry=one.context.retry))
    assert [job.id for job in world.live()] == [row(one).remote_id]


@pytest.mark.parametrize("jump_s", JUMPS_S)
def test_a_file_that_was_lost_is_sent_again_whatever_day_this_clock_shows(world, one, jump_s):
    make(one)
    world.skew["here"] = jump_s
    world.state.files.clear()
    second = world.process("here")
    second.act(lambda: second.create("rice", 2e-4))
    assert second.context.ledger.job("rice").submit_state == "submitted"
