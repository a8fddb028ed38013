"""Places at an account: never more live jobs than it may have, and the others in the ledger's order."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from anytune.errors import QuotaExceeded
from anytune.ledger.queue import HEARD_S
from anytune.testing import Fault, Faults
from anytune.values import Snapshot, Status


@pytest.fixture
def narrow(memory):
    """A backend whose account has two places."""

    def made(limit=2, **options):
        backend = memory(**options)
        backend.max_concurrent = limit
        return backend

    return made


@pytest.fixture
def ended(ledger):
    def end(row, status=Status.SUCCEEDED):
        return ledger.record(row.id, Snapshot(id=ledger.job(row.id).remote_id, status=status))

    return end


def test_a_job_over_the_cap_waits_as_an_intent(claim, narrow, send, ledger):
    backend = narrow()
    rows = [send(claim(name=f"job-{number}"), backend) for number in range(3)]
    assert [row.submit_state for row in rows] == ["submitted", "submitted", "intent"]
    assert rows[2].status is Status.SUBMITTING
    assert ledger.job(rows[2].id).waiting == "one of 2 places at memory"
    assert backend.calls["jobs"] == 2


def test_a_job_that_ended_gives_its_place_to_the_next(claim, narrow, send, ended):
    backend = narrow()
    rows = [send(claim(name=f"job-{number}"), backend) for number in range(3)]
    ended(rows[0])
    sent = send(rows[2], backend)
    assert (sent.submit_state, sent.waiting) == ("submitted", "")


def test_the_first_in_the_ledger_goes_first(claim, narrow, send, ended):
    backend = narrow(limit=1)
    rows = [send(claim(name=f"job-{number}"), backend) for number in range(3)]
    ended(rows[0])
    assert send(rows[2], backend).waiting == "the one place at memory (1 before it)"
    assert send(rows[1], backend).submit_state == "submitted"


def test_one_that_nobody_waits_for_any_more_blocks_nobody(claim, narrow, send, ended, clock):
    backend = narrow(limit=1)
    rows = [send(claim(name=f"job-{number}"), backend) for number in range(3)]
    ended(rows[0])
    clock.sleep(HEARD_S + 1)
    assert send(rows[2], backend).submit_state == "submitted"


def test_one_that_is_asked_for_again_has_its_old_place(claim, narrow, send, ended, clock):
    backend = narrow(limit=1)
    rows = [send(claim(name=f"job-{number}"), backend) for number in range(3)]
    clock.sleep(HEARD_S + 1)
    send(rows[1], backend)
    ended(rows[0])
    assert send(rows[2], backend).waiting
    assert send(rows[1], backend).submit_state == "submitted"


def test_a_job_that_is_cancelled_while_it_waits_leaves_the_queue_and_is_never_sent(claim, narrow, send, ledger, ended):
    backend = narrow(limit=1)
    rows = [send(claim(name=f"job-{number}"), backend) for number in range(3)]
    ledger.request_cancel(rows[1].id)
    ended(rows[0])
    assert send(rows[2], backend).submit_state == "submitted"
    assert send(rows[1], backend).status is Status.CANCELLED
    assert backend.calls["jobs"] == 2


def test_a_rejected_job_holds_no_place(claim, narrow, send):
    backend = narrow(limit=1, faults=Faults(calls=(Fault(kind="quota"),)))
    with pytest.raises(QuotaExceeded):
        send(claim(name="refused"), backend)
    assert send(claim(name="second"), backend).submit_state == "submitted"


def test_a_job_in_doubt_holds_its_place_and_is_named(claim, narrow, send, ledger):
    backend = narrow(limit=1)
    row = claim(name="lost")
    with ledger.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE anytune_jobs SET submit_state = 'in_doubt' WHERE id = '{row.id}'")
    assert "1 in doubt: anytune reconcile" in send(claim(name="second"), backend).waiting


def test_another_account_has_places_of_its_own(claim, narrow, send):
    assert send(claim(name="a"), narrow(limit=1)).submit_state == "submitted"
    assert send(claim(name="a", account="other"), narrow(limit=1, account="other")).submit_state == "submitted"


def test_machines_of_ones_own_have_places_of_their_own(claim, narrow, send, monkeypatch):
    backend = narrow(limit=1, local=True)
    monkeypatch.setenv("ANYTUNE_HOST", "one")
    assert send(claim(name="a", host="one"), backend).submit_state == "submitted"
    assert send(claim(name="b", host="one"), backend).waiting
    monkeypatch.setenv("ANYTUNE_HOST", "two")
    assert send(claim(name="c", host="two"), backend).submit_state == "submitted"


def test_without_a_cap_what_waited_is_sent(claim, narrow, send):
    backend = narrow(limit=1)
    send(claim(name="a"), backend)
    waiting = send(claim(name="b"), backend)
    backend.max_concurrent = None
    assert send(waiting, backend).submit_state == "submitted"


def test_too_many_requests_let_the_job_wait_as_long_as_the_provider_asked(claim, memory, send, ledger, clock):
    backend = memory(faults=Faults(calls=(Fault(kind="rate_limit", retry_after=7),)))
    row = send(claim(), backend)
    assert row.submit_state == "intent"
    assert row.waiting.startswith("the provider takes no more jobs now: ")
    assert row.not_before == ledger.clock() + timedelta(seconds=7)
    clock.sleep(6)
    assert send(row, backend).waiting
    assert backend.calls["submit"] == 1
    clock.sleep(2)
    assert send(row, backend).submit_state == "submitted"
    assert backend.calls["submit"] == 2


def test_pauses_grow_where_the_provider_names_none(claim, memory, send, clock):
    backend = memory(faults=Faults(calls=(Fault(kind="rate_limit", times=3),)))
    row, pauses = claim(), []
    while (row := send(row, backend)).waiting:
        pauses.append((row.not_before - clock.now()).total_seconds())
        clock.sleep(pauses[-1] + 0.01)
    assert pauses == [10, 20, 40]


def test_after_a_week_of_refusals_the_pause_is_the_longest_one(claim, memory, send, clock, ledger):
    row = claim()
    with ledger.database.write() as connection:
        connection.exec_driver_sql("UPDATE anytune_jobs SET fence = 1100")
    row = send(row, memory(faults=Faults(calls=(Fault(kind="rate_limit"),))))
    assert (row.not_before - clock.now()).total_seconds() == 600


def test_what_the_provider_refused_one_job_the_others_of_its_account_wait_for(claim, narrow, send, clock):
    backend = narrow(limit=9, faults=Faults(calls=(Fault(kind="rate_limit", retry_after=30),)))
    send(claim(name="first"), backend)
    second = send(claim(name="second"), backend)
    assert second.waiting.startswith("the provider takes no more jobs now")
    assert backend.calls["submit"] == 1
    clock.sleep(31)
    assert send(second, backend).submit_state == "submitted"


def test_racers_never_take_more_places_than_there_are(claim, narrow, send):
    backend = narrow(limit=3)
    rows = [claim(name=f"racer-{number}") for number in range(12)]
    start = threading.Barrier(len(rows))

    def race(row):
        start.wait(30)
        return send(row, backend)

    with ThreadPoolExecutor(len(rows)) as pool:
        found = list(pool.map(race, rows))
    assert sum(row.submit_state == "submitted" for row in found) <= 3
    for row in rows:  # who was first may have been kept back by an earlier one that was not sent yet
        send(row, backend)
    assert backend.calls["jobs"] == 3
