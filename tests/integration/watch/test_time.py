"""Hours and days of a watch, on a clock that only its pauses move: hosts end at their time, jobs at their budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.money import Desk

from anytune import Deployment, posting
from anytune.errors import WaitTimeout
from anytune.paths import host
from anytune.testing import Fault, Faults, Life, MemoryBackend
from anytune.upkeep.reap import reap
from anytune.watch.loop import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HOUR, DAY = 3600.0, 86400.0


class Provider(MemoryBackend):
    """Hosts until it is told to stop; a job there costs a cent a step, and a step takes a minute."""

    def deploy(self, order: Any) -> Any:
        """Keep no time."""
        return super().deploy(order.model_copy(update={"ttl_s": 99 * DAY}))


class Street(Desk):
    """A desk with such a provider at `account` "mine", and a watch over it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.lives: Life | Iterable[Life] = Life.of(queued=0, steps=1)
        self.open()

    def open(self, *calls: Fault) -> None:
        """Let the provider begin, or go on with these faults."""
        able = MemoryBackend().capabilities.model_copy(update={"keeps_ttl": False})
        store = self.provider.store if hasattr(self, "provider") else None
        faults = Faults(calls=calls)
        self.provider = Provider(clock=self.clock, capabilities=able, account="mine", life=self.lives, store=store, faults=faults)
        self.context.backends["memory"] = self.provider

    def host(self, ttl_s: float) -> Deployment:
        job = self.create(self.provider)
        return job.wait(poll_s=1).deploy(ttl_s=ttl_s)

    def watch(self, *, until: float) -> Watch:
        """Let a watch work until it leaves, or until a moment of the clock."""

        def pause(seconds: float) -> None:
            self.sleep(seconds)
            if self.now >= until:
                made.leave()

        made = Watch(self.context, "memory", "mine", lock=self.folder / "scope.lock", pause=pause, clock=self.wall)
        assert made.enter()
        made.run()
        made._give_back()
        return made

    def states(self) -> list[str]:
        """What the provider says of each host."""
        return [row.state for row in self.provider.store.read().deployments.values()]


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterable[Street]:
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    made = Street(tmp_path)
    yield made
    made.open()
    for deployment in Deployment.list(context=made.context):
        deployment.stop()


def test_a_forgotten_host_ends_at_its_time_and_not_before(street: Street) -> None:
    street.host(3 * HOUR)
    began = street.now
    street.watch(until=began + 3 * HOUR - 60)
    assert street.states() != ["gone"]
    street.watch(until=began + DAY)
    assert street.states() == ["gone"]
    assert 3 * HOUR <= street.now - began <= 3 * HOUR + 60


def test_a_delete_that_fails_leaves_the_host_billing_until_the_provider_says_it_is_gone(street: Street) -> None:
    deployment = street.host(3600)
    began = street.now
    street.open(Fault(kind="server_error", on="undeploy", times=10_000))
    street.watch(until=began + 1.5 * HOUR)
    assert [one.state for one in Deployment.list(context=street.context)] not in ([], ["gone"])
    street.open()
    street.watch(until=began + 9 * HOUR)
    row = street.context.ledger.deployment(deployment.id)
    assert row.state == "gone"
    assert row.ended_at is not None
    assert (row.ended_at - row.created_at).total_seconds() > 1.5 * HOUR


def test_a_delete_whose_reply_is_lost_is_confirmed_by_a_look(street: Street) -> None:
    deployment = street.host(3600)
    street.open(Fault(kind="drop_reply", on="undeploy"))
    street.watch(until=street.now + DAY)
    assert street.context.ledger.deployment(deployment.id).state == "gone"


def test_the_bill_counts_to_the_confirmed_end(street: Street) -> None:
    deployment = street.host(7200)
    street.watch(until=street.now + DAY)
    gone = Deployment.get(deployment.id, context=street.context)
    assert gone.cost_usd == pytest.approx(1.0, rel=0.02)


def test_a_stop_that_was_asked_for_and_never_confirmed_is_carried_out(street: Street) -> None:
    deployment = street.host(9 * DAY)
    street.open(Fault(kind="server_error", on="undeploy", times=10_000))
    with pytest.raises(WaitTimeout):
        deployment.stop(timeout_s=5)
    street.open()
    street.sleep(60)
    assert [one.id for one in reap(context=street.context).gone] == [deployment.id]
    assert street.states() == ["gone"]


