"""`submitting → queued → running ⇄ paused → succeeded | failed | cancelled`, and what is reported late, twice or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune.ledger import following
from anytune.values import ModelRef, Snapshot, Status

statuses = st.sampled_from(list(Status))


@given(st.sampled_from([Status.SUCCEEDED, Status.FAILED, Status.CANCELLED]), st.lists(statuses))
def test_an_ended_job_stays_as_it_ended_whatever_is_observed_later(end, observed):
    status = end
    for each in observed:
        status = following(status, each)
    assert status is end


@given(statuses.filter(lambda status: not status.terminal), statuses)
def test_an_end_is_always_taken(current, observed):
    if observed.terminal:
        assert following(current, observed) is observed


@given(statuses)
def test_unknown_gives_way_to_anything(observed):
    assert following(Status.UNKNOWN, observed) is observed


@given(statuses)
def test_unknown_replaces_what_has_not_ended(current):
    assert following(current, Status.UNKNOWN) is (current if current.terminal else Status.UNKNOWN)


@pytest.mark.parametrize(
    ("current", "observed"),
    [(Status.RUNNING, Status.QUEUED), (Status.QUEUED, Status.SUBMITTING), (Status.PAUSED, Status.SUBMITTING)],
)
def test_a_late_reply_moves_nothing_back(current, observed):
    assert following(current, observed) is current


@pytest.mark.parametrize(
    ("current", "observed"),
    [(Status.RUNNING, Status.PAUSED), (Status.PAUSED, Status.RUNNING), (Status.PAUSED, Status.QUEUED)],
)
def test_a_job_pauses_and_goes_on(current, observed):
    assert following(current, observed) is observed


def test_the_ledger_keeps_the_first_end_and_its_time(ledger, claim, clock):
    row = claim()
    ledger.record(row.id, Snapshot(id="r", status=Status.RUNNING))
    clock.sleep(60)
    ended = ledger.record(row.id, Snapshot(id="r", status=Status.SUCCEEDED, model=ModelRef(id="m-1")))
    clock.sleep(60)
    later = ledger.record(row.id, Snapshot(id="r", status=Status.FAILED, error="late and wrong"))
    assert (later.status, later.ended_at, later.error) == (Status.SUCCEEDED, ended.ended_at, "")
    assert later.model_ref == {"id": "m-1", "base_model": None, "artifacts": {}, "missing": []}


def test_a_model_whose_files_went_missing_is_noted_after_the_end(ledger, claim):
    row = claim()
    ledger.record(row.id, Snapshot(id="r", status=Status.SUCCEEDED, model=ModelRef(id="m-1")))
    again = ledger.record(row.id, Snapshot(id="r", status=Status.SUCCEEDED, model=ModelRef(id="m-1", missing=("merged",))))
    assert again.model_ref["missing"] == ["merged"]


def test_a_snapshot_says_the_same_status_as_its_row(ledger, claim):
    row = claim()
    ledger.record(row.id, Snapshot(id="r", status=Status.RUNNING))
    late = ledger.record(row.id, Snapshot(id="r", status=Status.QUEUED))
    assert Snapshot.model_validate(late.snapshot).status is late.status is Status.RUNNING


def test_a_key_that_a_provider_echoes_is_not_kept(ledger, claim, kept):
    row = claim()
    key = "sk-proj-abcdefgh12345678"
    ledger.record(row.id, Snapshot(id="r", status=Status.FAILED, error=f"bad key {key}", raw={"error": {"message": [key]}}))
    assert key.encode() not in kept(ledger)
