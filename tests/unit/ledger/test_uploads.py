"""The same bytes go up once, and only the bytes that were checked."""

from __future__ import annotations

import pytest

from anytune.errors import DataError, Rejected
from anytune.testing import Fault, Faults


def test_the_same_bytes_go_up_once_for_all_jobs_of_an_account(claim, memory, send):
    backend = memory()
    send(claim(name="one"), backend)
    send(claim(name="two"), backend)
    assert backend.calls["upload"] == 1


def test_another_account_gets_its_own_upload(claim, memory, send):
    for account in ("one", "two"):
        backend = memory(account=account)
        send(claim(account=account), backend)
        assert backend.calls["upload"] == 1


def test_a_file_that_the_provider_lost_goes_up_again_on_the_next_run(claim, memory, send):
    backend = memory()
    send(claim(name="one"), backend)
    with backend.store.change() as state:
        state.files.clear()
    with pytest.raises(Rejected, match="No such file"):
        send(claim(name="two"), backend)
    assert send(claim(name="two"), backend).submit_state == "submitted"
    assert backend.calls["upload"] == 2


def test_bytes_that_changed_after_the_check_are_not_sent(claim, memory, send, train):
    backend = memory()
    row = claim()
    train.path.write_bytes(b"changed\n")
    with pytest.raises(DataError, match="changed after it was checked"):
        send(row, backend)
    assert backend.calls.get("upload", 0) == backend.calls.get("submit", 0) == 0


def test_an_upload_that_breaks_leaves_the_intent_for_the_next_run(claim, memory, send, ledger):
    backend = memory(faults=Faults(calls=(Fault(kind="server_error", on="upload", times=5),)))
    row = claim()
    with pytest.raises(Exception, match="503"):
        send(row, backend)
    assert ledger.job(row.id).submit_state == "intent"
    assert send(row, backend).submit_state == "submitted"


def test_a_file_that_arrives_between_the_look_and_the_right_to_send_is_not_sent_again(claim, memory, send, ledger, train, monkeypatch):
    backend = memory()
    send(claim(name="one"), backend)
    look = ledger.remote_file
    answers = iter([None])
    monkeypatch.setattr(ledger, "remote_file", lambda *key: next(answers, look(*key)))
    send(claim(name="two"), backend)
    assert backend.calls["upload"] == 1
