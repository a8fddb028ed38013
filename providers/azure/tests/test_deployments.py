"""Deployments: made once, named the same by everybody, ready when they answer, gone when Azure says so."""

from __future__ import annotations

import pytest
from azure.mgmt.cognitiveservices.models import DeploymentProvisioningState

from anytune.errors import ConfigError, QuotaExceeded, Rejected, Unreachable
from anytune.testing import Life, WireFault
from anytune_azure.deployments import STATES, named, settled, state_of

PUT, DELETE = "PUT /arm/deployments/{name}", "DELETE /arm/deployments/{name}"
MEANT = {
    "Accepted": "starting",
    "Creating": "starting",
    "Moving": "starting",
    "Succeeded": "ready",
    "Deleting": "stopping",
    "Failed": "failed",
    "Disabled": "failed",
    "Canceled": "failed",
}


def test_every_provisioning_state_of_azure_is_mapped_exactly_once():
    assert set(MEANT) == {state.value for state in DeploymentProvisioningState} == set(STATES)
    assert {word: state_of(word) for word in MEANT} == MEANT


@pytest.mark.parametrize("word", ["Updating", "", "failed?", "Gone"])
def test_a_state_that_azure_does_not_document_is_unknown(word):
    assert state_of(word) == "unknown"


@pytest.mark.parametrize("word", ["Moving", "Disabled", "Canceled", "Updating"])
def test_rare_states_are_told_as_they_are(sim, hosts, order, until, word):
    sim.provisioning = Life(words=("Accepted", word))
    host = hosts.deploy(order())
    seen = until(hosts, host.id, MEANT.get(word, "unknown"))
    while seen.raw["properties"]["provisioningState"] != word:
        seen = hosts.poll(host.id)
    assert seen.state == MEANT.get(word, "unknown")
    assert seen.address is None
    if seen.state == "failed":
        assert seen.error


def test_a_deployment_goes_from_starting_over_ready_to_gone(sim, hosts, order, until, probe):
    mine = order()
    started = hosts.deploy(mine)
    assert (started.state, started.ref, started.model) == ("starting", mine.ref, mine.model.id)
    ready = until(hosts, started.id, "ready")
    assert ready.address.model == started.id
    assert ready.address.base_url == sim.base_url
    hosts.undeploy(started.id)
    assert hosts.poll(started.id).state in {"stopping", "gone"}
    assert until(hosts, started.id, "gone").state == "gone"
    hosts.undeploy(started.id)


def test_the_put_says_what_azure_documents(sim, hosts, order):
    mine = order(sku="GlobalStandard", capacity="3", source="/subscriptions/s/resourceGroups/g/providers/p/accounts/other")
    hosts.deploy(mine)
    sent = next(one.json for one in sim.requests if one.route == PUT)
    assert sent == {
        "sku": {"name": "globalstandard", "capacity": 3},
        "properties": {
            "model": {
                "format": "OpenAI",
                "name": mine.model.id,
                "version": "1",
                "source": "/subscriptions/s/resourceGroups/g/providers/p/accounts/other",
            }
        },
        "tags": {"anytune_ref": mine.ref, "anytune_name": "recipes", "anytune_ttl_s": "600"},
    }


def test_a_deployment_says_which_ledger_made_it(hosts, order):
    hosts.deploy(order().model_copy(update={"ledger": "L1"}))
    assert [each.ledger for each in hosts.ours()] == ["L1"]


def test_the_same_order_makes_one_deployment_through_any_instance(sim, hosts_for, order):
    mine = order()
    assert hosts_for().deploy(mine).id == hosts_for().deploy(mine).id == named(mine)
    assert sim.count(PUT) == 1


def test_a_lost_reply_to_the_put_makes_one_deployment(sim, hosts, order):
    mine = order()
    sim.faults = sim.faults.with_calls(WireFault(kind="drop_reply", on=PUT))
    with pytest.raises(Unreachable):
        hosts.deploy(mine)
    assert hosts.deploy(mine).id == named(mine)
    assert list(sim.deployments) == [named(mine)]
    assert sim.count(PUT) == 1


def test_where_the_reply_was_lost_the_ref_alone_finds_and_ends_it(sim, hosts, order, until):
    mine = order()
    sim.faults = sim.faults.with_calls(WireFault(kind="drop_reply", on=PUT))
    with pytest.raises(Unreachable):
        hosts.deploy(mine)
    assert until(hosts, mine.ref, "ready").id == named(mine)
    hosts.undeploy(mine.ref)
    assert until(hosts, mine.ref, "gone")
    assert sim.deployments == {}


