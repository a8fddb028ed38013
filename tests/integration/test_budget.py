"""A budget is held while a job runs, over all its attempts, by whoever looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.money import Desk

from anytune import Status
from anytune.budget import spent
from anytune.errors import BudgetExceeded, JobFailed, Rejected
from anytune.testing import Fault, Faults, Life, MemoryBackend
from anytune.values import Event, Quote, Snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from anytune.backend import Order, RemoteJob

HOUR = 3600.0


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


def running(**settings: Any) -> Life:
    """A life that runs until somebody ends it; each look is a step, and each step costs a cent."""
    return Life.of(queued=0, steps=200, **settings)


def test_a_job_over_its_dollars_is_ended_and_says_the_budget_and_what_was_spent(desk: Desk) -> None:
    job = desk.create(desk.backend(life=running()), budget={"max_usd": 0.055})
    with pytest.raises(JobFailed) as caught:
        job.wait(poll_s=1)
    assert job.status is Status.CANCELLED
    assert "The budget of 0.055 US dollars is used up: 0.06 were spent over 1 attempt." in str(caught.value)


def test_its_checkpoint_is_saved_by_a_pause_first(desk: Desk) -> None:
    backend = desk.backend(life=running())
    job = desk.create(backend, budget={"max_usd": 0.055})
    with pytest.raises(JobFailed):
        job.wait(poll_s=1)
    assert backend.calls["pause"] == 1
    assert backend.calls["cancel"] >= 1
    assert [point.step for point in job.checkpoints()] == [2, 4, 6]


def test_a_job_within_its_budget_is_left_alone(desk: Desk) -> None:
    backend = desk.backend()
    assert desk.create(backend, budget={"max_usd": 1.0, "max_hours": 1.0}).wait(poll_s=1).id
    assert "cancel" not in backend.calls
    assert "pause" not in backend.calls


def test_where_a_backend_cannot_pause_the_job_is_cancelled_at_once(desk: Desk) -> None:
    backend = desk.backend(life=running(), without=("pause", "resume"))
    with pytest.raises(JobFailed):
        desk.create(backend, budget={"max_usd": 0.055}).wait(poll_s=1)
    assert "pause" not in backend.calls


class Stubborn(MemoryBackend):
    """Takes the wish to pause, and goes on."""

    def pause(self, job_id: str) -> None:
        """Do nothing."""


class Refusing(MemoryBackend):
    """Refuses to pause, as OpenAI refuses it for jobs that cannot."""

    def pause(self, job_id: str) -> None:
        """Refuse."""
        raise Rejected(f"{job_id} cannot be paused.")


def test_a_pause_that_never_comes_is_not_waited_for_longer_than_five_minutes(desk: Desk) -> None:
    job = desk.create(desk.backend(Stubborn, life=running()), budget={"max_usd": 0.055})
    with pytest.raises(JobFailed):
        job.wait(poll_s=30)
    over = job.row.overdrawn_at
    assert over is not None
    assert 300 <= (desk.wall() - over).total_seconds() <= 400


def test_a_pause_that_is_refused_is_not_waited_for(desk: Desk) -> None:
    job = desk.create(desk.backend(Refusing, life=running()), budget={"max_usd": 0.055})
    with pytest.raises(JobFailed):
        job.wait(poll_s=30)
    assert job.row.overdrawn_at is not None
    assert (desk.wall() - job.row.overdrawn_at).total_seconds() <= 60


def test_hours_are_held_from_the_first_look_that_saw_it_run(desk: Desk) -> None:
    job = desk.create(desk.backend(life=running(), without=("pause",)), budget={"max_hours": 0.5})
    with pytest.raises(JobFailed, match=r"The budget of 0\.5 hours is used up: 0\.5\d were spent"):
        job.wait(poll_s=60)
    assert 0.5 * HOUR <= desk.now <= 0.6 * HOUR


def test_a_budget_is_cumulative_over_attempts(desk: Desk) -> None:
    lives = (Life.of(steps=4, end="failed"), running())
    backend = desk.backend(life=lives, without=("pause",))
    with pytest.raises(JobFailed, match="loss"):
        desk.create(backend, budget={"max_usd": 0.065}).wait(poll_s=1)
    second = desk.create(backend, budget={"max_usd": 0.065}, new_attempt=True)
    with pytest.raises(JobFailed, match=r"0\.07 were spent over 2 attempts"):
        second.wait(poll_s=1)
    assert second.snapshot.step == 3


def test_a_rerun_after_it_raises_with_the_reason(desk: Desk) -> None:
    backend = desk.backend(life=running())
    with pytest.raises(JobFailed):
        desk.create(backend, budget={"max_usd": 0.055}).wait(poll_s=1)
    with pytest.raises(JobFailed, match="is used up"):
        desk.create(backend, budget={"max_usd": 0.055})


def test_where_nothing_is_left_no_further_attempt_begins(desk: Desk) -> None:
    backend = desk.backend(life=running())
    with pytest.raises(JobFailed):
        desk.create(backend, budget={"max_usd": 0.055}).wait(poll_s=1)
    with pytest.raises(BudgetExceeded):
        desk.create(backend, budget={"max_usd": 0.055}, new_attempt=True)
    assert backend.calls["jobs"] == 1


class Hearing(MemoryBackend):
    """Keeps the budgets that orders brought."""

    heard: list[Any]

    def submit(self, order: Order) -> RemoteJob:
        """Note the budget."""
        self.heard = [*getattr(self, "heard", []), order.spec.budget]
        return super().submit(order)


def test_what_earlier_attempts_left_goes_with_the_order(desk: Desk) -> None:
    backend = desk.backend(Hearing, life=(Life.of(steps=4, end="failed"), Life()))
    assert isinstance(backend, Hearing)
    budget = {"max_usd": 1.0, "max_hours": 2.0}
    with pytest.raises(JobFailed):
        desk.create(backend, budget=budget).wait(poll_s=600)
    desk.create(backend, budget=budget, new_attempt=True)
    whole, rest = backend.heard
    assert (whole.max_usd, whole.max_hours) == (1.0, 2.0)
    assert rest.max_usd == pytest.approx(0.96)
    assert rest.max_hours == pytest.approx(2.0 - 4 * 600 / HOUR)


def test_a_cancel_that_fails_is_asked_for_again_by_the_next_look(desk: Desk) -> None:
    faults = Faults(calls=(Fault(kind="server_error", on="cancel", times=9),))
    job = desk.create(desk.backend(life=running(), faults=faults, without=("pause",)), budget={"max_usd": 0.055})
    with pytest.raises(JobFailed, match="is used up"):
        job.wait(poll_s=1)
    assert job.row.cancel_requested


class Billed(MemoryBackend):
    """A host that tells no sum while a job runs, as OpenAI does not: its catalogue has a price, and its events tell the steps."""

    @property
    def catalog(self) -> str | None:
        """Give OpenAI's."""
        return "openai"

    def quote(self, *_: Any) -> Quote:
        """Quote a million tokens."""
        return Quote(tokens=1_000_000, basis="as a test has it")

    def poll(self, job_id: str) -> Snapshot:
        """Leave out what such a host does not tell."""
        return super().poll(job_id).model_copy(update={"cost_usd": None, "step": None, "total_steps": None, "minutes": None})

    def events(self, job_id: str, after: str | None = None) -> list[Event]:
        """Tell steps and their number."""
        found = super().events(job_id, after)
        return [event.model_copy(update={"data": event.data | {"total_steps": 100}}) for event in found]


