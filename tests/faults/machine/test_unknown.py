"""What could not be asked is unknown: never failed, never gone, never absent (G8)."""

from __future__ import annotations

import pytest

from anytune import Deployment, Status, TunedModel
from anytune.backend import RemoteDeployment
from anytune.errors import AuthError, ConfigError, NotFound, SubmitInDoubt, Unreachable
from anytune.testing import Fault, Faults
from anytune.values import ModelRef


def make(process, name="basil"):
    return process.act(lambda: process.create(name, 1e-4))


def look(process, name="basil"):
    return process.act(lambda: process.get(name).refresh())


def row(process, name="basil"):
    return process.context.ledger.job(name)


@pytest.fixture
def running(world, one):
    make(one)
    world.sleep(150)
    look(one)
    assert row(one).status is Status.RUNNING
    return one


@pytest.mark.parametrize(("kind", "error"), [("server_error", Unreachable), ("auth", AuthError), ("vendor_error", Unreachable)])
def test_a_job_that_could_not_be_asked_about_is_as_it_was(world, running, kind, error):
    world.faults = Faults(calls=(Fault(kind=kind, on="poll", skip=world.state.counts["poll"], times=9),))
    assert isinstance(look(running), error)
    assert row(running).status is Status.RUNNING


def test_a_job_that_its_provider_does_not_know_any_more_is_unknown_and_has_not_ended(world, running):
    kept = world.state.jobs.pop("job-000001")
    assert isinstance(look(running), NotFound)
    assert (row(running).status, row(running).ended_at, row(running).error) == (Status.UNKNOWN, None, "")
    world.state.jobs["job-000001"] = kept
    look(running)
    assert row(running).status is Status.RUNNING


def test_a_job_that_shall_end_and_is_not_found_is_unknown_and_still_to_be_ended(world, running):
    kept = world.state.jobs.pop("job-000001")
    running.act(lambda: running.get("basil").cancel())
    assert isinstance(look(running), NotFound)
    assert (row(running).status, row(running).cancel_requested) == (Status.UNKNOWN, True)
    world.state.jobs["job-000001"] = kept
    look(running)
    assert row(running).status is Status.CANCELLED


def test_a_finished_job_that_its_provider_deleted_stays_finished(world, running):
    world.state.jobs["job-000001"].life = world.state.jobs["job-000001"].life.model_copy(update={"words": ("queued", "succeeded")})
    world.state.jobs["job-000001"].position = 1
    look(running)
    assert row(running).status is Status.SUCCEEDED
    del world.state.jobs["job-000001"]
    assert isinstance(look(running), NotFound)
    assert row(running).status is Status.SUCCEEDED


@pytest.mark.parametrize("fault", [Fault(kind="auth", on="find", times=99), Fault(kind="server_error", on="find", times=99)])
def test_a_listing_that_cannot_be_had_proves_no_absence(world, one, fault):
    world.faults = Faults(calls=(Fault(kind="drop_reply"), fault))
    assert isinstance(make(one), (SubmitInDoubt, AuthError))
    assert row(one).submit_state == "in_doubt"
    assert world.creates.total() == 1


def test_a_listing_that_is_cut_short_proves_no_absence(world, one):
    world.faults = Faults(calls=(Fault(kind="server_error"),), incomplete_listings=10_000)
    assert isinstance(make(one), SubmitInDoubt)
    assert row(one).submit_state == "in_doubt"
    assert world.creates.total() == 1


@pytest.fixture
def hosted(world, one, monkeypatch):
    """A host that is ready; nothing listens, and nobody connects."""
    make(one)
    monkeypatch.setattr(type(one.backend), "deploy", lambda self, order: RemoteDeployment(id="host-1", state="starting"), raising=True)
    monkeypatch.setattr(type(one.backend), "poll_deployment", lambda self, host_id: world.host(), raising=True)
    world.host = lambda: RemoteDeployment(id="host-1", state="ready")
    model = TunedModel(ModelRef(id="memory:job-000001"), backend="memory", context=one.context)
    started = one.act(lambda: Deployment.start(model, ttl_s=600, context=one.context))
    return started.id


def observe(process, host_id, **options):
    return process.act(lambda: Deployment.get(host_id, context=process.context).refresh(), **options)


def state(process, host_id):
    return process.context.ledger.deployment(host_id).state


@pytest.mark.parametrize("error", [Unreachable("away"), AuthError("no right")])
def test_a_host_that_cannot_be_looked_at_is_as_it_was(world, one, hosted, error):
    observe(one, hosted)

    def refuse():
        raise error

    world.host = refuse
    assert isinstance(observe(one, hosted), type(error))
    assert state(one, hosted) == "ready"


def test_a_host_is_not_looked_at_with_the_key_of_another_account(world, one, hosted):
    world.host = lambda: RemoteDeployment(id="host-1", state="gone")
    one.backend._account = "another"
    assert isinstance(observe(one, hosted), ConfigError)
    assert state(one, hosted) == "starting"


def test_a_look_at_a_host_that_was_written_down_late_does_not_undo_a_later_one(world, one, other, hosted):
    world.host = lambda: RemoteDeployment(id="host-1", state="starting")

    def meanwhile():
        world.sleep(10)
        world.host = lambda: RemoteDeployment(id="host-1", state="ready")
        observe(other, hosted)

    observe(one, hosted, held_at="before write", meanwhile=meanwhile)
    assert state(one, hosted) == "ready"


def test_the_end_of_a_host_is_written_down_however_late(world, one, other, hosted):
    world.host = lambda: RemoteDeployment(id="host-1", state="gone")

    def meanwhile():
        world.sleep(10)
        world.host = lambda: RemoteDeployment(id="host-1", state="stopping")
        observe(other, hosted)

    observe(one, hosted, held_at="before write", meanwhile=meanwhile)
    assert state(one, hosted) == "gone"
