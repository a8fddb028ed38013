"""Processes that race, and processes that are killed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from anytune.ledger import Ledger, submit
from anytune.retry import Retry
from anytune.spec import TrainingSpec, spec_hash
from anytune.testing import Fault, Faults, MemoryBackend

POINTS = ["intent", "upload", "before create", "after create", "submitted"]


def test_eight_processes_that_race_for_one_name_create_one_job(client, tmp_path, until):
    go = tmp_path / "go"
    racers = [client.start(go=str(go), number=number) for number in range(8)]
    until(lambda: len(list(tmp_path.glob("go.*"))) == 8)
    go.touch()
    results = [client.finish(racer) for racer in racers]
    assert len({result["id"] for result in results}) == 1
    assert {result["remote_id"] for result in results} == {"job-000001"}
    assert sum(result["created"] for result in results) == 1
    calls = client.provider().calls
    assert (calls["submit"], calls["upload"]) == (1, 1)


def test_threads_of_one_process_create_one_job(claim, memory, ledger):
    backend = memory(faults=Faults(calls=(Fault(kind="slow", delay_s=0.2),)))
    row = claim()
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda _: submit(ledger, backend, row, retry=Retry()), range(6)))
    assert {each.remote_id for each in rows} == {"job-000001"}
    assert backend.calls["jobs"] == 1


@pytest.mark.parametrize("point", POINTS)
def test_after_kill_9_at_any_point_the_same_script_gives_exactly_one_job(client, sound, point):
    first = client.start(stop=point)
    _until_line(first, f"at {point}")
    first.kill()
    first.wait()
    result = client.finish(client.start())
    assert result["submit_state"] == "submitted"
    assert result["created"] is False
    state = client.provider().store.read()
    assert [job.ref for job in state.jobs.values()] == [result["id"]]
    with Ledger.open() as ledger:
        sound(ledger)


def test_a_second_script_waits_for_the_one_that_sends_and_takes_over_when_it_dies(client):
    first = client.start(stop="before create")
    _until_line(first, "at before create")
    second = client.start()
    _until_line(second, "claimed")
    assert client.provider().calls.get("submit", 0) == 0
    first.kill()
    first.wait()
    assert client.finish(second)["remote_id"] == "job-000001"
    assert client.provider().calls["jobs"] == 1


def _until_line(child, wanted):
    for line in child.stdout:
        if line.strip() == wanted:
            return
    raise AssertionError(f"the program ended before {wanted!r}: {child.stderr.read()}")


@pytest.mark.parametrize("moment", ["begin", "commit"])
def test_a_process_that_dies_at_its_nth_transaction_leaves_one_job_and_a_sound_ledger(home, train, tmp_path, sound, moment):
    """Crash-point enumeration: `begin` of a transaction is the moment after the one before was committed."""
    Ledger.open().close()
    deaths = 0
    for nth in range(1, 60):
        state = tmp_path / f"provider-{nth}.json"
        child = os.fork()
        if child == 0:
            _live_until(moment, nth, state, train)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in {0, 9}
        deaths += code == 9
        with Ledger.open() as ledger:
            row = _run(ledger, state, train, key=f"job-{nth}")
            sound(ledger)
        assert row.submit_state == "submitted"
        made = MemoryBackend(state_file=state).store.read()
        assert [(job.id, job.ref) for job in made.jobs.values()] == [(row.remote_id, row.id)]
        if code == 0:
            break
    assert deaths >= 5


def _run(ledger, state, train, *, key):
    spec = TrainingSpec(backend="memory", model="m", train=train.path)
    row, _ = ledger.claim(
        backend="memory",
        account=key,
        name=key,
        profile=None,
        spec=spec,
        spec_hash=spec_hash(spec, model="m", data={"train": train.sha256}),
        model="m",
        data={"train": train},
        host=None,
    )
    return submit(ledger, MemoryBackend(state_file=state, account=key), row, retry=Retry())


def _live_until(moment, nth, state, train):
    code = 1
    try:
        with Ledger.open() as ledger:
            seen = [0]

            @event.listens_for(ledger.database.engine, moment)
            def _count(_connection):
                seen[0] += 1
                if seen[0] == nth:
                    os._exit(9)

            _run(ledger, state, train, key=f"job-{nth}")
        code = 0
    finally:
        os._exit(code)
