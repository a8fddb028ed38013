"""One deployment, whatever becomes of the replies: through the real ledger, over real HTTP, gone only when Azure says so."""

from __future__ import annotations

import base64
import json
import time

import pytest

from anytune.deploy import Deployment
from anytune.errors import AuthError, ConfigError, DeploymentFailed, QuotaExceeded, Unreachable, WaitTimeout
from anytune.testing import AzureSimulator, Life, WireFault, WireFaults
from anytune_azure import AzureBackend
from anytune_azure.places import warn_of_short_tokens

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
    with pytest.raises(WaitTimeout, match="may still cost money"):
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


def test_what_is_still_being_made_is_asked_to_end_until_azure_takes_it(bench, tuned):
    """Azure refuses a DELETE while it makes the deployment (409 RequestConflict)."""
    bench.sim.provisioning = Life(words=("Accepted", "Creating", "Creating", "Creating", "Succeeded"), tick_s=15.0)
    hosted = deploy(bench, tuned)
    assert hosted.stop().state == "gone"
    assert bench.live == []


def test_a_refused_end_says_that_the_bill_goes_on(bench, tuned):
    hosted = deploy(bench, tuned)
    hosted.wait()
    bench.sim.unauthorized = {"delete"}
    with pytest.raises(AuthError, match=f"may cost money: `anytune deployments stop {hosted.id}`"):
        hosted.stop()


def test_a_deployment_whose_tags_were_taken_off_is_still_found_and_stopped(bench, tuned):
    bench.sim.faults = WireFaults(calls=(WireFault(kind="drop_reply", on=PUT), WireFault(kind="drop", on=GET, skip=1, times=9)))
    with pytest.raises(Unreachable):
        deploy(bench, tuned)
    bench.sim.faults = WireFaults()
    for one in bench.sim.deployments.values():
        one.tags.clear()
    (hosted,) = Deployment.list(context=bench.context)
    assert hosted.stop().state == "gone"
    assert bench.live == []


def test_a_deployment_is_never_called_gone_because_another_resource_was_asked(bench, tuned):
    hosted = deploy(bench, tuned)
    hosted.wait()
    elsewhere = bench.fresh()
    with AzureSimulator(resource="another") as another:
        elsewhere.backends["azure"] = AzureBackend(
            endpoint=bench.sim.endpoint, api_key=bench.sim.api_key, arm_url=another.arm_url, arm_token=another.entra_token,
            subscription_id=another.subscription_id, resource_group=another.resource_group, account_name="another",
        )  # fmt: skip
        with pytest.raises(ConfigError, match="is in the resource anytune-sim"):
            Deployment.get(hosted.id, context=elsewhere).stop()
        elsewhere.backends["azure"].close()
    assert hosted.stop().state == "gone"


def test_an_azure_that_is_away_for_a_minute_ends_no_wait(bench, tuned):
    hosted = deploy(bench, tuned)
    bench.sim.faults = WireFaults(calls=(WireFault(kind="error", status=503, on="POST /chat/completions", times=12),))
    assert hosted.wait().chat("3 cups of rice") == "rice 3"


def token_until(seconds):
    claims = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + seconds}).encode()).decode().rstrip("=")
    return f"head.{claims}.sign"


@pytest.mark.parametrize(("lives_s", "warned"), [(300.0, True), (3600.0, False)])
def test_a_token_that_ends_before_the_deployment_does_is_warned_of(caplog, lives_s, warned):
    given = {"subscription_id": "sub", "resource_group": "group", "arm_url": "http://127.0.0.1:9", "arm_token": token_until(lives_s)}
    backend = AzureBackend(endpoint="https://recipes.openai.azure.com", api_key="key", **given)
    warn_of_short_tokens(backend.settings, 600.0)
    assert ("bills on" in caplog.text) is warned
    backend.close()


def test_a_token_that_does_not_say_its_end_is_not_warned_of(caplog, bench):
    warn_of_short_tokens(bench.backend().settings, 600.0)
    assert not caplog.text
