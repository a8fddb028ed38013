"""Events, metrics, files and deployments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from anytune.backend import RemoteDeployment, RemoteFile
from anytune.errors import NotFound
from anytune.ledger.tables import Moment
from anytune.values import Address, Event, Metric, ModelRef, Snapshot, Status

AT = datetime(2026, 11, 22, 12, 30, tzinfo=timezone(timedelta(hours=2)))


def event(number, message="step"):
    return Event(id=f"e{number}", at=AT, message=message)


@pytest.fixture
def host(ledger):
    def planned(**changes):
        given = {
            "backend": "memory",
            "account": "default",
            "profile": None,
            "model": ModelRef(id="m-1"),
            "name": "recipes",
            "ttl_s": 3600,
            "host": None,
        }
        return ledger.plan_deployment(**given | changes)

    return planned


def test_events_are_kept_once_in_their_order(ledger, claim):
    row = claim()
    assert len(ledger.add_events(row.id, [event(1), event(2)])) == 2
    assert [each.id for each in ledger.add_events(row.id, [event(2), event(3)])] == ["e3"]
    assert [each.id for each in ledger.events(row.id)] == ["e1", "e2", "e3"]
    assert [each.id for each in ledger.events(row.id, after="e1", limit=1)] == ["e2"]


def test_events_of_two_jobs_do_not_mix(ledger, claim):
    one, two = claim(name="one"), claim(name="two")
    ledger.add_events(one.id, [event(1)])
    ledger.add_events(two.id, [event(1)])
    assert len(ledger.events(one.id)) == len(ledger.events(two.id)) == 1


def test_a_thousand_events_at_once_are_kept(ledger, claim):
    row = claim()
    events = [event(number) for number in range(1200)]
    ledger.add_events(row.id, events)
    assert ledger.add_events(row.id, events) == []
    assert len(ledger.events(row.id)) == 1200


def test_a_time_comes_back_with_its_zone_as_the_same_moment(ledger, claim):
    row = claim()
    ledger.add_events(row.id, [event(1)])
    kept = ledger.events(row.id)[0].at
    assert (kept, kept.tzinfo) == (AT, UTC)


def test_a_time_without_zone_is_refused():
    with pytest.raises(ValueError, match="no zone"):
        Moment().process_bind_param(datetime(2026, 1, 1), None)  # noqa: DTZ001


def test_an_event_of_no_job_is_refused(ledger):
    with pytest.raises(NotFound):
        ledger.add_events("01NOTHING", [event(1)])


def test_the_numbers_of_one_step_join(ledger, claim):
    row = claim()
    ledger.add_metrics(row.id, [Metric(step=1, at=AT, values={"loss": 2.0}), Metric(step=2, at=AT, values={"loss": 1.5})])
    ledger.add_metrics(row.id, [Metric(step=2, at=AT, values={"eval_loss": 1.6}), Metric(step=2, at=AT, values={"loss": 1.4})])
    assert [(each.step, each.values) for each in ledger.metrics(row.id)] == [(1, {"loss": 2.0}), (2, {"loss": 1.4, "eval_loss": 1.6})]
    assert [each.step for each in ledger.metrics(row.id, after=1)] == [2]


def test_a_file_is_known_by_backend_account_and_bytes(ledger):
    file = RemoteFile(id="file-1", sha256="a" * 64, size_bytes=10)
    ledger.add_remote_file("memory", "default", file)
    ledger.add_remote_file("memory", "default", file)
    assert ledger.remote_file("memory", "default", "a" * 64) == file
    assert ledger.remote_file("memory", "team", "a" * 64) is None
    ledger.forget_remote_file("memory", "default", "a" * 64)
    assert ledger.remote_file("memory", "default", "a" * 64) is None


def test_a_deployment_is_planned_with_its_end(host, clock):
    row = host(ttl_s=60)
    assert (row.state, row.expires_at - row.created_at) == ("planned", timedelta(seconds=60))


def test_no_credential_of_an_endpoint_is_kept(ledger, host, kept):
    address = Address(base_url="http://127.0.0.1:1/v1", model="m", credential="canary-token-0123456789")
    row = ledger.record_deployment(host().id, RemoteDeployment(id="d", state="ready", address=address, hourly_usd=1.5))
    assert row.address == {"base_url": "http://127.0.0.1:1/v1", "model": "m"}
    assert (row.hourly_usd, row.ready_at is not None) == (1.5, True)
    assert b"canary-token" not in kept(ledger)


def test_gone_stays_gone_and_ends_the_bill(ledger, host, clock):
    row = ledger.record_deployment(host().id, RemoteDeployment(id="d", state="gone"))
    clock.sleep(5)
    again = ledger.record_deployment(row.id, RemoteDeployment(id="d", state="ready"))
    assert (again.state, again.ended_at) == ("gone", row.ended_at)


def test_a_failed_host_may_still_cost_money_and_is_listed_as_live(ledger, host):
    failed, gone, planned = host(name="a"), host(name="b"), host(name="c")
    ledger.record_deployment(failed.id, RemoteDeployment(id="d1", state="failed", error="no memory"))
    ledger.record_deployment(gone.id, RemoteDeployment(id="d2", state="gone"))
    assert {row.id for row in ledger.deployments(live=True)} == {failed.id, planned.id}
    assert len(ledger.deployments()) == 3


def test_the_wish_to_stop_is_kept(ledger, host):
    row = ledger.request_stop(host().id)
    assert ledger.deployment(row.id[:20]).stop_requested
    assert ledger.deployment("recipes").id == row.id


def test_removing_a_job_leaves_its_deployment(ledger, host, claim):
    job = claim()
    row = host(job_id=job.id)
    ledger.record(job.id, Snapshot(id="r", status=Status.FAILED))
    ledger.remove(job.id)
    assert ledger.deployment(row.id).job_id is None
    assert host(job_id=job.id).job_id is None
