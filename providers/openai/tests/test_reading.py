"""Records as hosts give them, in all the shapes that were seen, become anytune's values; what is not there stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from anytune.testing.simulators.errors import JOB_ERRORS
from anytune.values import Status
from anytune_openai import OPENAI
from anytune_openai.reading import checkpoint, event, job, method_of, snapshot

TUNED = "ft:gpt-4.1-mini-2025-04-14:org:recipes:abc12345"


def record(**fields):
    return {"id": "ftjob-1", "object": "fine_tuning.job", "status": "running", "model": "gpt-4.1-mini-2025-04-14"} | fields


def test_a_job_that_has_succeeded_gives_its_model_tokens_and_price():
    seen = snapshot(record(status="succeeded", fine_tuned_model=TUNED, trained_tokens=1_000_000), OPENAI, catalogued="openai")
    assert seen.status is Status.SUCCEEDED
    assert seen.model is not None
    assert (seen.model.id, seen.model.base_model) == (TUNED, "gpt-4.1-mini-2025-04-14")
    assert (seen.trained_tokens, seen.cost_usd) == (1_000_000, 5.0)


def test_no_price_is_told_of_a_host_that_the_catalogue_does_not_know():
    assert snapshot(record(status="succeeded", trained_tokens=1_000_000), OPENAI).cost_usd is None


def test_a_reinforcement_job_is_billed_by_the_hour_and_not_priced_by_tokens():
    raw = record(model="o4-mini-2025-04-16", trained_tokens=1000, method={"type": "reinforcement"})
    assert snapshot(raw, OPENAI, catalogued="openai").cost_usd is None


@pytest.mark.parametrize("error", [None, {}, {"code": None, "message": None, "param": None}], ids=str)
def test_a_job_that_is_well_has_no_error_whatever_the_error_object_looks_like(error):
    assert snapshot(record(error=error), OPENAI).error == ""


def test_a_failed_job_without_a_reason_says_so():
    assert "no reason" in snapshot(record(status="failed", error=None), OPENAI).error


FIXES = {
    "invalid_n_examples": "10 at least",
    "invalid_training_file": "anytune data check",
    "unexpected_format": "anytune data check",
    "wrong_method": "method",
    "invalid_file_format": "key that the message names",
    "moderation": "flagged rows",
    "moderation_hate": "flagged rows",
    "server_error": "host's, not the data's",
    "exceeded_quota": "billing",
    "user-error": "billing",
}


def test_every_known_failure_of_a_job_is_looked_at_here():
    assert set(FIXES) == set(JOB_ERRORS)


@pytest.mark.parametrize(("name", "essential"), FIXES.items())
def test_each_failure_of_a_job_says_what_happened_and_what_helps(name, essential):
    failed = JOB_ERRORS[name].filled({"examples": 7, "reason": "Example 100, message 2 Discriminator 'role' is missing in value"})
    said = snapshot(record(status="failed", error=failed._asdict()), OPENAI).error
    assert said.startswith(f"{failed.code}: {failed.message.strip()}")
    assert essential in said.removeprefix(f"{failed.code}: {failed.message}")


def test_a_failure_nobody_knows_is_told_as_it_came():
    error = {"code": "solar_flare", "message": "The sun was too bright.", "param": None}
    assert snapshot(record(status="failed", error=error), OPENAI).error == "solar_flare: The sun was too bright."


def test_a_key_in_an_error_or_a_record_is_not_kept():
    error = {"code": "user-error", "message": "Bad key sk-proj-canary12345678", "param": None}
    seen = snapshot(record(status="failed", error=error, integrations=[{"wandb": {"project": "sk-proj-canary12345678"}}]), OPENAI)
    assert "canary" not in seen.model_dump_json()


def test_a_finish_that_was_estimated_is_told_as_seconds_from_now():
    ends = datetime.now(UTC).timestamp() + 600
    assert snapshot(record(estimated_finish=int(ends)), OPENAI).eta_s == pytest.approx(600, abs=5)
    assert snapshot(record(status="succeeded", fine_tuned_model=TUNED, estimated_finish=int(ends)), OPENAI).eta_s is None


def test_a_job_carries_its_tag_and_what_the_host_chose():
    method = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 3, "beta": 0.1, "batch_size": "auto"}}}
    seen = job(
        record(
            created_at=1_795_000_000, metadata={"anytune_ref": "REF", "anytune_spec": "1:abc"}, method=method, hyperparameters=None, seed=7
        ),
        OPENAI,
    )
    assert (seen.ref, seen.spec_hash, seen.base_model) == ("REF", "1:abc", "gpt-4.1-mini-2025-04-14")
    assert seen.resolved == {"num_train_epochs": 3, "batch_size": "auto", "beta": 0.1, "seed": 7}
    assert seen.created_at == datetime.fromtimestamp(1_795_000_000, UTC)


@pytest.mark.parametrize("fields", [{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"theirs": "x"}}], ids=str)
def test_a_job_of_strangers_carries_no_ref(fields):
    assert job(record(**fields), OPENAI).ref is None


def test_a_bare_record_is_enough():
    bare = {"id": "ftjob-1"}
    assert job(bare, OPENAI).status is Status.UNKNOWN
    assert snapshot(bare, OPENAI, catalogued="openai").cost_usd is None
    assert method_of(bare) == "sft"


@pytest.mark.parametrize("given", [-1, "auto", 3], ids=str)
def test_minus_one_epoch_means_that_the_host_chooses(given):
    resolved = job(record(hyperparameters={"n_epochs": given}), OPENAI).resolved
    assert resolved == {"num_train_epochs": "auto" if given == -1 else given}


@pytest.mark.parametrize("data", [None, {}, {"step": 3, "train_loss": 0.5}], ids=str)
def test_events_are_read_with_or_without_numbers(data):
    seen = event({"id": "ftevent-1", "created_at": 1_795_000_000, "level": "warn", "message": "Slow.", "data": data})
    assert (seen.level, seen.message, seen.data) == ("warning", "Slow.", data or {})


def test_checkpoints_have_trainers_names_for_their_numbers():
    raw = {
        "id": "ftckpt_1",
        "created_at": 1_795_000_000,
        "fine_tuned_model_checkpoint": f"{TUNED}:ckpt-step-100",
        "step_number": 100,
        "metrics": {"step": 100, "train_loss": 0.5, "full_valid_loss": 0.7},
    }
    point = checkpoint(raw)
    assert point is not None
    assert (point.step, point.model) == (100, f"{TUNED}:ckpt-step-100")
    assert point.metrics == {"loss": 0.5, "full_valid_loss": 0.7}
    assert checkpoint({"id": "ftckpt_2"}) is None
