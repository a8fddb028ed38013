"""One deployment, whatever becomes of the replies: through the real ledger, over real HTTP, gone only when Azure says so."""

from __future__ import annotations

import pytest

from anytune.deploy import Deployment
from anytune.errors import DeploymentFailed, QuotaExceeded, Unreachable, WaitTimeout
from anytune.testing import WireFault, WireFaults

PUT, DELETE, GET = "PUT /arm/deployments/{name}", "DELETE /arm/deployments/{name}", "GET /arm/deployments/{name}"


@pytest.fixture
def bench(bench_of):
    return bench_of("as_observed")


@pytest.fixture
def tuned(bench):
    return bench.create().wait()


def deploy(bench, tuned, **options):
    return Deployment.start(tuned, ttl_s=600.0, name="recipes", options=options, context=bench.context)


def test_a_deployment_answers_and_is_confirmed_gone(bench, tuned):
    hosted = deploy(bench, tuned, sku="developertier")
    with hosted.wait() as endpoint:
        assert endpoint.chat("3 cups of rice") == "rice 3"
    assert hosted.hourly_usd == 0.0
    assert hosted.stop().state == "gone"
    assert bench.live == []


@pytest.mark.parametrize("kind", ["drop_reply", "html", "truncated"])
def test_a_lost_reply_to_the_put_makes_one_deployment(bench, tuned, kind):
    bench.break_call(kind, on=PUT)
    hosted = deploy(bench, tuned)
    hosted.wait()
    assert len(bench.live) == 1
    assert hosted.stop().state == "gone"
    assert bench.live == []


def test_a_put_whose_replies_are_all_lost_is_still_found_and_stopped(bench, tuned):
    bench.sim.faults = WireFaults(
        calls=(
            WireFault(kind="drop_reply", on=PUT),
            WireFault(kind="drop", on=PUT, skip=1, times=9),
            WireFault(kind="drop", on=GET, skip=1, times=9),
        )
    )
    with pytest.raises(Unreachable):
        deploy(bench, tuned)
    bench.sim.faults = WireFaults()
    assert len(bench.live) == 1
    (hosted,) = Deployment.list(context=bench.context)
    assert hosted.stop().state == "gone"
    assert bench.live == []


def test_a_lost_reply_to_the_delete_is_still_costing_until_azure_says_404(bench, tuned):
    hosted = deploy(bench, tuned)
    hosted.wait()
    bench.sim.faults = WireFaults(calls=(WireFault(kind="drop", on=DELETE, times=99),))
    with pytest.raises(Unreachable):
        hosted.stop()
    assert Deployment.get(hosted.id, context=bench.context).state != "gone"
    assert len(bench.live) == 1
    bench.sim.faults = WireFaults()
    assert hosted.stop().state == "gone"
    assert bench.live == []


def test_a_deployment_that_never_answers_is_left_waiting_and_shown_as_costing(bench, tuned):
    bench.sim.faults = WireFaults(deployment_lag_s=1e9)
    hosted = deploy(bench, tuned)
    with pytest.raises(WaitTimeout):
        hosted.wait(timeout_s=900.0)
    assert hosted.state == "starting"
    assert hosted.hourly_usd == 1.70
    assert [one.id for one in Deployment.list(context=bench.context)] == [hosted.id]


def test_a_deployment_that_takes_some_minutes_to_answer_is_waited_for(bench, tuned):
    bench.sim.faults = WireFaults(deployment_lag_s=290.0)
    hosted = deploy(bench, tuned)
    assert hosted.wait().chat("3 cups of rice") == "rice 3"


def test_a_deployment_that_fails_says_why_and_may_cost_until_it_is_stopped(bench, tuned):
    bench.sim.faults = WireFaults(arm_failure="InsufficientQuota")
    hosted = deploy(bench, tuned)
    with pytest.raises(DeploymentFailed, match="InsufficientQuota"):
        hosted.wait()
    assert hosted.stop().state == "gone"
    assert bench.live == []


def test_a_deployment_that_vanishes_is_gone(bench, tuned):
    bench.sim.faults = WireFaults(vanish_after_s=3600.0)
    hosted = deploy(bench, tuned)
    hosted.wait()
    bench.sleep(3601.0)
    assert hosted.refresh().state == "gone"
    assert Deployment.list(context=bench.context) == []


def test_what_azure_refuses_leaves_no_deployment_behind(bench, tuned):
    with pytest.raises(QuotaExceeded):
        deploy(bench, tuned, capacity=100_000)
    assert bench.live == []
    assert Deployment.list(context=bench.context) == []


def test_a_throttled_management_plane_is_waited_for_as_it_asks(bench, tuned):
    bench.break_call("refuse", on=PUT, name="too_many_requests")
    before = bench.now
    deploy(bench, tuned).wait()
    assert bench.now - before >= 17
    assert len(bench.live) == 1


def test_a_second_deployment_waits_for_the_first_operation(bench, tuned):
    deploy(bench, tuned, sku="developertier")
    Deployment.start(tuned, ttl_s=600.0, name="second", options={"sku": "developertier"}, context=bench.context).wait()
    assert len(bench.live) == 2
