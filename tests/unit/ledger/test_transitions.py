"""The submit states as compare-and-set: whoever is late changes nothing."""

from __future__ import annotations

import pytest

from anytune.backend import RemoteJob
from anytune.errors import SubmitInDoubt
from anytune.ledger import transitions
from anytune.ledger.sender import Sender, liveness, sending


@pytest.fixture
def write(ledger, clock):
    def moved(move, *arguments):
        with ledger.database.write() as connection:
            return move(connection, *arguments, now=clock.now())

    return moved


@pytest.fixture
def me(clock):
    with sending(clock.monotonic) as sender:
        yield sender


def elsewhere(sender: Sender, **changes) -> Sender:
    return sender.model_copy(update={"host": "another-box"} | changes)


def test_only_one_of_two_senders_gets_the_right(claim, write, me):
    row = claim()
    assert write(transitions.start, row, me).submit_state == "sending"
    assert write(transitions.start, row, me) is None


@pytest.mark.parametrize("state", ["sending", "in_doubt", "submitted", "rejected"])
def test_only_an_intent_is_sent(claim, write, me, ledger, state):
    row = claim()
    with ledger.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE anytune_jobs SET submit_state='{state}'")
    assert write(transitions.start, row, me) is None


def test_an_intent_that_was_claimed_with_another_spec_meanwhile_is_not_sent(claim, write, me):
    row = claim()
    assert write(transitions.start, row.model_copy(update={"spec_hash": "1:old"}), me) is None


def test_a_job_whose_end_was_asked_for_is_not_sent(claim, write, me, ledger):
    row = claim()
    with ledger.database.write() as connection:
        connection.exec_driver_sql("UPDATE anytune_jobs SET cancel_requested=true")
    assert write(transitions.start, row, me) is None


@pytest.mark.parametrize("verb", ["doubt", "reject", "release"])
def test_a_sender_of_an_earlier_send_changes_nothing(claim, write, me, ledger, verb):
    first = write(transitions.start, claim(), me)
    write(transitions.release, first)
    second = write(transitions.start, ledger.job(first.id), me)
    late = [] if verb == "release" else ["late"]
    assert write(getattr(transitions, verb), first, *late) is None
    assert ledger.job(first.id) == second


def test_a_reply_to_an_earlier_send_is_not_taken_while_another_is_under_way(claim, write, me, ledger):
    first = write(transitions.start, claim(), me)
    write(transitions.release, first)
    write(transitions.start, ledger.job(first.id), me)
    assert write(transitions.take, first, RemoteJob(id="late")) is None


def test_a_late_reply_is_taken_where_nobody_sent_again(claim, write, me):
    first = write(transitions.start, claim(), me)
    write(transitions.release, first)
    assert write(transitions.take, first, RemoteJob(id="late")).remote_id == "late"


def test_a_process_is_alive_for_as_long_as_it_sends(clock):
    with sending(clock.monotonic) as sender:
        assert liveness(sender) == "alive"
    assert liveness(sender) == "dead"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"host": "another-box"}, "unknown"),
        ({"namespace": "pid:[1]"}, "unknown"),
        ({"boot_id": "before"}, "dead"),
        ({"started": "0"}, "dead"),
        ({"pid": 2**22 + 1}, "dead"),
    ],
)
def test_a_pid_alone_is_no_proof_of_life(me, changes, state):
    assert liveness(me.model_copy(update=changes)) == state


def test_a_sender_on_another_machine_is_trusted_for_fifteen_minutes(claim, write, me, memory, send, clock):
    row = write(transitions.start, claim(), elsewhere(me))
    with pytest.raises(SubmitInDoubt, match="another-box"):
        send(row, memory(), wait_s=600)
    clock.sleep(400)
    assert send(row, memory()).submit_state == "submitted"
