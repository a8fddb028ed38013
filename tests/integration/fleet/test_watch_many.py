"""Many jobs are watched by one loop, until all have ended."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from anytune import Capabilities, FineTuneJob, Status, aio, watch_many
from anytune.errors import AuthError, JobPaused, NotFound, SubmitInDoubt, WaitTimeout
from anytune.fleet import Fleet
from anytune.testing import Fault, Faults, Life, MemoryBackend

if TYPE_CHECKING:
    from tests.integration.fleet.conftest import Yard

SINGLY = Capabilities(methods=frozenset({"sft"}), tag="key", settle_s=0.0, scripted=True)


def ends(changes: Any) -> dict[str, Status]:
    return {change.job.name: change.snapshot.status for change in changes if change.snapshot.status.terminal}


@pytest.mark.parametrize("abilities", [None, SINGLY], ids=["by many", "singly"])
def test_every_job_is_given_when_it_ends(yard: Yard, abilities: Capabilities | None) -> None:
    jobs = yard.jobs(yard.backend(capabilities=abilities), 12)
    assert ends(watch_many(jobs, context=yard.context)) == {job.name: Status.SUCCEEDED for job in jobs}
    assert {job.status for job in FineTuneJob.list(context=yard.context)} == {Status.SUCCEEDED}


def test_the_changes_of_a_job_come_in_their_order_and_once(yard: Yard) -> None:
    jobs = yard.jobs(yard.backend(life=Life.of(queued=1, steps=3)), 5)
    seen: dict[str, list[tuple[Status, int | None]]] = {}
    for job, snapshot, error in watch_many(jobs, context=yard.context):
        assert error is None
        seen.setdefault(job.name, []).append((snapshot.status, snapshot.step))
    for told in seen.values():
        assert len(set(told)) == len(told)
        assert [step for _, step in told if step] == sorted(step for _, step in told if step)
        assert told[-1][0] is Status.SUCCEEDED


def test_without_jobs_all_that_have_not_ended_are_watched(yard: Yard) -> None:
    jobs = yard.jobs(yard.backend(), 4)
    jobs[0].wait()
    assert set(ends(watch_many(context=yard.context))) == {job.name for job in jobs[1:]}


def test_a_job_that_had_ended_is_given_at_once(yard: Yard) -> None:
    (job,) = yard.jobs(yard.backend(), 1)
    job.wait()
    asked = yard.slept.copy()
    assert ends(watch_many([job], context=yard.context)) == {job.name: Status.SUCCEEDED}
    assert yard.slept == asked


def test_one_request_shows_many_jobs(yard: Yard) -> None:
    backend = yard.backend(life=Life.of(steps=2))
    jobs = yard.jobs(backend, 30)
    list(watch_many(jobs, context=yard.context))
    assert backend.calls["poll_many"] < 30
    assert backend.calls.get("poll", 0) == 0


def test_the_events_and_metrics_are_whole_at_the_end(yard: Yard) -> None:
    jobs = yard.jobs(yard.backend(life=Life.of(steps=3)), 4)
    list(watch_many(jobs, context=yard.context))
    ledger = yard.fresh().ledger
    for job in jobs:
        assert ledger.events(job.id)[-1].message
        assert [metric.step for metric in ledger.metrics(job.id)] == [1, 2, 3]


def test_the_ledger_is_written_only_where_something_changed(yard: Yard) -> None:
    jobs = yard.jobs(yard.backend(life=Life(words=("running",), tick_s=1e9)), 5)
    fleet = Fleet(jobs, context=yard.context)
    while yard.now < 1000.0 + 60.0:
        fleet.step()
    rows = yard.context.ledger.rows([job.id for job in jobs])
    before = {row.id: row.observation for row in rows.values()}
    while yard.now < 1000.0 + 600.0:
        fleet.step()
    fleet.close()
    assert {row.id: row.observation for row in yard.context.ledger.rows(before).values()} == before


@pytest.mark.parametrize("kind", ["server_error", "vendor_error", "rate_limit"])
@pytest.mark.parametrize("abilities", [None, SINGLY], ids=["by many", "singly"])
def test_minutes_of_errors_end_nothing(yard: Yard, kind: Any, abilities: Capabilities | None) -> None:
    fault = Fault(kind=kind, on="poll" if abilities else "poll_many", times=40, retry_after=30.0)
    jobs = yard.jobs(yard.backend(capabilities=abilities, faults=Faults(calls=(fault,))), 5)
    changes = list(watch_many(jobs, context=yard.context))
    assert ends(changes) == {job.name: Status.SUCCEEDED for job in jobs}
    assert [change.error for change in changes if change.error] == []
    assert yard.now > 1000.0 + 60.0


def test_a_key_that_does_not_work_ends_the_watch_of_its_account_alone(yard: Yard) -> None:
    locked = yard.jobs(yard.backend(account="locked", faults=Faults(calls=(Fault(kind="auth", on="poll_many", times=99),))), 4)
    fine = yard.jobs(Other(yard), 4)
    changes = list(watch_many([*locked, *fine], context=yard.context))
    assert set(ends(changes)) == {job.name for job in fine}
    assert {change.job.name for change in changes if isinstance(change.error, AuthError)} == {job.name for job in locked}


def test_a_job_that_its_provider_does_not_know_is_told_and_the_others_go_on(yard: Yard) -> None:
    backend = yard.backend()
    jobs = yard.jobs(backend, 5)
    with backend.store.change() as state:
        del state.jobs[jobs[2].remote_id]
    changes = list(watch_many(jobs, context=yard.context))
    assert [change.job.name for change in changes if isinstance(change.error, NotFound)] == [jobs[2].name]
    assert set(ends(changes)) == {job.name for job in jobs} - {jobs[2].name}
    assert yard.context.ledger.job(jobs[2].id).status is Status.UNKNOWN


class Short(MemoryBackend):
    """A listing that never shows some jobs."""

    hidden: frozenset[str] = frozenset()

    def poll_many(self, job_ids: Any) -> Any:
        return super().poll_many([job_id for job_id in job_ids if job_id not in self.hidden])


def test_jobs_that_no_listing_shows_are_asked_for_singly_and_in_turn(yard: Yard) -> None:
    backend = Short(clock=lambda: yard.now)
    jobs = yard.jobs(backend, 26)
    backend.hidden = frozenset(str(job.remote_id) for job in jobs[:23])
    assert set(ends(watch_many(jobs, context=yard.context))) == {job.name for job in jobs}


class Other(MemoryBackend):
    """A backend of its own, so that it is not confused with the first one."""

    name = "other"

    def __init__(self, yard: Yard, **settings: Any) -> None:
        super().__init__(clock=lambda: yard.now, **settings)


class Hanging(Other):
    """A host that takes a request and never answers."""

    def __init__(self, yard: Yard) -> None:
        super().__init__(yard)
        self.free = threading.Event()

    def poll_many(self, job_ids: Any) -> Any:
        self.free.wait(30.0)
        return super().poll_many(job_ids)


def test_a_host_that_hangs_holds_up_nobody(yard: Yard) -> None:
    hanging = Hanging(yard)
    stuck, fine = yard.jobs(hanging, 4), yard.jobs(yard.backend(), 4)
    ended: dict[str, Status] = {}
    fleet = Fleet([*stuck, *fine], context=yard.context, poll_s=0.0)
    while len(ended) < len(fine):
        ended |= ends(fleet.step(0.05))
    assert set(ended) == {job.name for job in fine}
    hanging.free.set()
    while len(ended) < 8:
        ended |= ends(fleet.step(0.05))
    fleet.close()


def test_a_job_that_its_host_paused_is_told_as_wait_tells_it(yard: Yard) -> None:
    class Stopped(MemoryBackend):
        def poll_many(self, job_ids: Any) -> Any:
            seen = super().poll_many(job_ids)
            return {key: one.model_copy(update={"status": Status.PAUSED, "error": "Its time was up."}) for key, one in seen.items()}

    jobs = yard.jobs(Stopped(clock=lambda: yard.now), 3)
    assert {type(change.error) for change in watch_many(jobs, context=yard.context)} == {JobPaused}


def test_a_wish_of_another_process_is_asked_for_until_the_end_is_seen(yard: Yard) -> None:
    backend = yard.backend(life=Life.of(steps=1, end=None), faults=Faults(calls=(Fault(kind="server_error", on="cancel", times=12),)))
    jobs = yard.jobs(backend, 4)
    watching = watch_many(jobs, context=yard.context)
    next(watching)
    for row in yard.fresh().ledger.jobs():
        yard.fresh().ledger.request_cancel(row.id)
    assert ends(watching) == {job.name: Status.CANCELLED for job in jobs}


def test_a_job_over_its_budget_is_ended(yard: Yard) -> None:
    class Dear(MemoryBackend):
        def poll_many(self, job_ids: Any) -> Any:
            return {key: one.model_copy(update={"cost_usd": 3.0}) for key, one in super().poll_many(job_ids).items()}

    jobs = yard.jobs(Dear(clock=lambda: yard.now, life=Life.of(steps=1, end=None)), 4, budget={"max_usd": 2.0})
    changes = list(watch_many(jobs, context=yard.context))
    assert ends(changes) == {job.name: Status.CANCELLED for job in jobs}
    assert all("2 US dollars" in job.row.error for job in FineTuneJob.list(context=yard.context))


def test_a_job_that_was_not_sent_yet_is_sent(yard: Yard) -> None:
    backend = yard.backend(
        faults=Faults(calls=(Fault(kind="drop_reply", on="submit", skip=1, times=1), Fault(kind="server_error", on="find", times=9)))
    )
    sent = yard.jobs(backend, 1)
    with pytest.raises(Exception, match="reply was lost"):
        yard.jobs(backend, 1)
    assert ends(watch_many(context=yard.context)) == {"job-0": Status.SUCCEEDED, "job-1": Status.SUCCEEDED}
    assert backend.calls["submit"] == 2
    assert sent


def test_a_job_whose_doubt_only_a_person_ends_is_told_and_the_others_go_on(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anytune.ledger.submission.policy_for", lambda *_: "reconcile_then_ask")  # as above $10
    backend = yard.backend(faults=Faults(calls=(Fault(kind="server_error", on="submit", skip=1, times=1),)))
    yard.jobs(backend, 1)
    with pytest.raises(SubmitInDoubt):
        yard.jobs(backend, 1)
    changes = list(watch_many(context=yard.context, timeout_s=3600.0))
    assert [change.job.name for change in changes if isinstance(change.error, SubmitInDoubt)] == ["job-1"]
    assert ends(changes) == {"job-0": Status.SUCCEEDED}
    assert backend.calls["submit"] == 2


def test_a_nudge_wakes_the_watch_across_processes(yard: Yard) -> None:
    jobs = yard.jobs(yard.backend(life=Life.of(queued=1, steps=1)), 5)
    fleet = Fleet(jobs, context=yard.context, poll_s=3600.0)
    while fleet.live == 5 and yard.now < 1010.0:
        fleet.step()
    before = yard.now
    for _ in range(4):
        for job in jobs:
            yard.fresh().ledger.nudge(str(job.remote_id))
        at = yard.now
        while fleet.live and yard.now < at + 3.0:
            fleet.step()
    fleet.close()
    assert fleet.live == 0
    assert yard.now - before < 60.0


def test_patience_ends_and_the_jobs_go_on(yard: Yard) -> None:
    jobs = yard.jobs(yard.backend(life=Life.of(steps=1, end=None)), 3)
    with pytest.raises(WaitTimeout, match="3 jobs"):
        list(watch_many(jobs, context=yard.context, timeout_s=300.0))


def test_a_job_that_was_removed_from_the_ledger_is_let_go(yard: Yard) -> None:
    jobs = yard.jobs(yard.backend(life=Life.of(steps=1, end=None)), 3)
    watching = watch_many(jobs, context=yard.context)
    next(watching)
    with yard.context.ledger.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM anytune_jobs")
    assert {type(change.error) for change in watching if change.error} == {NotFound}


def test_looks_at_a_thousand_jobs_ask_once_a_second_at_most(yard: Yard) -> None:
    backend = yard.backend(life=Life(words=("queued", *("running",) * 40), tick_s=9.0))
    jobs = yard.jobs(backend, 1)
    fleet = Fleet(jobs, context=yard.context)
    account = next(iter(fleet._accounts.values()))
    assert account.pause_of_all(1000, news=True, eta_s=None) >= 10.0
    fleet.close()


def test_no_thread_stays_behind_and_there_is_none_for_each_job(yard: Yard) -> None:
    before = threading.active_count()
    most = 0
    for _ in watch_many(yard.jobs(yard.backend(), 24), context=yard.context):
        most = max(most, threading.active_count() - before)
    assert most <= 16


def test_a_coroutine_watches_many_too(yard: Yard) -> None:
    jobs = [aio.FineTuneJob(job) for job in yard.jobs(yard.backend(), 3)]

    async def scene() -> dict[str, Status]:
        return ends([change async for change in aio.watch_many(jobs, context=yard.context)])

    assert asyncio.run(scene()) == {job.name: Status.SUCCEEDED for job in jobs}
