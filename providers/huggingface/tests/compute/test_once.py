"""One order is one running container, and the one that was sent: while listings lag, calls are repeated, and others write to the record."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from anytune.errors import QuotaExceeded, Rejected, Unreachable
from anytune.testing.simulators.faults import WireFault, WireFaults
from anytune.values import Status
from anytune_huggingface.compute.jobs import JobsCompute, JobsSettings
from anytune_huggingface.compute.spaces import SpaceCompute, SpaceSettings

QUICK = {"timeout": 300, "look_s": 0.3, "push_s": 0, "pace_s": 1, "quiet_s": 0.2}
SLOWLY = {"COUNT_STEP_S": "0.1"}
PROGRAMS = str(Path(__file__).parent / "programs")


@pytest.fixture(scope="module")
def jobs(hub):
    return JobsCompute(JobsSettings(flavor="cpu-basic", **QUICK))


@pytest.fixture(scope="module")
def spaces(hub):
    return SpaceCompute(SpaceSettings(flavor="cpu-upgrade", **QUICK))


@pytest.fixture
def killed(hub, jobs, order, program, watch):
    """A job whose container was killed after its first checkpoint."""
    job = jobs.submit(order(jobs, name="killed", max_steps=60), program(**SLOWLY), {})
    watch(lambda: jobs.checkpoints(job.id), bool)
    hub.crash(job.id)
    watch(lambda: jobs.poll(job.id).status, lambda status: status is Status.PAUSED)
    yield job
    hub.listing_lag_s, hub.credit = 0, True
    jobs.cancel(job.id)


def record_of(hub, job):
    return f"acme/{hub.jobs[job.id].labels['anytune_record']}"


def later_parts(hub, job):
    return [each for each in hub.jobs.values() if each.labels.get("anytune_first") == job.id]


def change_order(hub, job, **program):
    files = hub.store.get("model", record_of(hub, job)).files()
    content = json.loads(files["anytune/order.json"])
    content["program"] |= program
    hub.add("model", record_of(hub, job), files | {"anytune/order.json": json.dumps(content)})


def test_of_two_jobs_of_one_order_the_extra_is_ended_alone(hub, jobs, order, program, watch):
    ordered = order(jobs, name="two", max_steps=500)
    extra, adopted = (jobs.submit(ordered, program(**SLOWLY), {}) for _ in range(2))
    watch(lambda: jobs.poll(adopted.id).step, bool)
    jobs.cancel(extra.id)
    assert hub.jobs[extra.id].stage == "CANCELED"
    held = jobs.poll(adopted.id).step
    watch(lambda: jobs.poll(adopted.id).step, lambda step: (step or 0) > held + 10)
    assert jobs.poll(adopted.id).status is Status.RUNNING
    jobs.cancel(adopted.id)
    assert jobs.poll(adopted.id).status is Status.CANCELLED


def test_a_paused_job_outlives_the_end_of_the_extra_that_runs_beside_it(hub, jobs, order, program, watch):
    ordered = order(jobs, name="outlives", max_steps=500)
    adopted = jobs.submit(ordered, program(**SLOWLY), {})
    watch(lambda: jobs.checkpoints(adopted.id), bool)
    hub.crash(adopted.id)
    watch(lambda: jobs.poll(adopted.id).status, lambda status: status is Status.PAUSED)
    extra = jobs.submit(ordered, program(**SLOWLY), {})
    watch(lambda: jobs.poll(extra.id).status, lambda status: status is Status.RUNNING)
    jobs.cancel(extra.id)
    assert hub.jobs[extra.id].stage == "CANCELED"
    assert jobs.poll(adopted.id).status is Status.PAUSED
    jobs.cancel(adopted.id)
    assert jobs.poll(adopted.id).status is Status.CANCELLED


def test_a_part_that_is_not_listed_yet_is_not_ordered_again(hub, jobs, killed):
    hub.listing_lag_s = 3600
    jobs.resume(killed.id)
    with pytest.raises(Unreachable, match="is not listed yet"):
        jobs.resume(killed.id)
    assert len(later_parts(hub, killed)) == 1


def test_a_lost_reply_to_a_further_part_orders_no_second_one(hub, jobs, killed):
    route = "POST /api/jobs/{namespace}"
    hub.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=route, skip=hub.count(route)),))
    with pytest.raises(Unreachable):
        jobs.resume(killed.id)
    hub.faults = WireFaults()
    jobs.resume(killed.id)
    assert len(later_parts(hub, killed)) == 1


def test_a_part_that_was_refused_may_be_ordered_at_once(hub, jobs, killed):
    hub.credit = False
    with pytest.raises(QuotaExceeded):
        jobs.resume(killed.id)
    hub.credit = True
    jobs.resume(killed.id)
    assert len(later_parts(hub, killed)) == 1


def test_a_changed_order_is_not_resumed(hub, jobs, killed):
    change_order(hub, killed, module="another_program")
    with pytest.raises(Rejected, match="not the one that was sent"):
        jobs.resume(killed.id)
    assert later_parts(hub, killed) == []


def test_a_changed_order_is_not_run(hub, jobs, order, program, watch):
    hub.scheduling_s, before = 2.0, hub.scheduling_s
    try:
        job = jobs.submit(order(jobs, name="changed", max_steps=2), program(), {})
        change_order(hub, job, module="another_program", environment={"PYTHONPATH": "checkpoints/checkpoint-1"})
        last = watch(lambda: jobs.poll(job.id), lambda seen: seen.status.terminal)
    finally:
        hub.scheduling_s = before
    assert last.status is Status.FAILED
    assert "is not the one that was sent" in last.error
    assert "another_program" not in "\n".join(line.text for line in hub.jobs[job.id].log.lines)


def test_a_container_that_is_killed_before_its_first_checkpoint_starts_again(hub, jobs, order, program, watch):
    job = jobs.submit(order(jobs, name="early", max_steps=30, save_steps=30), program(**SLOWLY), {})
    watch(lambda: jobs.poll(job.id).step, bool)
    hub.crash(job.id)
    held = watch(lambda: jobs.poll(job.id), lambda seen: seen.status is not Status.RUNNING)
    assert (held.status, held.error.rpartition(" goes on ")[2]) == (Status.PAUSED, "from the start.")
    jobs.resume(job.id)
    watch(lambda: jobs.poll(job.id).status, lambda status: status is Status.SUCCEEDED)


def test_a_space_that_finishes_while_it_is_looked_at_succeeded(hub, spaces, order, program, watch):
    job = spaces.submit(order(spaces, name="race", max_steps=30), program(PYTHONPATH=PROGRAMS, **SLOWLY), {})
    watch(lambda: spaces.poll(job.id).step, bool)
    route = "GET /api/spaces/{repo}/runtime"
    hub.faults = WireFaults(calls=(WireFault(kind="slow", on=route, skip=hub.count(route), delay_s=6),))
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, hub, "faults", WireFaults())
        seen = spaces.poll(job.id)
    assert seen.status in {Status.RUNNING, Status.SUCCEEDED}
    watch(lambda: spaces.poll(job.id).status, lambda status: status is Status.SUCCEEDED)


def test_data_that_was_made_public_since_keeps_a_space_from_being_made(hub, spaces, order, program):
    ordered = order(spaces, name="exposed")
    repo, count = hub.store.get("dataset", "acme/anytune-data"), len(hub.spaces)
    repo.private = False
    try:
        with pytest.raises(Rejected, match="public"):
            spaces.submit(ordered, program(), {})
    finally:
        repo.private = True
    assert len(hub.spaces) == count


def test_a_job_that_is_resumed_while_its_container_ends_goes_on(hub, jobs, order, program, watch):
    job = jobs.submit(order(jobs, name="ending", max_steps=500, save_steps=500), program(**SLOWLY), {})
    watch(lambda: jobs.poll(job.id).step, bool)
    jobs.pause(job.id)
    watch(lambda: hub.store.get("model", record_of(hub, job)).files()["anytune/state.json"], lambda state: b'"paused"' in state)
    jobs.resume(job.id)
    assert len(later_parts(hub, job)) == 1
    watch(lambda: jobs.poll(job.id), lambda seen: seen.status is Status.RUNNING and seen.raw["part"] == 2)
    jobs.cancel(job.id)