def test_a_watch_that_can_do_nothing_says_so_where_people_look_and_takes_it_back(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    street.host(60)
    monkeypatch.setattr(posting, "scope", lambda *_: street.folder / "scope.lock")
    street.open(Fault(kind="auth", on="undeploy", times=10_000))
    street.watch(until=street.now + 600)
    (trouble,) = posting.troubles(street.context, [("memory", "mine")])
    assert "key" in trouble.message
    assert trouble.backend == "memory"
    street.open()
    street.watch(until=street.now + 3600)
    assert posting.troubles(street.context, [("memory", "mine")]) == []


def test_a_budget_is_held_while_nobody_looks_but_the_watch(street: Street) -> None:
    street.lives = Life.of(queued=0, steps=9999, tick_s=60.0)
    street.open()
    job = street.create(street.provider, name="long", budget={"max_usd": 0.3})
    began = street.now
    street.watch(until=began + DAY)
    row = street.context.ledger.job(job.id)
    assert row.status.value == "cancelled"
    assert "The budget of 0.3 US dollars is used up: 0.3" in row.error
    assert 30 * 60 <= street.now - began <= 40 * 60  # thirty cents are thirty minutes; then there are looks and the pause


def test_a_watch_leaves_jobs_alone_that_have_no_budget(street: Street) -> None:
    street.lives = Life.of(queued=0, steps=9999, tick_s=60.0)
    street.open()
    street.create(street.provider, name="long")
    began = street.now
    street.watch(until=began + DAY)
    assert street.now - began < 60
    assert "poll" not in street.provider.calls


def test_a_reaper_on_another_machine_ends_what_a_dead_one_left_at_a_provider(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = street.host(3600)
    monkeypatch.setenv("ANYTUNE_HOST", "another")
    assert host() != deployment.host
    street.sleep(3700)
    assert [one.id for one in reap(context=street.context).gone] == [deployment.id]
    assert reap(context=street.context).gone == []


def test_a_reaper_leaves_alone_what_runs_on_anothers_own_machine(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    street.host(3600)
    able = street.provider.capabilities.model_copy(update={"local": True, "keeps_ttl": True})
    street.provider._capabilities = able
    monkeypatch.setenv("ANYTUNE_HOST", "another")
    street.sleep(3700)
    done = reap(context=street.context)
    assert (done.gone, done.failed) == ([], [])
    assert street.states() != ["gone"]


def test_a_reaper_says_what_it_could_not_end(street: Street) -> None:
    deployment = street.host(60)
    street.open(Fault(kind="auth", on="undeploy", times=10_000))
    street.sleep(120)
    done = reap(context=street.context)
    assert [one.id for one, _ in done.failed] == [deployment.id]
    assert len(done.errors) == 1


def test_a_reaper_holds_budgets_with_one_look_a_job(street: Street) -> None:
    street.lives = Life.of(queued=0, steps=9999, tick_s=60.0)
    street.open()
    small = street.create(street.provider, name="small", budget={"max_usd": 0.05})
    large = street.create(street.provider, name="large", budget={"max_usd": 500})
    assert len(reap(context=street.context).held) == 2
    street.sleep(3600)
    done = reap(context=street.context)
    assert ([row.id for row in done.ended], [row.id for row in done.held]) == ([small.id], [large.id])
    for _ in range(2):  # the pause, then the end
        reap(context=street.context)
    assert street.context.ledger.job(small.id).status.value == "cancelled"
    assert street.context.ledger.job(large.id).status.value == "running"


def test_a_budget_that_cannot_be_held_is_said(street: Street) -> None:
    street.lives = Life.of(queued=0, steps=9999, tick_s=60.0)
    street.open()
    job = street.create(street.provider, name="small", budget={"max_usd": 0.05})
    street.open(Fault(kind="auth", on="poll", times=10_000))
    done = reap(context=street.context)
    assert [row.id for row, _ in done.unheld] == [job.id]
    assert done.errors


def test_a_job_of_another_account_is_not_asked_about_with_this_key(street: Street) -> None:
    street.lives = Life.of(queued=0, steps=9999, tick_s=60.0)
    street.open()
    street.create(street.provider, name="small", budget={"max_usd": 0.05})
    street.provider._account = "another"
    asked = dict(street.provider.calls)
    ((_, error),) = reap(context=street.context).unheld
    assert "belongs to account mine" in str(error)
    assert street.provider.calls == asked


def test_a_reaper_of_one_backend_leaves_the_others_alone(street: Street) -> None:
    street.host(60)
    street.sleep(120)
    assert reap(backend="openai", context=street.context).gone == []
    assert len(reap(backend="memory", context=street.context).gone) == 1


def test_a_host_that_cannot_be_ended_for_a_week_ends_no_watch(street: Street) -> None:
    deployment = street.host(60)
    street.open(Fault(kind="auth", on="undeploy", times=100_000))
    street.sleep(61)
    made = Watch(street.context, "memory", "mine", lock=street.folder / "scope.lock", pause=street.sleep, clock=street.wall)
    made._again[deployment.id] = (2000, street.wall())
    assert made._act([deployment]) is not None
    assert (made._again[deployment.id][1] - street.wall()).total_seconds() == pytest.approx(300, abs=1)


def test_a_clock_that_was_set_back_keeps_no_watch_from_looking(street: Street) -> None:
    street.lives = Life.of(queued=0, steps=400)
    street.open()
    job = street.create(street.provider, budget={"max_usd": 0.055})
    street.sleep(HOUR)
    job.refresh()
    street.now -= HOUR / 2
    street.watch(until=street.now + HOUR / 4)
    assert street.context.ledger.job(job.id).overdrawn_at is not None
