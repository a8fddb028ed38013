"""One job and one file, whatever becomes of the replies: through the real ledger, over real HTTP, with the writes counted.

Three kinds of resources: one that keeps metadata, one as it was seen, and one whose jobs show nothing of ours before they have succeeded.
"""

from __future__ import annotations

import time

import pytest

from anytune.errors import SubmitInDoubt
from anytune.testing import WireFault, WireFaults

CREATE, UPLOAD, LIST = "POST /fine_tuning/jobs", "POST /files", "GET /fine_tuning/jobs"


@pytest.fixture(params=["spec", "as_observed", "hiding"])
def bench(request, bench_of):
    return bench_of("as_observed", shows_suffix=False) if request.param == "hiding" else bench_of(request.param)


def test_a_job_waits_for_its_file_and_is_made_by_one_post(bench):
    job = bench.create()
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert (bench.sim.count(CREATE), bench.sim.count(UPLOAD)) == (1, 1)


@pytest.mark.parametrize(("kind", "more"), [("drop_reply", {}), ("html", {}), ("truncated", {}), ("truncated", {"cut_at": 1})], ids=str)
def test_a_reply_that_was_lost_is_answered_by_looking(bench, kind, more):
    bench.break_call(kind, **more)
    job = bench.create()
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 1


@pytest.mark.parametrize(("kind", "more"), [("drop", {}), ("error", {"status": 500}), ("error", {"status": 409})], ids=str)
def test_a_create_that_had_no_effect_is_sent_again_after_the_settle_window(bench, kind, more):
    bench.break_call(kind, **more)
    job = bench.create()
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 2
    assert bench.now - 1000.0 >= bench.backend().capabilities.settle_s


def test_a_job_of_somebody_else_on_the_same_file_is_not_taken(bench):
    """Same bytes, same model, another ledger, another name: two jobs, though the resource may drop every tag but the suffix."""
    theirs = bench.create(context=bench.fresh("other"), name="others")
    bench.break_call("drop_reply", skip=1)
    ours = bench.create()
    assert ours.remote_id != theirs.remote_id
    assert len(bench.sim.jobs) == bench.sim.count(CREATE) == 2


def test_a_listing_that_lags_less_than_the_window_shows_the_job_in_time(bench):
    bench.break_call("drop_reply")
    bench.sim.faults = bench.sim.faults.model_copy(update={"list_lag_s": 120.0})
    job = bench.create()
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 1


def test_a_listing_that_cannot_be_had_leaves_the_job_in_doubt_until_the_next_run(bench):
    bench.sim.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=CREATE), WireFault(kind="error", on=LIST, times=99)))
    with pytest.raises(SubmitInDoubt):
        bench.create()
    bench.sim.faults = WireFaults()
    job = bench.create(context=bench.fresh())
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 1


def test_where_nothing_tells_whose_a_job_is_it_stays_in_doubt_until_its_model_has_a_name(bench_of):
    """A job runs for an hour, and neither metadata nor suffix shows: it may be ours, so that nothing is sent again."""
    bench = bench_of("as_observed", shows_suffix=False, tick_s=1200.0)
    bench.break_call("drop_reply")
    with pytest.raises(SubmitInDoubt, match="nothing is paid twice"):
        bench.create()
    assert bench.sim.count(CREATE) == 1
    bench.sleep(7200.0)
    job = bench.create(context=bench.fresh())
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 1


def test_where_nothing_tells_whose_a_job_is_one_that_has_failed_does_not_block_the_next(bench_of):
    bench = bench_of("as_observed", shows_suffix=False, tick_s=1200.0)
    bench.break_call("drop_reply")
    with pytest.raises(SubmitInDoubt):
        bench.create()
    (first,) = bench.sim.jobs
    bench.sim.fail(first.id, "server_error")
    job = bench.create(context=bench.fresh())
    assert [one.id for one in bench.sim.jobs if not one.ended] == [job.remote_id]
    assert bench.sim.count(CREATE) == 2


def test_a_rate_limit_of_the_data_plane_lets_the_job_wait_and_a_later_look_sends_it(bench):
    bench.break_call("refuse", name="rate_limit")
    job = bench.create()
    assert job.row.waiting.startswith("the provider takes no more jobs now")
    deadline = time.monotonic() + 30
    while job.remote_id is None:
        assert time.monotonic() < deadline
        job = bench.create(context=bench.fresh())
    assert [one.id for one in bench.sim.jobs] == [job.remote_id]
    assert bench.sim.count(CREATE) == 2


@pytest.mark.parametrize("hours", [-5, -1, 1])
def test_clocks_that_are_hours_apart_make_no_second_job(bench_of, hours):
    """The job shows nothing of ours while it runs, and by the host's clock it is older than the order."""
    bench = bench_of("as_observed", shows_suffix=False, tick_s=1e6)
    bench.sim.faults = WireFaults(clock_skew_s=hours * 3600.0, calls=(WireFault(kind="drop_reply", on=CREATE),))
    with pytest.raises(SubmitInDoubt):
        bench.create()
    assert bench.sim.count(CREATE) == 1
