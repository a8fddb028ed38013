"""The ledger cannot be written right after a create: the disk is full, the server is down. The next run takes the job up."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from tests.faults.worlds import rows

from anytune import FineTuneJob
from anytune.errors import LedgerError
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Fault, Faults, MemoryBackend


@pytest.fixture
def train(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    return rows(tmp_path)


def fresh():
    return Runtime(retry=Retry(sleep=lambda _: None), sleep=lambda _: None)


def create(backend, train, context):
    return FineTuneJob.create(backend=backend, model="m", train=train, name="recipes", context=context)


def fail_commits(context, when):
    """Let every commit fail from the moment on when `when` says so."""

    @event.listens_for(context.ledger.database.engine, "commit")
    def _full(_connection):
        if when():
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))


@pytest.mark.parametrize("fault", [None, "drop_reply", "vendor_error"])
def test_after_the_create_the_row_stays_as_it_was_sent_and_the_next_run_adopts_the_job(train, fault):
    faults = Faults(calls=(Fault(kind=fault),) if fault else ())
    backend, context = MemoryBackend(faults=faults), fresh()
    fail_commits(context, lambda: backend.calls.get("submit"))
    with pytest.raises(LedgerError, match="disk is full"):
        create(backend, train, context)
    (row,) = fresh().ledger.jobs()
    assert (row.submit_state, row.remote_id) == ("sending", None)
    job = create(backend.reopened(), train, fresh())
    calls = backend.calls
    assert (job.id, job.remote_id) == (row.id, "job-000001")
    assert calls["jobs"] == 1


def test_before_the_create_nothing_is_sent(train):
    backend, context = MemoryBackend(), fresh()
    fail_commits(context, lambda: backend.calls.get("file_ready"))
    with pytest.raises(LedgerError, match="disk is full"):
        create(backend, train, context)
    assert backend.calls.get("submit", 0) == 0
    job = create(backend, train, fresh())
    assert (job.row.fence, backend.calls["jobs"]) == (1, 1)


def test_a_file_whose_sending_could_not_be_written_down_is_found_again(train):
    backend, context = MemoryBackend(), fresh()
    fail_commits(context, lambda: backend.calls.get("upload"))
    with pytest.raises(LedgerError, match="disk is full"):
        create(backend, train, context)
    create(backend, train, fresh())
    assert backend.calls["upload"] == 1
