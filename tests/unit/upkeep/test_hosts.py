"""A host is gone when it was never reached, or when its provider says so; in between it is live, and said to be."""

from __future__ import annotations

import pytest

from anytune import TunedModel, upkeep
from anytune.errors import AnytuneError, LedgerAway, LedgerError, WaitTimeout
from anytune.retry import unsent
from anytune.testing import Fault, Life, MemoryBackend


@pytest.fixture
def tuned(desk):
    job = desk.create("made")
    with desk.backend.store.change() as state:
        state.jobs[job.remote_id].life = Life.of(steps=1)
    while not job.status.terminal:
        job.refresh()
    yield TunedModel(job.result().ref, backend="memory", context=desk.context)
    desk.mended()
    for host in desk.backend.list_deployments():
        desk.backend.undeploy(host.id)


def only(desk):
    (row,) = desk.context.ledger.deployments()
    return row


@pytest.mark.parametrize("kind", ["auth", "reject", "quota"])
def test_a_host_that_was_refused_is_gone_at_once(desk, tuned, kind):
    desk.faulty(Fault(kind=kind, on="deploy"))
    with pytest.raises(AnytuneError):
        tuned.deploy(ttl_s=60)
    assert only(desk).state == "gone"


class Refusing(MemoryBackend):
    """Nobody takes the connection; from the second call on the connection is taken, and breaks."""

    breaks = False
    asked = 0

    def deploy(self, order):
        self.asked += 1
        try:
            raise ConnectionResetError if self.breaks and self.asked > 1 else ConnectionRefusedError
        except OSError as error:
            raise ConnectionError("no luck") from error


def test_a_host_whose_provider_was_never_reached_is_gone_at_once(desk, tuned):
    desk.backends(Refusing(store=desk.backend.store, clock=desk.clock))
    with pytest.raises(AnytuneError):
        tuned.deploy(ttl_s=60)
    assert only(desk).state == "gone"


def test_a_host_whose_provider_was_reached_once_is_live_until_that_is_cleared_up(desk, tuned):
    desk.backends(Refusing(store=desk.backend.store, clock=desk.clock))
    desk.backend.breaks = True
    with pytest.raises(AnytuneError, match="anytune reconcile"):
        tuned.deploy(ttl_s=60)
    assert (only(desk).state, only(desk).stop_requested) == ("planned", True)
    desk.mended()
    assert not upkeep.reconcile(context=desk.context).open
    assert only(desk).state == "gone"


def test_a_host_that_was_made_without_an_answer_is_found_and_ended(desk, tuned):
    desk.faulty(Fault(kind="drop_reply", on="deploy", times=9))
    with pytest.raises(AnytuneError):
        tuned.deploy(ttl_s=60)
    desk.mended()
    assert len(desk.backend.list_deployments()) == 1
    assert not upkeep.reconcile(context=desk.context).open
    assert desk.backend.list_deployments() == []


def test_absence_is_believed_only_after_the_settle_window(desk, tuned):
    desk.faulty(Fault(kind="server_error", on="deploy", times=9))
    with pytest.raises(AnytuneError):
        tuned.deploy(ttl_s=60)
    desk.mended(settle_s=300)
    done = upkeep.reconcile(context=desk.context)
    assert done.open
    assert "the listing may lag by" in done.cases[0].said
    assert only(desk).state == "planned"
    desk.sleep(300)
    assert not upkeep.reconcile(context=desk.context).open
    assert only(desk).state == "gone"


def test_an_end_that_is_not_confirmed_bills_on(desk, tuned):
    deployment = tuned.deploy(ttl_s=60)
    desk.faulty(Fault(kind="drop_reply", on="undeploy", times=5), Fault(kind="server_error", on="poll_deployment", times=999))
    with pytest.raises((AnytuneError, WaitTimeout)):
        deployment.stop(timeout_s=1)
    assert only(desk).state != "gone"
    assert upkeep.reconcile(context=desk.context).open
    desk.mended()
    assert not upkeep.reconcile(context=desk.context).open
    assert only(desk).state == "gone"


def test_a_maker_that_hears_late_that_its_host_was_given_up_takes_it_down(desk, tuned):
    class Slow(MemoryBackend):
        def deploy(self, order):
            made = super().deploy(order)
            absent = made.model_copy(update={"id": order.ref, "state": "gone", "address": None})
            desk.context.ledger.record_deployment(order.ref, absent)
            return made

    desk.backends(Slow(store=desk.backend.store, clock=desk.clock))
    assert tuned.deploy(ttl_s=60).state == "gone"
    assert [host.state for host in desk.backend.list_deployments()] in ([], ["stopping"])


@pytest.mark.parametrize(("cause", "expected"), [(ConnectionRefusedError, True), (ConnectionResetError, False), (TimeoutError, False)])
def test_only_a_connection_that_nobody_took_is_known_to_have_sent_nothing(cause, expected):
    error = RuntimeError("no luck")
    error.__cause__ = cause()
    assert unsent(error) is expected


def test_a_ledger_that_was_away_when_a_host_was_made_is_told_again(desk, tuned, monkeypatch):
    written, ledger = desk.context.ledger.record_deployment, desk.context.ledger
    away = [LedgerAway("The database restarts.")]

    def record(*arguments, **more):
        if away:
            raise away.pop()
        return written(*arguments, **more)

    monkeypatch.setattr(ledger, "record_deployment", record)
    deployment = tuned.deploy(ttl_s=60)
    assert (deployment.state, deployment.row.remote_id) == ("starting", desk.backend.list_deployments()[0].id)


def test_a_host_whose_making_could_not_be_written_down_is_not_taken_for_gone(desk, tuned, monkeypatch):
    ledger = desk.context.ledger

    def record(*_arguments, **_more):
        raise LedgerError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "record_deployment", record)
        with pytest.raises(LedgerError):
            tuned.deploy(ttl_s=60)
    assert (only(desk).state, only(desk).stop_requested) == ("planned", True)
    upkeep.reconcile(wait=True, context=desk.context)
    assert only(desk).state == "gone"
    assert [host.state for host in desk.backend.list_deployments()] in ([], ["gone"])