MINI = "gpt-4.1-mini-2025-04-14"


def test_what_a_host_does_not_tell_is_estimated_by_a_dated_price_and_called_so(desk: Desk) -> None:
    job = desk.create(desk.backend(Billed, life=running()), model=MINI, budget={"max_usd": 100})
    for _ in range(11):
        job.observe()
    assert job.actual.cost_usd == pytest.approx(1_000_000 * 11 / 100 * 5 / 1e6)
    assert "estimated: about 110,000 tokens at $5.00 for a million tokens" in job.actual.basis
    assert "read 2026-" in job.actual.basis


def test_a_budget_is_held_by_the_estimate(desk: Desk) -> None:
    job = desk.create(desk.backend(Billed, life=running()), model=MINI, budget={"max_usd": 1.0})
    with pytest.raises(JobFailed, match=r"1 attempt \(estimated: .* read 2026-"):
        job.wait(poll_s=1)
    steps = [event.data["step"] for event in job.events() if "step" in event.data]
    assert 20 <= max(steps) <= 25


def test_a_job_whose_cost_nobody_knows_is_not_ended_by_a_guess(desk: Desk) -> None:
    job = desk.create(desk.backend(Billed, life=Life.of(steps=4)), model="unheard-of", budget={"max_usd": 0.000001}, allow=["no-price"])
    assert job.wait(poll_s=1).id
    assert job.actual.cost_usd is None


def test_a_clock_that_was_set_forward_uses_up_no_hours(desk: Desk) -> None:
    backend = desk.backend(life=running())
    job = desk.create(backend, budget={"max_hours": 2.0})
    desk.sleep(60)
    job.refresh()
    desk.ahead += 5 * HOUR
    desk.sleep(60)
    assert job.refresh().status is Status.RUNNING
    assert not job.row.cancel_requested
    assert "pause" not in backend.calls
    desk.sleep(2 * HOUR)
    job.refresh()
    assert job.row.overdrawn_at is not None


def test_cost_and_minutes_add_up_over_attempts_and_each_counts_once(desk: Desk) -> None:
    backend = desk.backend(life=(Life.of(queued=0, steps=4, end="failed"), Life.of(queued=0, steps=4)))
    for number in range(2):
        job = desk.create(backend, new_attempt=number > 0)
        while not job.status.terminal:
            desk.sleep(60)
            job.refresh()
    each = [row.cost_usd or 0.0 for row in desk.context.ledger.jobs(name="recipes")]
    minutes = [row.actual.minutes or 0.0 for row in desk.context.ledger.jobs(name="recipes")]
    took = spent(backend, "recipes", desk.context)
    assert (len(each), took.usd) == (2, pytest.approx(sum(each)))
    assert took.minutes == pytest.approx(sum(minutes))
    assert min(each + minutes) > 0
    assert spent(backend, "other", desk.context).usd is None
