"""One job's way through the house, over the real ledger and the memory backend."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

import anytune
from anytune import SFT, FineTuneJob, LoRA, Status, TunedModel, aio
from anytune.errors import (
    BudgetExceeded,
    ConfigError,
    DataError,
    DeploymentFailed,
    JobConflict,
    JobFailed,
    JobPaused,
    NotFound,
    Rejected,
    SubmitInDoubt,
    Unsupported,
    WaitTimeout,
)
from anytune.retry import Retry
from anytune.runtime import Runtime
from anytune.testing import Fault, Faults, Life, MemoryBackend
from anytune.values import Quote

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


class Bench:
    """A ledger, a clock that only sleeping moves, and a training file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train = self.write("train.jsonl", ROW, ROW)
        self.now = 1000.0
        self.context = self.fresh()

    def fresh(self) -> Runtime:
        """Give a runtime as another process would have it."""
        retry = Retry(sleep=self.sleep, clock=lambda: self.now, random=lambda: 1.0)
        return Runtime(ledger_url=f"sqlite:///{self.folder}/ledger.db", retry=retry, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def write(self, name: str, *rows: Any) -> Path:
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def backend(self, **settings: Any) -> MemoryBackend:
        return MemoryBackend(clock=lambda: self.now, **settings)

    def create(self, backend: MemoryBackend, context: Runtime | None = None, **settings: Any) -> FineTuneJob:
        given = {"model": "base", "train": self.train, "name": "recipes"} | settings
        return FineTuneJob.create(backend=backend, context=context or self.context, **given)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


def test_a_job_is_created_trained_deployed_and_asked(bench: Bench) -> None:
    heard: list[str] = []
    tuned = bench.create(bench.backend()).wait(on_event=lambda event: heard.append(event.message))
    assert heard
    with tuned.deploy(ttl_s=60) as endpoint:
        assert "2 cups of basil" in endpoint.chat("2 cups of basil")


def test_every_event_is_told_once_and_in_order(bench: Bench) -> None:
    told: list[str] = []
    job = bench.create(bench.backend())
    job.wait(on_event=lambda event: told.append(event.id))
    assert told == [event.id for event in job.events()]
    assert len(set(told)) == len(told)


def test_metrics_are_kept_in_the_ledger(bench: Bench) -> None:
    job = bench.create(bench.backend())
    job.wait()
    steps = [metric.step for metric in job.metrics()]
    assert steps == sorted(set(steps))
    assert [metric.step for metric in job.metrics(after=steps[1])] == steps[2:]


def test_the_same_script_gets_the_same_job_running_or_done(bench: Bench) -> None:
    backend = bench.backend()
    first = bench.create(backend)
    assert bench.create(backend, bench.fresh()).id == first.id
    first.wait()
    again = bench.create(backend, bench.fresh())
    assert (again.id, again.status) == (first.id, Status.SUCCEEDED)
    assert again.wait().id == first.result().id
    assert backend.calls["jobs"] == 1


def test_another_spec_under_the_same_name_is_refused_with_both_differences(bench: Bench) -> None:
    backend = bench.backend()
    bench.create(backend, method=SFT(learning_rate=1e-4))
    with pytest.raises(JobConflict) as caught:
        bench.create(backend, method=SFT(learning_rate=2e-4))
    assert caught.value.differences == {"method.learning_rate": (1e-4, 2e-4)}
    assert backend.calls["jobs"] == 1


def test_what_does_not_change_the_outcome_does_not_change_the_job(bench: Bench) -> None:
    backend = bench.backend()
    first = bench.create(backend, method=SFT(learning_rate=1e-4))
    copy = bench.write("copy.jsonl", ROW, ROW)
    again = bench.create(backend, train=copy, method=SFT(learning_rate=1e-4, logging_steps=5), budget={"max_usd": 50})
    assert again.id == first.id


def test_the_same_name_on_another_account_is_another_job(bench: Bench) -> None:
    one, two = bench.create(bench.backend()), bench.create(bench.backend(account="other"))
    assert one.id != two.id


def test_a_failed_job_says_why_and_a_rerun_raises_until_a_new_attempt(bench: Bench) -> None:
    backend = bench.backend(life=[Life.of(steps=2, end="failed"), Life.of(steps=2)])
    job = bench.create(backend)
    with pytest.raises(JobFailed, match="loss was NaN"):
        job.wait()
    with pytest.raises(JobFailed, match="new_attempt=True"):
        bench.create(backend)
    second = bench.create(backend, new_attempt=True)
    assert (second.attempt, second.wait().base_model) == (2, "base")
    assert bench.create(backend).id == second.id


def test_a_cancelled_job_ends_cancelled(bench: Bench) -> None:
    job = bench.create(bench.backend(life=Life.of(steps=50)))
    assert job.cancel().status is Status.CANCELLED
    with pytest.raises(JobFailed, match="was cancelled"):
        job.wait()


def test_cancelling_again_is_no_error(bench: Bench) -> None:
    job = bench.create(bench.backend(life=Life.of(steps=50)))
    assert job.cancel().cancel().status is Status.CANCELLED


def test_a_wish_to_cancel_outlives_a_provider_that_cannot_be_reached(bench: Bench) -> None:
    faults = Faults(calls=(Fault(kind="server_error", on="cancel", times=5),))
    backend = bench.backend(life=Life.of(steps=50), faults=faults)
    job = bench.create(backend)
    with pytest.raises(anytune.AnytuneError):
        job.cancel()
    assert not job.status.terminal
    with pytest.raises(JobFailed, match="was cancelled"):
        FineTuneJob.get(job.id, context=_with(bench.fresh(), backend)).wait()


def _with(context: Runtime, backend: MemoryBackend) -> Runtime:
    context.backends["memory"] = backend
    return context


def test_pause_and_resume_go_on_to_the_end(bench: Bench) -> None:
    job = bench.create(bench.backend(life=Life.of(steps=6)))
    job.refresh()
    assert job.pause().status is Status.PAUSED
    assert job.resume().wait().id


class Limited(MemoryBackend):
    """Its scripted pauses are the host's own: it says why."""

    def poll(self, job_id: str) -> anytune.Snapshot:
        seen = super().poll(job_id)
        return seen.model_copy(update={"error": "Its time was up."}) if seen.status is Status.PAUSED else seen


@pytest.fixture
def limited(bench: Bench) -> Limited:
    return Limited(clock=lambda: bench.now, life=Life(words=("running", "paused", "running", "succeeded")))


def test_nobody_waits_for_a_job_that_its_host_stopped_and_a_resumed_one_ends(bench: Bench, limited: Limited) -> None:
    job = bench.create(limited)
    with pytest.raises(JobPaused, match=r"is paused: Its time was up\. .*anytune jobs resume") as caught:
        job.wait()
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.status is Status.PAUSED
    assert job.resume().wait().id


def test_the_same_holds_on_the_loop(bench: Bench, limited: Limited) -> None:
    async def told() -> None:
        await aio.FineTuneJob(bench.create(limited)).wait(poll_s=0)

    with pytest.raises(JobPaused, match="Its time was up"):
        asyncio.run(told())


def test_an_ended_job_cannot_be_paused(bench: Bench) -> None:
    job = bench.create(bench.backend())
    job.wait()
    with pytest.raises(ConfigError, match="nothing to pause"):
        job.pause()


def test_a_lost_reply_makes_one_job(bench: Bench) -> None:
    backend = bench.backend(faults=Faults(calls=(Fault(kind="drop_reply"),)))
    assert bench.create(backend).wait()
    assert backend.calls["jobs"] == 1


def test_a_create_that_stays_in_doubt_is_never_sent_again(bench: Bench) -> None:
    backend = bench.backend(faults=Faults(calls=(Fault(kind="drop_reply"),), incomplete_listings=1000))
    with pytest.raises(SubmitInDoubt):
        bench.create(backend)
    with pytest.raises(SubmitInDoubt):
        bench.create(backend, bench.fresh())
    assert backend.calls["jobs"] == 1


def test_a_doubt_that_only_a_person_ends_is_not_waited_out(bench: Bench) -> None:
    backend = bench.backend(faults=Faults(calls=(Fault(kind="server_error"),)))
    with pytest.raises(SubmitInDoubt):
        bench.create(backend, on_in_doubt="reconcile_then_ask")
    job = FineTuneJob.get("recipes", context=bench.context)
    job._on_in_doubt = "reconcile_then_ask"  # as what was quoted above $10 is treated
    with pytest.raises(SubmitInDoubt, match="--resend"):
        job.wait(poll_s=1, timeout_s=3600)
    assert backend.calls["submit"] == 1


def test_a_doubt_that_time_may_end_is_waited_out(bench: Bench) -> None:
    calls = (Fault(kind="drop_reply"), Fault(kind="server_error", on="find", times=12))
    backend = bench.backend(faults=Faults(calls=calls))
    with pytest.raises(SubmitInDoubt):
        bench.create(backend)
    assert FineTuneJob.get("recipes", context=bench.context).wait(poll_s=1)
    assert backend.calls["submit"] == 1


def test_a_refused_job_can_be_run_again_after_the_fix(bench: Bench) -> None:
    backend = bench.backend(faults=Faults(calls=(Fault(kind="reject"),)))
    with pytest.raises(Rejected):
        bench.create(backend)
    assert bench.create(backend).wait()
    assert backend.calls["jobs"] == 1


def test_polling_survives_a_provider_that_is_away_for_a_while(bench: Bench) -> None:
    faults = Faults(calls=(Fault(kind="server_error", on="poll", times=12),))
    assert bench.create(bench.backend(faults=faults)).wait()


def test_patience_ends_and_the_job_goes_on(bench: Bench) -> None:
    job = bench.create(bench.backend(life=Life.of(steps=500)))
    with pytest.raises(WaitTimeout) as caught:
        job.wait(timeout_s=20)
    assert caught.value.job_id == job.id
    assert not job.status.terminal


def test_an_unknown_status_is_reported_as_unknown(bench: Bench) -> None:
    job = bench.create(bench.backend(life=Life(words=("pondering", "running", "succeeded"))))
    assert job.refresh().status is Status.UNKNOWN
    assert job.wait()


def test_a_result_before_the_end_is_refused(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="no model yet"):
        bench.create(bench.backend(life=Life.of(steps=50))).result()


def test_preflight_makes_no_job(bench: Bench) -> None:
    backend = bench.backend()
    found = FineTuneJob.preflight(backend=backend, model="base", train=bench.train, context=bench.context)
    assert found.ok
    assert found.stats.rows == 2
    assert found.quote.minutes is not None
    assert backend.calls.get("jobs", 0) == 0
    assert FineTuneJob.list(context=bench.context) == []


def test_a_bad_row_stops_everything_with_its_number(bench: Bench) -> None:
    backend = bench.backend()
    bad = bench.write("bad.jsonl", ROW, {"messages": [{"role": "user", "content": "a"}]})
    with pytest.raises(DataError, match="Row 2") as caught:
        bench.create(backend, train=bad)
    assert caught.value.findings[0].row == 2
    assert backend.calls == {}
    assert FineTuneJob.list(context=bench.context) == []


def test_a_setting_the_target_lacks_is_listed_as_lost(bench: Bench) -> None:
    found = FineTuneJob.preflight(backend=bench.backend(), model="base", train=bench.train, method=SFT(packing=True), context=bench.context)
    assert [(f.severity, f.code) for f in found.losses] == [("warning", "lost")]
    assert "packing" in found.losses[0].message


def test_a_loss_is_an_error_when_the_spec_is_strict(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="packing"):
        bench.create(bench.backend(), method=SFT(packing=True), strict=True)


def test_a_method_the_target_lacks_is_always_an_error(bench: Bench) -> None:
    able = bench.backend().capabilities.model_copy(update={"methods": frozenset({"dpo"})})
    with pytest.raises(ConfigError, match="does not offer method 'sft'"):
        bench.create(bench.backend(capabilities=able))


def test_an_alias_is_echoed(bench: Bench) -> None:
    found = FineTuneJob.preflight(
        backend=bench.backend(), model="base", train=bench.train, method=SFT(n_epochs=2), adapter=LoRA(rank=4), context=bench.context
    )
    assert {f.message for f in found.findings} >= {"`n_epochs` is taken as `num_train_epochs`.", "`rank` is taken as `r`."}


def test_a_quote_over_the_budget_is_refused_before_anything_is_sent(bench: Bench) -> None:
    backend = bench.backend()
    with pytest.raises(BudgetExceeded, match="budget"):
        bench.create(backend, budget={"max_hours": 1e-9})
    assert backend.calls.get("jobs", 0) == 0


def test_a_budget_in_money_without_a_price_is_a_warning(bench: Bench) -> None:
    class Free(MemoryBackend):
        def quote(self, spec: Any, stats: Any) -> Quote:
            return Quote(basis="nobody knows")

    backend = Free(clock=lambda: bench.now)
    told = {"model": "base", "train": bench.train, "method": SFT(), "context": bench.context}
    found = FineTuneJob.preflight(backend=backend, budget={"max_usd": 5}, **told)
    assert [(f.severity, f.message) for f in found.findings if f.code == "no-price"] == [
        ("warning", "The budget is 5.00 US dollars, and no price is known for this run.")
    ]
    assert "no-price" not in {f.code for f in FineTuneJob.preflight(backend=backend, budget={"max_hours": 1}, **told).findings}


def test_a_spec_from_a_file_may_be_changed_by_arguments(bench: Bench) -> None:
    spec = bench.folder / "spec.yaml"
    spec.write_text("backend: memory\nmodel: base\ntrain: train.jsonl\nname: from-file\n", encoding="utf-8")
    job = FineTuneJob.create(spec, backend=bench.backend(), method=SFT(n_epochs=1), context=bench.context)
    assert (job.name, job.row.outcome["method"]["num_train_epochs"]) == ("from-file", 1.0)


def test_one_model_for_each_backend(bench: Bench) -> None:
    job = bench.create(bench.backend(), model={"memory": "small", "openai": "large"})
    assert job.wait().base_model == "small"
    with pytest.raises(ConfigError, match="memory"):
        bench.create(bench.backend(), model={"openai": "large"}, name="other")


def test_a_tuned_model_is_trained_further(bench: Bench) -> None:
    backend = bench.backend()
    first = bench.create(backend).wait()
    assert bench.create(backend, model=first, name="further").wait().base_model == first.id


def test_a_job_that_anytune_did_not_create_is_taken_in_once(bench: Bench) -> None:
    backend = bench.backend()
    remote_id = bench.create(backend).remote_id
    assert remote_id is not None
    other = Runtime(ledger_url=f"sqlite:///{bench.folder}/other.db", retry=bench.context.retry, sleep=bench.sleep, clock=lambda: bench.now)
    attached = FineTuneJob.attach(backend, remote_id, context=other)
    assert FineTuneJob.attach(backend, remote_id, context=other).id == attached.id
    assert attached.wait().id


def test_attaching_what_does_not_exist_is_not_found(bench: Bench) -> None:
    with pytest.raises(NotFound):
        FineTuneJob.attach(bench.backend(), "job-999", context=bench.context)


def test_jobs_are_found_by_id_beginning_and_name(bench: Bench) -> None:
    job = bench.create(bench.backend())
    assert {FineTuneJob.get(word, context=bench.context).id for word in (job.id, job.id[:12], "recipes")} == {job.id}
    with pytest.raises(NotFound):
        FineTuneJob.get("nobody", context=bench.context)


def test_jobs_are_listed_newest_first_and_by_status(bench: Bench) -> None:
    backend = bench.backend(life=[Life.of(steps=1), Life.of(steps=500)])
    first = bench.create(backend, name="one")
    first.wait()
    second = bench.create(backend, name="two")
    assert [job.id for job in FineTuneJob.list(context=bench.context)] == [second.id, first.id]
    assert [job.id for job in FineTuneJob.list(status="succeeded", context=bench.context)] == [first.id]


def test_a_local_job_of_another_machine_is_shown_and_never_polled(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    able = bench.backend().capabilities.model_copy(update={"local": True})
    backend = bench.backend(capabilities=able)
    monkeypatch.setenv("ANYTUNE_HOST", "elsewhere")
    job = bench.create(backend)
    polls = backend.calls.get("poll", 0)
    monkeypatch.setenv("ANYTUNE_HOST", "here")
    there = FineTuneJob.get(job.id, context=_with(bench.fresh(), backend))
    there.refresh()
    assert backend.calls.get("poll", 0) == polls
    assert there.host == "elsewhere"
    with pytest.raises(Unsupported, match="elsewhere"):
        there.pause()


def test_checkpoints_can_be_deployed(bench: Bench) -> None:
    job = bench.create(bench.backend())
    job.wait()
    found = job.checkpoints()
    assert [c.step for c in found] == sorted(c.step for c in found)
    with TunedModel.from_id(job.backend, found[0].model, context=bench.context).deploy(ttl_s=60) as endpoint:
        assert endpoint.chat("hello")


def test_leaving_the_block_takes_the_host_down(bench: Bench) -> None:
    tuned = bench.create(bench.backend()).wait()
    deployment = tuned.deploy(ttl_s=60)
    with deployment as endpoint:
        assert endpoint.chat("hello")
        assert [d.id for d in anytune.Deployment.list(context=bench.context)] == [deployment.id]
    assert deployment.state == "gone"
    assert anytune.Deployment.list(context=bench.context) == []
    assert deployment.stop().state == "gone"


def test_a_host_that_fails_is_taken_down_and_says_why(bench: Bench) -> None:
    backend = bench.backend(faults=Faults(deploy_error="no machine of this kind is free"))
    tuned = bench.create(backend).wait()
    deployment = tuned.deploy(ttl_s=60)
    with pytest.raises(DeploymentFailed, match="no machine of this kind"), deployment:
        pass
    assert deployment.state == "gone"


def test_a_host_costs_by_the_hour(bench: Bench) -> None:
    deployment = bench.create(bench.backend()).wait().deploy(ttl_s=60)
    with deployment:
        assert deployment.hourly_usd
        assert deployment.cost_usd is not None
        assert 0 <= deployment.cost_usd < deployment.hourly_usd


def test_a_model_that_is_served_already_needs_no_host(bench: Bench) -> None:
    able = bench.backend().capabilities
    able = able.model_copy(update={"abilities": able.abilities - {"deploy"}})
    tuned = bench.create(bench.backend(capabilities=able, served=True)).wait()
    with tuned.deploy() as endpoint:
        assert endpoint.chat("hello")


def test_a_ttl_of_nothing_is_refused(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="ttl_s"):
        bench.create(bench.backend()).wait().deploy(ttl_s=0)


def test_the_same_verbs_can_be_awaited(bench: Bench) -> None:
    heard: list[str] = []

    async def story() -> str:
        job = await aio.FineTuneJob.create(backend=bench.backend(), model="base", train=bench.train, context=bench.context)
        tuned = await job.wait(on_event=lambda event: heard.append(event.message), poll_s=0)
        assert await job.metrics()
        assert await job.checkpoints()
        async with await tuned.deploy(ttl_s=60) as endpoint:
            return await endpoint.chat("hello")

    assert "hello" in asyncio.run(story())
    assert heard
