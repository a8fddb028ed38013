"""What runs or bills at a provider and the ledger does not know is shown, and nothing else is touched."""

from __future__ import annotations

import pytest
from ulid import ULID

from anytune import TunedModel, upkeep
from anytune.backend import DeployOrder
from anytune.errors import ConfigError, NotFound, Unsupported
from anytune.testing import Fault, Life


@pytest.fixture
def model(desk):
    """Hosts need a model that was made."""
    job = desk.create("made")
    with desk.backend.store.change() as state:
        state.jobs[job.remote_id].life = Life.of(steps=1)
    while not job.status.terminal:
        job.refresh()
    yield job.result().ref
    for host in desk.backend.list_deployments():
        desk.backend.undeploy(host.id)


def host(desk, model, ledger):
    return desk.backend.deploy(DeployOrder(ref=str(ULID()), ledger=ledger, model=model, name="host", ttl_s=600))


def forget(desk, job):
    with desk.context.ledger.database.write() as connection:
        connection.exec_driver_sql(f"DELETE FROM anytune_jobs WHERE id='{job.id}'")


def found(desk, **more):
    return upkeep.orphans(backend="memory", context=desk.context, **more)


def test_what_the_ledger_knows_is_no_orphan(desk, model):
    desk.create()
    deployment = TunedModel(model, backend="memory", context=desk.context).deploy(ttl_s=60)
    assert (found(desk).ours, found(desk).others, found(desk).usd_per_day) == ((), (), 0.0)
    deployment.stop()


def test_a_job_without_a_row_is_shown_and_adopted_under_its_name(desk):
    job = desk.create()
    forget(desk, job)
    (orphan,) = found(desk).ours
    assert (orphan.kind, orphan.remote_id, orphan.name, orphan.why) == ("job", "job-000001", "recipes", "the ledger has no row of it")
    row = upkeep.adopt(orphan, context=desk.context)
    assert (row.name, row.remote_id) == ("recipes", "job-000001")
    assert found(desk).ours == ()


def test_a_job_is_adopted_under_its_own_id_where_its_name_is_taken(desk):
    forget(desk, desk.create())
    desk.create(method={"type": "sft", "num_train_epochs": 3})
    (orphan,) = found(desk).ours
    assert upkeep.adopt(orphan, context=desk.context).name == "job-000001"


def test_a_job_that_was_cancelled_is_nobodys_loss(desk):
    job = desk.create()
    job.cancel()
    forget(desk, job)
    assert found(desk).ours == ()


def test_a_second_job_of_a_row_is_shown_with_what_cancels_it(desk):
    from anytune.ledger.reconcile import files_of, order_of

    row = desk.create().row
    desk.backend.submit(order_of(row, files_of(desk.context.ledger, row)))
    (orphan,) = found(desk).ours
    assert (orphan.remote_id, orphan.row) == ("job-000002", row.id)
    assert "second job of recipes, beside job-000001" in orphan.why
    with pytest.raises(ConfigError, match="no job of this ledger without a row"):
        upkeep.adopt(orphan, context=desk.context)
    upkeep.reconcile(row.id, context=desk.context)
    assert found(desk).ours == ()


def test_a_job_in_doubt_is_shown_with_what_adopts_it(desk):
    row = desk.doubtful()
    (orphan,) = found(desk).ours
    assert (orphan.row, orphan.fix) == (row.id, f"`anytune reconcile {row.id}` adopts it.")


def test_another_ledgers_job_is_shown_apart_and_cannot_be_adopted(desk):
    desk.create(context=desk.other)
    seen = found(desk)
    (orphan,) = seen.others
    assert (seen.ours, orphan.whose) == ((), "another's")
    with pytest.raises(ConfigError):
        upkeep.adopt(orphan, context=desk.context)


def test_an_untagged_job_is_not_shown_at_all(desk):
    desk.create(context=desk.other)
    with desk.backend.store.change() as state:
        state.jobs["job-000001"].ledger = state.jobs["job-000001"].ref = ""
    seen = found(desk)
    assert (seen.ours, [one.ledger for one in desk.backend.list_jobs()]) == ((), [None])


def test_a_host_without_a_row_is_shown_with_what_it_bills_a_day_and_ended(desk, model):
    made = host(desk, model, desk.context.ledger.uuid)
    seen = found(desk)
    (orphan,) = seen.ours
    assert (orphan.remote_id, orphan.usd_per_day, seen.usd_per_day, seen.at_least) == (made.id, 12.0, 12.0, False)
    upkeep.end(orphan, context=desk.context)
    assert desk.backend.list_deployments() == []


@pytest.mark.parametrize(("ledger", "whose"), [("another-ledger", "another's"), ("", "unknown")])
def test_a_host_that_is_not_provably_ours_is_shown_apart_and_never_ended(desk, model, ledger, whose):
    host(desk, model, ledger)
    seen = found(desk)
    (orphan,) = seen.others
    assert (seen.ours, seen.usd_per_day, orphan.whose) == ((), 0.0, whose)
    with pytest.raises(ConfigError, match="no host of this ledger"):
        upkeep.end(orphan, context=desk.context)
    assert len(desk.backend.list_deployments()) == 1


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("expires_at='2020-01-01 00:00:00.000000'", "it is over its time"),
        ("state='gone'", "the ledger took it for gone"),
        ("stop_requested=1", "its end was asked for, and it is there still"),
    ],
)
def test_a_host_that_should_be_gone_is_shown_and_ended(desk, model, sql, why):
    deployment = TunedModel(model, backend="memory", context=desk.context).deploy(ttl_s=60)
    with desk.context.ledger.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE anytune_deployments SET {sql}")
    (orphan,) = found(desk).ours
    assert (orphan.row, orphan.why) == (deployment.id, why)
    upkeep.end(orphan, context=desk.context)
    assert desk.backend.list_deployments() == []


def test_a_listing_that_is_cut_short_says_so(desk):
    for name in ("one", "two", "three"):
        desk.create(name)
    seen = found(desk, limit=2)
    assert (seen.cut, seen.at_least) == (("memory",), True)


def test_a_provider_that_is_away_is_named_and_the_others_are_asked(desk, tmp_path):
    (tmp_path / "anytune.toml").write_text('[profiles.trial]\nbackend = "memory"\naccount = "second"\n')
    desk.faulty(Fault(kind="server_error", on="list_deployments", times=99))
    desk.create()
    seen = upkeep.orphans(context=desk.context)
    assert [one.backend for one in seen.failed] == ["memory"]
    assert (seen.asked, seen.at_least) == (("trial", "memory"), True)


def test_jobs_are_listed_also_where_hosts_cannot_be(desk):
    forget(desk, desk.create())
    desk.faulty(Fault(kind="server_error", on="list_deployments", times=99))
    seen = found(desk)
    assert [one.kind for one in seen.ours] == ["job"]
    assert [one.backend for one in seen.failed] == ["memory"]


def test_a_backend_that_cannot_list_says_so_where_it_is_named(desk):
    desk.mended(abilities=frozenset({"upload"}))
    with pytest.raises(Unsupported):
        found(desk)


def test_ending_is_over_only_when_the_provider_says_so(desk, model):
    host(desk, model, desk.context.ledger.uuid)
    (orphan,) = found(desk).ours
    desk.faulty(Fault(kind="server_error", on="undeploy", times=7))
    upkeep.end(orphan, context=desk.context)
    assert desk.backend.list_deployments() == []
    with pytest.raises(NotFound):
        desk.context.ledger.deployment(orphan.remote_id)
