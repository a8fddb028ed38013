"""What holds of a ledger on PostgreSQL: a server that is away, commits whose fate is not known, and processes that meet in it."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text
from tests.postgres import or_skip

from anytune import FineTuneJob
from anytune.errors import AnytuneError, LedgerAway, LedgerError, Transient
from anytune.ledger import Ledger
from anytune.ledger.engine import alone, open_database
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Life, MemoryBackend
from anytune.values import Event, Metric, Snapshot, Status

pytestmark = [pytest.mark.parametrize("database", ["postgresql"], indirect=True), pytest.mark.usefixtures("home")]


@pytest.fixture(scope="module")
def frail():
    """A server that may be stopped: nobody else uses it."""
    with or_skip() as server:
        yield server


@pytest.fixture
def frail_ledger(frail, clock):
    with frail.ledger() as url, Ledger.open(url, clock=clock.now) as opened:
        yield opened


def cut(ledger, nth, *, committed):
    """Break the connection at the nth commit that writes: after the server took it, or before; its answer never comes."""
    seen = [0]

    @event.listens_for(ledger.database.engine, "commit")
    def _cut(connection):
        if "anytune_write" in connection.get_execution_options():
            seen[0] += 1
            if seen[0] == nth:
                raw = connection.connection.dbapi_connection
                if committed:
                    raw.commit()
                raw.close()

    return seen


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_is_down_is_away_and_the_same_ledger_works_once_it_is_back(frail, frail_ledger, mode):
    frail.stop(mode)
    try:
        with pytest.raises(LedgerAway, match=r"cannot be used at the moment.*run the same command again") as away:
            frail_ledger.jobs()
        with pytest.raises(LedgerAway, match="Connection refused"):
            frail_ledger.jobs()
        assert isinstance(away.value, Transient)
        with pytest.raises(LedgerAway, match="Connection refused"):
            Ledger.open(frail_ledger.database.engine.url.render_as_string(hide_password=False))
    finally:
        frail.start()
    assert frail_ledger.jobs() == []


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_goes_away_in_a_transaction_undoes_it(frail, frail_ledger, mode):
    def interrupted():
        with frail_ledger.database.write() as connection:
            connection.execute(text("INSERT INTO anytune_facts VALUES ('half', 'written')"))
            frail.stop(mode)

    try:
        with pytest.raises(LedgerAway):
            interrupted()
    finally:
        frail.start()
    with frail_ledger.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM anytune_facts WHERE key = 'half'")).scalar() == 0


def test_a_wait_outlasts_the_absence_of_the_database(frail, tmp_path, train):
    with frail.ledger() as url:
        context = Runtime(ledger_url=url, retry=Retry(sleep=lambda _: None))
        backend = MemoryBackend(life=Life(words=("queued", "running", "running", "succeeded")))
        job = FineTuneJob.create(backend=backend, model="m", train=train.path, name="recipes", context=context)
        looks = []

        def sleep(_seconds):
            looks.append(job.status)
            if len(looks) == 1:
                frail.stop("immediate")
            if len(looks) == 4:
                frail.start()

        context.sleep = sleep
        assert job.wait(poll_s=0.01).id
        assert len(looks) > 4
        context.ledger.close()


@pytest.mark.parametrize(
    ("change", "meaning"),
    [
        (lambda url: url.replace("owner:", "owner:wrong"), r"does not let this user in.*PGPASSFILE"),
        (lambda url: url.replace("owner:", "nobody:"), r"does not let this user in"),
        (lambda url: url.rsplit("/", 1)[0] + "/nothing", r"no such database.*createdb"),
    ],
    ids=["password", "user", "database"],
)
def test_what_time_does_not_mend_is_not_called_away(postgres_ledger, change, meaning):
    with pytest.raises(LedgerError, match=meaning) as refused:
        Ledger.open(change(postgres_ledger))
    assert not isinstance(refused.value, LedgerAway)


def test_a_ledger_that_may_only_be_read_says_which_server_may_be_written(postgres_ledger, claim):
    with Ledger.open(f"{postgres_ledger}?options=-c%20default_transaction_read_only%3Don") as ledger:
        assert ledger.jobs() == []
        with pytest.raises(LedgerError, match=r"may not be written.*target_session_attrs=read-write") as refused:
            ledger.forget_remote_file("memory", "default", "0" * 64)
    assert not isinstance(refused.value, LedgerAway)


@pytest.mark.parametrize("place", ["postgresql://me:hunter2@127.0.0.1:1/none", "postgresql://127.0.0.1:1/none?user=me&password=hunter2"])
def test_a_password_in_the_url_is_shown_nowhere(place):
    database = open_database(place)
    with pytest.raises(LedgerAway) as away, database.read():
        pass
    told = f"{database.place} {away.value} {away.value!r} {away.value.__cause__} {away.value.__dict__}"
    assert "hunter2" not in told


@pytest.mark.parametrize(("command", "code"), [(["jobs", "list"], 5), (["doctor"], 1)], ids=["jobs list", "doctor"])
def test_the_command_line_says_that_the_database_is_away_and_keeps_the_password(monkeypatch, command, code):
    monkeypatch.setenv("ANYTUNE_LEDGER", "postgresql://me:hunter2@127.0.0.1:1/none")
    told = subprocess.run([Path(sys.executable).with_name("anytune"), *command], capture_output=True, text=True, check=False)
    said = told.stdout + told.stderr
    assert told.returncode == code
    assert "cannot be used at the" in said
    assert "Traceback" not in said
    assert "hunter2" not in said


@pytest.mark.parametrize("committed", [True, False], ids=["taken", "not taken"])
def test_a_commit_whose_fate_is_not_known_makes_no_second_job_wherever_it_happens(home, ledger, claim, memory, send, committed):
    fates = []
    for nth in range(1, 40):
        backend = memory(account=f"account-{nth}")
        with Ledger.open(clock=ledger.clock) as broken:
            seen = cut(broken, nth, committed=committed)
            ledger.database, whole = broken.database, ledger.database
            try:
                row = send(claim(name=f"job-{nth}", account=f"account-{nth}"), backend)
            except LedgerAway:
                ledger.database = whole
                row = send(claim(name=f"job-{nth}", account=f"account-{nth}"), backend)
                fates.append(nth)
            finally:
                ledger.database = whole
        assert (row.submit_state, backend.calls["jobs"], backend.calls["upload"]) == ("submitted", 1, 1)
        assert [job.ref for job in backend.store.read().jobs.values()] == [row.id]
        if seen[0] < nth:
            break
    assert len(fates) >= 4


def test_a_created_job_is_written_down_although_the_database_is_away_for_a_moment(ledger, claim, memory, send):
    row = claim()

    class Cutting(MemoryBackend):
        def submit(self, order):
            made = super().submit(order)
            cut(ledger, 1, committed=False)
            return made

    backend = memory(cls=Cutting)
    assert send(row, backend).remote_id == "job-000001"
    assert backend.calls.get("find", 0) == 0


def test_watchers_of_one_job_keep_each_event_and_metric_once(ledger, claim, clock):
    row = claim()
    events = [Event(id=f"e-{number}", at=clock.now(), level="info", message=f"step {number}") for number in range(40)]
    metrics = [Metric(step=number, at=clock.now(), values={"loss": 1.0}) for number in range(40)]

    def watch(number):
        for end in range(1, 41):
            ledger.add_events(row.id, events[:end])
            ledger.add_metrics(row.id, metrics[:end])
            ledger.record(row.id, Snapshot(id="r", status=Status.RUNNING))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(watch, range(4)))
    assert [each.id for each in ledger.events(row.id)] == [each.id for each in events]
    assert [each.step for each in ledger.metrics(row.id)] == list(range(40))


def test_whoever_attaches_the_same_job_at_once_gets_one_row(ledger):
    key = {"backend": "memory", "account": "default", "profile": None, "remote_id": "job-9", "name": "old", "host": None}
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda _: ledger.attach(**key, snapshot=Snapshot(id="job-9", status=Status.RUNNING)), range(6)))
    assert len({row.id for row in rows}) == 1


def test_what_one_counts_stays_true_until_it_commits(ledger):
    def add():
        with ledger.database.write() as connection:
            alone(connection, "places")
            taken = connection.execute(text("SELECT count(*) FROM anytune_facts WHERE key LIKE 'place-%'")).scalar()
            if taken < 3:
                connection.execute(text("INSERT INTO anytune_facts VALUES (:key, '')"), {"key": f"place-{threading.get_ident()}-{taken}"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: add(), range(24)))
    with ledger.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM anytune_facts WHERE key LIKE 'place-%'")).scalar() == 3


def test_no_more_jobs_are_sent_than_an_account_may_have_whoever_sends_them(ledger, claim, memory):
    from anytune.ledger import submit

    backend = memory()
    backend.max_concurrent = 2
    rows = [claim(name=f"job-{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda row: submit(ledger, backend, row, retry=Retry()), rows))
    assert backend.calls["jobs"] == 2
    assert sorted(row.submit_state for row in ledger.jobs()) == ["intent"] * 6 + ["submitted"] * 2


def test_a_deadlock_ends_one_of_both_with_an_error_that_passes(ledger, claim):
    rows = [claim(name="a").id, claim(name="b").id]
    both = threading.Barrier(2)
    errors = []

    def lock(first, second):
        try:
            with ledger.database.write() as connection:
                connection.execute(text("SELECT 1 FROM anytune_jobs WHERE id = :id FOR UPDATE"), {"id": first})
                both.wait(10)
                connection.execute(text("SELECT 1 FROM anytune_jobs WHERE id = :id FOR UPDATE"), {"id": second})
        except AnytuneError as error:
            errors.append(error)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lock, rows, reversed(rows)))
    assert [type(error) for error in errors] == [LedgerAway]


def test_a_process_that_was_stopped_in_a_transaction_gives_its_rows_back(postgres_ledger, ledger, claim):
    row = claim()
    with Ledger.open(f"{postgres_ledger}?options=-c%20idle_in_transaction_session_timeout%3D200ms") as stopped:

        def held():
            with stopped.database.write() as connection:
                connection.execute(text("SELECT 1 FROM anytune_jobs WHERE id = :id FOR UPDATE"), {"id": row.id})
                assert ledger.record(row.id, Snapshot(id="r", status=Status.RUNNING)).status is Status.RUNNING
                connection.execute(text("UPDATE anytune_jobs SET status = 'queued' WHERE id = :id"), {"id": row.id})

        with pytest.raises(LedgerAway):
            held()
    assert ledger.job(row.id).status is Status.RUNNING


def test_sessions_have_limits_where_nobody_set_any(ledger, postgres_ledger):
    with ledger.database.read() as connection:
        limits = [connection.execute(text(f"SHOW {name}")).scalar() for name in ("lock_timeout", "statement_timeout")]
        assert limits == ["30s", "1min"]
    with Ledger.open(f"{postgres_ledger}?options=-c%20lock_timeout%3D5s") as other, other.database.read() as connection:
        assert connection.execute(text("SHOW lock_timeout")).scalar() == "5s"


def test_a_read_sees_one_state_of_the_ledger(ledger, claim):
    claim(name="before")
    with ledger.database.read() as connection:
        count = text("SELECT count(*) FROM anytune_jobs")
        assert connection.execute(count).scalar() == 1
        claim(name="meanwhile")
        assert connection.execute(count).scalar() == 1


def test_the_minutes_of_a_job_are_not_known_where_the_clocks_of_two_hosts_differ_by_more(ledger, claim, clock):
    row = claim()
    with Ledger.open(clock=lambda: clock.now() + timedelta(minutes=10)) as ahead:
        ahead.record(row.id, Snapshot(id="r", status=Status.RUNNING))
    assert ledger.record(row.id, Snapshot(id="r", status=Status.SUCCEEDED)).actual.minutes is None
