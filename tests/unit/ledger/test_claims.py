"""Which job is it? The rules of DESIGN.md."""

from __future__ import annotations

import pytest

from anytune.errors import ConfigError, JobConflict, JobFailed, NotFound
from anytune.spec import DPO, SFT, Budget, LoRA, TrainingSpec, spec_hash
from anytune.values import Quote, Snapshot, Status


def end(ledger, row, status, **fields):
    return ledger.record(row.id, Snapshot(id="r", status=status, **fields))


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING, Status.SUCCEEDED])
def test_the_same_name_and_spec_give_the_same_job_running_or_done(ledger, claim, status):
    row = claim()
    end(ledger, row, status)
    assert claim().id == row.id


def test_tracker_budget_and_path_do_not_make_it_another_job(claim, train, tmp_path):
    row = claim()
    moved = train.model_copy(update={"path": tmp_path / "elsewhere.jsonl"})
    again = claim(file=moved, budget=Budget(max_usd=1), method=SFT(num_train_epochs=1, report_to=("wandb",)))
    assert again.id == row.id
    assert again.data["train"].path == moved.path


def test_another_spec_under_the_name_is_refused_with_both_differences(claim):
    row = claim(method=SFT(learning_rate=1e-4))
    with pytest.raises(JobConflict) as refused:
        claim(method=SFT(learning_rate=2e-4, seed=1))
    assert refused.value.differences == {"method.learning_rate": (1e-4, 2e-4), "method.seed": (None, 1)}
    assert refused.value.job_id == row.id
    assert "method.learning_rate: 0.0001 there, 0.0002 here; method.seed: not set there, 1 here" in str(refused.value)


def test_other_data_is_shown_as_a_difference(claim, train):
    claim()
    with pytest.raises(JobConflict) as refused:
        claim(file=train.model_copy(update={"sha256": "0" * 64}))
    assert set(refused.value.differences) == {"data.train"}


@pytest.mark.parametrize(("status", "word"), [(Status.FAILED, "failed"), (Status.CANCELLED, "was cancelled")])
def test_a_rerun_after_a_failure_raises_with_the_reason_and_the_way_on(ledger, claim, status, word):
    row = claim()
    end(ledger, row, status, error="out of memory at step 3")
    with pytest.raises(JobFailed, match=f"{word}: out of memory at step 3") as raised:
        claim()
    assert "new_attempt=True (--new-attempt)" in str(raised.value)
    assert raised.value.snapshot.error == "out of memory at step 3"


def test_a_job_that_was_ended_for_its_budget_says_so(ledger, claim):
    row = claim()
    end(ledger, row, Status.RUNNING)
    ledger.request_cancel(row.id, reason="4.10 USD spent, 4.00 allowed")
    end(ledger, row, Status.CANCELLED)
    with pytest.raises(JobFailed, match=r"4\.10 USD spent, 4\.00 allowed"):
        claim()


def test_new_attempts_are_numbered_and_the_latest_is_the_job(ledger, claim):
    first = claim()
    end(ledger, first, Status.FAILED)
    second = claim(new_attempt=True)
    end(ledger, second, Status.SUCCEEDED)
    third = claim(new_attempt=True, method=SFT(seed=7))
    assert [first.attempt, second.attempt, third.attempt] == [1, 2, 3]
    assert ledger.job("recipes").id == third.id


def test_a_new_attempt_of_a_live_job_is_that_job(ledger, claim):
    row = claim()
    end(ledger, row, Status.RUNNING)
    assert claim(new_attempt=True).id == row.id


def test_the_name_at_another_backend_or_account_is_another_job(claim):
    ids = {claim().id, claim(backend="other").id, claim(account="team").id}
    assert len(ids) == 3


def test_the_row_holds_the_spec_so_that_its_hash_comes_out_again(claim, train):
    for method in (SFT(n_epochs=3, seed=1), DPO(beta=0.2)):
        row = claim(name=method.type, method=method, adapter=LoRA(r=4, target_modules=("q_proj", "v_proj")))
        assert spec_hash(TrainingSpec(**row.spec), model=row.model, data={"train": train.sha256}) == row.spec_hash


def test_a_job_is_found_by_id_by_its_beginning_and_by_name(ledger, claim):
    row = claim()
    assert {ledger.job(word).id for word in (row.id, row.id.lower(), row.id[:20], "recipes")} == {row.id}