def test_a_ref_that_nothing_was_made_for_is_gone(sim, hosts, order):
    assert hosts.poll(order().ref).state == "gone"
    hosts.undeploy(order().ref)
    assert sim.count(DELETE) == 0


@pytest.mark.parametrize("name", ["anytune-nobody", "no/such name", "..", ""])
def test_an_unknown_deployment_is_gone(hosts, name):
    assert hosts.poll(name).state == "gone"
    hosts.undeploy(name)


def test_a_name_that_another_model_has_is_not_taken_over(sim, hosts, order):
    sim.add_model("gpt-4.1-mini-2025-04-14.ft-ffffffffffffffffffffffffffffffff")
    mine = order()
    hosts.deploy(mine)
    with pytest.raises(Rejected, match="exists and hosts"):
        hosts.deploy(order(model="gpt-4.1-mini-2025-04-14.ft-ffffffffffffffffffffffffffffffff", ref=mine.ref))
    assert sim.count(PUT) == 1


def test_a_deployment_is_asked_once_whether_it_answers(hosts, order, until, probe):
    host = until(hosts, hosts.deploy(order()).id, "ready")
    assert hosts.poll(host.id).state == "ready"
    assert probe.asked == [host.id]


@pytest.fixture
def aged(sim):
    """Let a deployment have stood for a day."""

    def age(name):
        one = sim.deployments[name]
        one.created_at, one.changed_at = one.created_at - 86_400.0, one.changed_at - 86_400.0

    return age


def test_a_deployment_of_yesterday_is_not_asked_by_the_next_program(sim, hosts_for, order, until, probe, aged):
    host = until(hosts_for(), hosts_for().deploy(order()).id, "ready")
    probe.asked.clear()
    aged(host.id)
    seen = hosts_for().poll(host.id)
    assert (seen.state, seen.address.model) == ("ready", host.id)
    assert probe.asked == []


def test_a_new_deployment_is_asked_by_the_next_program(hosts_for, order, until, probe):
    host = until(hosts_for(), hosts_for().deploy(order()).id, "ready")
    assert hosts_for().poll(host.id).state == "ready"
    assert probe.asked == [host.id] * 2


def test_a_deployment_that_was_made_here_is_asked_however_old_azure_says_it_is(hosts, order, until, probe, aged):
    host = hosts.deploy(order())
    aged(host.id)
    until(hosts, host.id, "ready")
    assert probe.asked == [host.id]


def test_a_deployment_that_was_silent_is_asked_until_it_answers_however_old_it_grows(hosts_for, order, until, probe, aged):
    name = hosts_for().deploy(order()).id
    probe.answers = False
    watching = hosts_for()
    while not probe.asked:
        assert watching.poll(name).state == "starting"
    aged(name)
    assert watching.poll(name).state == "starting"
    probe.answers = True
    assert watching.poll(name).state == "ready"


OLD, NEW = "2026-11-20T08:00:00.1234567Z", "2999-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("times", "known"),
    [
        ({"createdAt": OLD, "lastModifiedAt": OLD}, True),
        ({"createdAt": OLD}, True),
        ({"createdAt": "2026-11-20T08:00:00"}, True),
        ({"createdAt": OLD, "lastModifiedAt": NEW}, False),
        ({"createdAt": NEW}, False),
        ({"createdAt": "yesterday"}, False),
        ({"createdAt": 1_795_000_000}, False),
        ({}, False),
        (None, False),
    ],
)
def test_only_a_time_that_is_long_past_speaks_for_a_deployment(times, known):
    assert settled({"systemData": times}) is known


def test_a_deployment_that_does_not_answer_yet_is_starting_and_costs(hosts, order, until, probe):
    probe.answers = False
    host = hosts.deploy(order(sku="standard"))
    for _ in range(5):
        seen = hosts.poll(host.id)
    assert (seen.state, seen.address, seen.hourly_usd) == ("starting", None, 1.70)
    assert "does not answer yet" in seen.error
    probe.answers = True
    assert hosts.poll(host.id).state == "ready"


@pytest.mark.parametrize(
    ("sku", "hourly"),
    [("standard", 1.70), ("GlobalStandard", 1.70), ("developertier", 0.0), ("Developer", 0.0), ("DataZoneStandard", None)],
)
def test_the_price_is_that_of_the_sku(hosts, order, sku, hourly):
    assert hosts.deploy(order(sku=sku)).hourly_usd == hourly


