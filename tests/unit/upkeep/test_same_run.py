"""Two ledgers at one account: the second one hears of the first one's job before it pays for the same run."""

from __future__ import annotations

import pytest

from anytune.errors import AnytuneError
from anytune.testing import Fault, Life


def same(desk, context=None, name="recipes", **more):
    from anytune import FineTuneJob

    train = desk.folder / "train.jsonl"
    found = FineTuneJob.preflight(backend="memory", model="m", train=train, name=name, context=context or desk.context, **more)
    return [(one.code, one.severity) for one in found.findings if one.code in {"same-run", "not-checked"}]


def test_a_living_job_of_another_ledger_stops_the_same_run(desk):
    job = desk.create(context=desk.other)
    assert same(desk) == [("same-run", "error")]
    with pytest.raises(AnytuneError, match="made by another ledger") as raised:
        desk.create()
    assert f"anytune jobs attach memory {job.remote_id} --name recipes" in str(raised.value)
    assert len(desk.made) == 1


def test_who_wants_to_pay_twice_says_so(desk):
    desk.create(context=desk.other)
    desk.create(allow=["same-run"])
    assert len(desk.made) == 2


def test_a_job_that_succeeded_is_only_a_warning(desk):
    job = desk.create(context=desk.other)
    with desk.backend.store.change() as state:
        state.jobs[job.remote_id].life = Life.of(steps=1)
    while not job.status.terminal:
        job.refresh()
    assert same(desk) == [("same-run", "warning")]


def test_a_job_that_was_cancelled_is_nothing_to_wait_for(desk):
    desk.create(context=desk.other).cancel()
    assert same(desk) == []


@pytest.mark.parametrize("more", [{"name": "another"}, {"method": {"type": "sft", "num_train_epochs": 9}}])
def test_another_name_or_other_settings_are_another_run(desk, more):
    desk.create(context=desk.other)
    assert same(desk, **more) == []


def test_ones_own_job_is_no_other_ledgers(desk):
    desk.create()
    assert same(desk) == []


def test_a_listing_that_cannot_be_had_is_said_and_stops_nothing(desk):
    desk.create(context=desk.other)
    desk.faulty(Fault(kind="server_error", on="list_jobs", times=99))
    assert same(desk) == [("not-checked", "info")]


def test_a_backend_of_this_machine_is_not_asked(desk):
    desk.create(context=desk.other)
    desk.mended(local=True)
    asked = desk.backend.calls.get("list_jobs", 0)
    assert same(desk) == []
    assert desk.backend.calls.get("list_jobs", 0) == asked
