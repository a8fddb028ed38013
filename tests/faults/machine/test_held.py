"""A process that is stopped at a named point and wakes up late, after another one has acted on its job (row 8: leases and fences)."""

from __future__ import annotations

import pytest

from anytune.errors import AnytuneError, SubmitInDoubt
from anytune.ledger import sweep
from anytune.testing import Fault, Faults
from anytune.values import Status

NEVER_S = 10_000.0


def make(process, name="basil", **options):
    return process.act(lambda: process.create(name, 1e-4, new_attempt=options.pop("new_attempt", False)), **options)


def look(process, name="basil", **options):
    return process.act(lambda: process.get(name).refresh(), **options)


def row(process, name="basil"):
    return process.context.ledger.job(name)


def began_to_send(process):
    """Give the point at which the ledger says that the job is being sent, and nothing was sent yet."""
    return lambda point: point == "after write" and row(process).submit_state == "sending"


def takes_over(world, other, after_s=1000.0):
    """Let the other host find the first one's send old enough to be dead, and do the same."""

    def meanwhile():
        world.sleep(after_s)
        make(other)

    return meanwhile


def test_one_that_is_stopped_before_its_create_finds_itself_replaced_and_sends_nothing(world, one, other):
    make(one, held_at=began_to_send(one), meanwhile=takes_over(world, other))
    assert [job.ref for job in world.live()] == [row(other).id]
    assert sum(world.creates.values()) == 1
    assert row(one).fence == 2


def test_one_that_is_stopped_within_its_create_cancels_what_it_made_when_it_wakes(world, one, other):
    make(one, held_at="before submit", meanwhile=takes_over(world, other))
    assert [job.id for job in world.live()] == [row(other).remote_id]
    assert len(world.jobs()) == 2


def test_one_that_dies_after_that_leaves_its_job_to_the_sweep(world, one, other):
    def meanwhile():
        takes_over(world, other)()
        one.at_next("after submit")

    make(one, held_at="before submit", meanwhile=meanwhile)
    assert one.dead
    assert len(world.live()) == 2
    look(other)
    assert [job.id for job in world.live()] == [row(other).remote_id]


def test_one_that_is_stopped_between_the_reply_and_the_ledger_finds_its_job_adopted(world, one, other):
    make(one, held_at="after submit", meanwhile=takes_over(world, other))
    assert len(world.jobs()) == 1
    assert row(other).remote_id == "job-000001"


def test_one_that_wakes_after_its_job_was_cancelled_unseen_ends_what_it_made(world, one, other):
    def meanwhile():
        world.faults = Faults(list_lag_s=NEVER_S)
        other.act(lambda: other.get("basil").cancel())
        world.sleep(1000.0)
        look(other)
        assert row(other).status is Status.CANCELLED

    make(one, held_at="before submit", meanwhile=meanwhile)
    assert world.live() == []
    assert (row(other).status, row(other).remote_id) == (Status.CANCELLED, None)


def test_one_that_wakes_after_its_job_was_rejected_elsewhere_ends_what_it_made(world, one, other):
    def meanwhile():
        world.faults = Faults(list_lag_s=NEVER_S, calls=(Fault(kind="reject", skip=0),))
        world.sleep(1000.0)
        make(other)
        assert row(other).submit_state == "rejected"

    make(one, held_at="before submit", meanwhile=meanwhile)
    assert world.live() == []
    assert (row(other).status, row(other).remote_id) == (Status.FAILED, None)


def test_a_refusal_that_comes_late_does_not_overwrite_a_cancel(world, one, other):
    world.faults = Faults(calls=(Fault(kind="auth", on="upload"),))
    answer = make(one, held_at="before upload", meanwhile=lambda: other.act(lambda: other.get("basil").cancel()))
    assert isinstance(answer, AnytuneError)
    assert row(other).status is Status.CANCELLED


def test_a_cancel_while_a_job_is_being_sent_ends_it(world, one, other):
    make(one, held_at="before submit", meanwhile=lambda: other.act(lambda: other.get("basil").cancel()))
    assert world.live() == []
    look(one)
    assert row(one).status is Status.CANCELLED


def test_a_look_that_was_written_down_late_does_not_undo_a_later_one(world, one, other):
    make(one)
    world.sleep(150)
    look(one)

    def meanwhile():
        other.act(lambda: other.get("basil").pause())
        assert row(other).status is Status.PAUSED

    look(one, held_at="before write", meanwhile=meanwhile)
    assert row(one).status is Status.PAUSED


def test_an_end_that_was_seen_is_written_down_however_late(world, one, other):
    make(one)
    with world.store.change() as state:
        state.jobs["job-000001"].cancelled = True
    look(one, held_at="before write", meanwhile=lambda: look(other))
    assert row(one).status is Status.CANCELLED


def test_a_live_sender_on_this_machine_is_waited_for_however_long_it_takes(world, one):
    second = world.process("here")
    answers = []

    def meanwhile():
        world.sleep(NEVER_S)
        answers.append(make(second))

    make(one, held_at="before submit", meanwhile=meanwhile)
    assert isinstance(answers[0], SubmitInDoubt)
    assert len(world.jobs()) == 1


def test_a_send_from_before_a_restart_of_its_machine_is_in_doubt_at_once(world, one, monkeypatch):
    make(one, die_at="after submit")
    world.jobs()
    second = world.process("here")
    monkeypatch.setattr("anytune.ledger.sender._boot_id", lambda: "the next boot")
    began = world.seconds
    make(second)
    assert row(second).remote_id == "job-000001"
    assert world.seconds - began < 60
    assert len(world.jobs()) == 1


@pytest.mark.parametrize("point", ["before upload", "after upload", "before find_file"])
def test_a_file_whose_sender_died_with_its_machine_is_sent_by_another(world, one, other, point):
    make(one, die_at=point)
    world.sleep(4000)
    make(other)
    assert row(other).submit_state == "submitted"


def test_one_row_with_a_strangers_copy_of_its_tag_does_not_keep_the_others_from_being_swept(world, one):
    world.faults = Faults(list_lag_s=NEVER_S, calls=(Fault(kind="drop_reply"),))
    make(one, "basil")
    make(one, "rice")
    world.plant("theirs", ref=row(one, "rice").id, spec_hash="1:" + "f" * 64, ledger=world.uuid)
    assert len(world.live()) == 3
    world.faults = Faults()
    world.sleep(NEVER_S)
    one.act(lambda: sweep(one.context.ledger, one.backend, retry=one.context.retry))
    assert len(world.live()) == 2
    assert world.complaints == []


def test_a_job_that_shall_end_is_not_asked_about_once_it_is_shown_to_be_absent(world, one, monkeypatch):
    monkeypatch.setattr("anytune.ledger.submission.policy_for", lambda row, backend: "reconcile_then_ask")
    world.faults = Faults(calls=(Fault(kind="server_error"),))
    assert isinstance(make(one), SubmitInDoubt)
    one.act(lambda: one.get("basil").cancel())
    look(one)
    assert row(one).status is Status.CANCELLED
    assert world.jobs() == {}


def test_a_second_job_that_comes_late_after_a_rejection_is_swept(world, one):
    world.faults = Faults(calls=(Fault(kind="late_commit", delay_s=500), Fault(kind="reject", skip=1)))
    make(one)
    assert row(one).submit_state == "rejected"
    world.sleep(1000)
    assert len(world.live()) == 1
    one.act(lambda: sweep(one.context.ledger, one.backend, retry=one.context.retry))
    assert world.live() == []