def test_the_backends_own_sku_and_capacity_hold_where_none_is_named(sim, hosts_for, order):
    hosts_for(sku="developertier", capacity=7).deploy(order())
    assert next(iter(sim.deployments.values())).sku == {"name": "DeveloperTier", "capacity": 7}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"skuu": "standard"}, "Did you mean `sku`"),
        ({"flavour": "large"}, "Known: sku, capacity, source, version, format"),
        ({"sku": "developertear"}, "Did you mean `developertier`"),
        ({"sku": "quick"}, "Known: standard"),
        ({"capacity": 0}, "`capacity` is 0"),
        ({"capacity": "much"}, "whole number"),
        ({"capacity": 1.5}, "whole number"),
        ({"source": "other"}, "/subscriptions/"),
    ],
)
def test_options_are_checked_before_anything_is_asked(sim, hosts, order, options, said):
    with pytest.raises(ConfigError, match=said):
        hosts.deploy(order(**options))
    assert sim.requests == []


def test_names_hold_whatever_people_call_a_job(order):
    for name in ("Größe & Ärger!", "a" * 64, "...", "9", "x-" * 32):
        found = named(order(name=name))
        assert found.startswith("anytune-")
        assert len(found) <= 64
        assert all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in found)
        assert "--" not in found


def test_a_failed_deployment_says_why_and_costs_until_it_is_deleted(sim, hosts, order, until):
    sim.faults = sim.faults.model_copy(update={"arm_failure": "InsufficientQuota"})
    seen = until(hosts, hosts.deploy(order()).id, "failed")
    assert "InsufficientQuota" in seen.error
    assert "az cognitiveservices usage list" in seen.error
    assert seen.hourly_usd == 1.70


def test_a_failed_deployment_of_another_program_points_to_the_activity_log(sim, hosts_for, order, until):
    sim.faults = sim.faults.model_copy(update={"arm_failure": "InternalServerError"})
    host = hosts_for().deploy(order())
    assert "activity log" in until(hosts_for(), host.id, "failed").error


def test_too_little_quota_makes_nothing(sim, hosts, order):
    with pytest.raises(QuotaExceeded):
        hosts.deploy(order(capacity=10_000))
    assert sim.deployments == {}


def test_a_model_of_another_region_is_refused_with_a_way_out(hosts, order):
    with pytest.raises(Rejected, match="not supported") as caught:
        hosts.deploy(order(model="gpt-4.1-mini-2025-04-14.ft-00000000000000000000000000000000"))
    assert "source=" in caught.value.fix


def test_a_deployment_that_vanishes_is_gone(sim, hosts, order, until):
    host = until(hosts, hosts.deploy(order()).id, "ready")
    sim.deployments.clear()
    assert hosts.poll(host.id).state == "gone"


def test_a_developer_deployment_is_gone_after_a_day(sim, hosts, order, until):
    host = until(hosts, hosts.deploy(order(sku="developertier")).id, "ready")
    began = sim.clock()
    sim.clock = lambda: began + 86_401
    assert hosts.poll(host.id).state == "gone"


def test_a_busy_resource_is_tried_again_and_not_taken_for_a_refusal(sim, hosts, order):
    hosts.deploy(order(name="first"))
    with pytest.raises(Unreachable, match="Another operation"):
        hosts.deploy(order(name="second"))


def test_ours_are_told_from_others_and_from_those_that_are_gone(sim, hosts, arm, order, until):
    mine = order()
    until(hosts, hosts.deploy(mine).id, "ready")
    arm.put(
        "of-the-portal",
        {"sku": {"name": "standard", "capacity": 1}, "properties": {"model": {"format": "OpenAI", "name": mine.model.id, "version": "1"}}},
    )
    until(hosts, "of-the-portal", "ready")
    [found] = hosts.ours()
    assert (found.id, found.state, found.ref, found.model, found.hourly_usd) == (named(mine), "ready", mine.ref, mine.model.id, 1.70)
    assert set(hosts.serving(mine.model.id)) == {named(mine), "of-the-portal"}


def test_a_probe_that_is_refused_is_not_hidden(hosts_for, order, until):
    def refused(name):
        raise PermissionError(name)

    hosts = hosts_for(probe=refused)
    host = hosts.deploy(order())
    with pytest.raises(PermissionError):
        until(hosts, host.id, "ready")


def test_no_developer_deployment_is_promised_for_longer_than_a_day(sim, hosts, order):
    two_days = order(sku="developertier").model_copy(update={"ttl_s": 172_800.0})
    with pytest.raises(ConfigError, match="24 hours"):
        hosts.deploy(two_days)
    assert sim.count(PUT) == 0