@pytest.mark.parametrize("word", ["nothing", "", "%", "______", "' OR 1=1 --", "0"])
def test_what_is_no_job_is_not_found(ledger, claim, word):
    claim()
    with pytest.raises(NotFound, match="knows no job"):
        ledger.job(word)


def test_a_word_that_may_mean_several_jobs_names_them(ledger, claim):
    one, other = claim(), claim(backend="other")
    with pytest.raises(ConfigError) as raised:
        ledger.job("recipes")
    assert one.id in str(raised.value)
    assert other.id in str(raised.value)
    assert "recipes@other" in str(raised.value)


def test_a_name_that_several_backends_have_is_told_apart_by_the_backend(ledger, claim):
    one, other = claim(), claim(backend="other")
    assert (ledger.job(f"recipes@{one.backend}").id, ledger.job("recipes@other").id) == (one.id, other.id)
    with pytest.raises(NotFound):
        ledger.job("recipes@nobody")


def test_what_a_backend_chooses_while_it_trains_is_kept_beside_what_it_chose_before(ledger, claim):
    row = claim()
    ledger.record(row.id, Snapshot(id="r", status=Status.QUEUED, resolved={"num_train_epochs": "auto", "seed": 7}))
    kept = ledger.record(row.id, Snapshot(id="r", status=Status.RUNNING, resolved={"num_train_epochs": 3}))
    assert kept.resolved == {"num_train_epochs": 3, "seed": 7}
    assert ledger.record(row.id, Snapshot(id="r", status=Status.SUCCEEDED)).resolved == kept.resolved


def test_jobs_are_listed_newest_first_by_status_backend_and_name(ledger, claim):
    first, second, third = claim(name="a"), claim(name="b"), claim(name="c", backend="other")
    end(ledger, second, Status.RUNNING)
    assert [row.id for row in ledger.jobs()] == [third.id, second.id, first.id]
    assert [row.id for row in ledger.jobs(status="running")] == [second.id]
    assert [row.id for row in ledger.jobs(status=[Status.RUNNING, Status.SUBMITTING], backend="memory", limit=1)] == [second.id]
    assert [row.id for row in ledger.jobs(name="c")] == [third.id]


def test_attaching_a_remote_job_twice_gives_one_row(ledger):
    key = {"backend": "memory", "account": "default", "profile": None, "remote_id": "job-9", "name": "old", "host": None}
    row = ledger.attach(**key, snapshot=Snapshot(id="job-9", status=Status.RUNNING))
    again = ledger.attach(**key, snapshot=Snapshot(id="job-9", status=Status.SUCCEEDED))
    assert (again.id, again.status, again.submit_state) == (row.id, Status.SUCCEEDED, "submitted")


def test_attaching_under_a_taken_name_is_refused(ledger, claim):
    row = claim()
    with pytest.raises(ConfigError, match=row.id):
        ledger.attach(
            backend="memory",
            account="default",
            profile=None,
            remote_id="job-9",
            name="recipes",
            host=None,
            snapshot=Snapshot(id="job-9", status=Status.RUNNING),
        )


def test_only_an_ended_job_is_removed_and_its_events_with_it(ledger, claim):
    row = claim()
    with pytest.raises(ConfigError, match="only an ended job"):
        ledger.remove(row.id)
    end(ledger, row, Status.FAILED)
    ledger.remove(row.id)
    with pytest.raises(NotFound):
        ledger.job(row.id)


def test_the_estimate_stands_beside_what_the_run_took(ledger, claim, clock):
    estimate = Quote(tokens=1000, minutes=5.0, memory_bytes=2_000_000, basis="estimated from the model's config")
    row = claim(estimate=estimate)
    assert (Quote.model_validate(row.estimate), row.actual) == (estimate, Quote())
    ledger.record(row.id, Snapshot(id="r", status=Status.RUNNING))
    clock.sleep(240)
    row = ledger.record(row.id, Snapshot(id="r", status=Status.SUCCEEDED, trained_tokens=990, cost_usd=0.0, peak_memory_bytes=1_900_000))
    assert row.actual == Quote(tokens=990, cost_usd=0.0, minutes=4.0, memory_bytes=1_900_000, basis="minutes between two looks")
    assert Quote.model_validate(row.estimate) == estimate


def test_the_backends_own_minutes_are_taken_over_the_time_between_looks(ledger, claim):
    row = claim()
    row = ledger.record(row.id, Snapshot(id="r", status=Status.SUCCEEDED, minutes=3.5))
    assert (row.actual.minutes, row.actual.basis) == (3.5, "as the backend counted")
