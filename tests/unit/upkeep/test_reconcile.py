"""What is in doubt is cleared up, or said with what is known, what is not, and until when."""

from __future__ import annotations

import os

import pytest

from anytune import FineTuneJob, upkeep
from anytune.backend import LocalFile, RemoteDeployment
from anytune.errors import ConfigError, NotFound, SubmitInDoubt
from anytune.ledger import files, transitions
from anytune.ledger.policy import policy_for
from anytune.ledger.sender import sending
from anytune.testing import Fault
from anytune.values import ModelRef, Quote, Status


def only(done):
    (case,) = done.cases
    return case


def dead_sender():
    with sending() as sender:
        return sender.model_copy(update={"pid": 2**22 - 1, "started": "1"})


def being_sent(desk, job, sender):
    """Take a job back to where its create was sent by somebody, and nobody has answered."""
    with desk.context.ledger.database.write() as connection:
        connection.exec_driver_sql("UPDATE anytune_jobs SET submit_state='intent', remote_id=NULL, status='submitting', fence=0")
    with desk.context.ledger.database.write() as connection:
        transitions.start(connection, desk.context.ledger.job(job.id), sender, now=desk.now())


def test_nothing_is_open_where_nothing_is_in_doubt(desk):
    desk.create()
    done = upkeep.reconcile(context=desk.context)
    assert (done.cases, done.extras, done.failed, done.open) == ((), (), (), False)


def test_a_job_whose_reply_was_lost_is_adopted(desk):
    row = desk.doubtful()
    case = only(upkeep.reconcile(context=desk.context))
    assert (case.id, case.was, case.now, case.open) == (row.id, "in_doubt", "queued", False)
    assert [job.id for job in desk.made] == [desk.context.ledger.job(row.id).remote_id]


def test_a_job_that_was_never_made_is_sent_again_once_that_is_shown(desk):
    row = desk.doubtful("server_error")
    case = only(upkeep.reconcile(context=desk.context))
    assert case.said == "did not exist there and was sent again: it is job-000001"
    assert desk.context.ledger.job(row.id).fence == 2


def test_within_the_settle_window_it_is_said_until_when_nothing_is_known_and_nothing_waits(desk):
    desk.settles(500)
    row = desk.doubtful("server_error")
    before = desk.seconds
    case = only(upkeep.reconcile(context=desk.context))
    assert desk.seconds == before
    assert case.open
    assert (case.until - desk.now()).total_seconds() == pytest.approx(500 - (before - 1000), abs=30)
    assert f"`anytune reconcile {row.id}`" in case.fix
    assert desk.made == []


def test_with_patience_the_settle_window_is_waited_out(desk):
    desk.settles(500)
    desk.doubtful("server_error")
    assert not upkeep.reconcile(wait=True, context=desk.context).open
    assert desk.slept >= 400
    assert len(desk.made) == 1


def test_after_the_settle_window_one_call_is_enough(desk):
    desk.settles(300)
    desk.doubtful("server_error")
    desk.sleep(300)
    assert not upkeep.reconcile(context=desk.context).open
    assert len(desk.made) == 1


def test_a_dear_job_is_left_to_a_person_and_the_message_says_what_it_costs(desk):
    desk.backends(desk.memory(scripted=False))
    row = desk.doubtful("server_error")
    with desk.context.ledger.database.write() as connection:
        from anytune.ledger import jobs

        jobs.change(connection, row.id, row.ledger, now=desk.now(), estimate=Quote(cost_usd=48.5).model_dump(mode="json"))
    case = only(upkeep.reconcile(context=desk.context))
    assert case.open
    assert case.usd == 48.5
    assert "48.50 US dollars" in case.said
    assert "--resend" in case.fix
    assert "jobs attach memory REMOTE_ID --name recipes" in case.fix
    assert desk.made == []
    assert upkeep.resend(row.id, context=desk.context).now == "queued"
    assert len(desk.made) == 1


def test_a_provider_that_is_away_is_named_once_and_asked_no_more(desk):
    desk.doubtful(name="one")
    desk.doubtful(name="two")
    backend = desk.faulty(Fault(kind="server_error", on="find", times=999))
    done = upkeep.reconcile(context=desk.context)
    assert [one.backend for one in done.failed] == ["memory"]
    assert [case.open for case in done.cases] == [True, True]
    assert "was not asked about" in done.cases[1].said
    assert backend.calls["find"] - desk.backend.calls.get("find", 0) == 0
    assert done.open


def test_a_backend_that_cannot_be_set_up_does_not_keep_the_others(desk):
    desk.doubtful(name="one")
    with desk.context.ledger.database.write() as connection:
        connection.exec_driver_sql("UPDATE anytune_jobs SET profile='nowhere' WHERE name='one'")
    desk.doubtful(name="two")
    done = upkeep.reconcile(context=desk.context)
    assert [(case.name, case.open) for case in done.cases] == [("one", True), ("two", False)]
    assert [one.backend for one in done.failed] == ["nowhere"]


def test_another_accounts_silence_proves_nothing(desk):
    row = desk.doubtful("server_error")
    with desk.context.ledger.database.write() as connection:
        connection.exec_driver_sql("UPDATE anytune_jobs SET account='theirs'")
    case = only(upkeep.reconcile(context=desk.context))
    assert case.open
    assert "account theirs" in case.said
    with pytest.raises(ConfigError, match="account theirs"):
        upkeep.resend(row.id, sure=True, context=desk.context)
    assert desk.made == []


def test_a_job_that_a_dead_process_was_sending_is_looked_for(desk):
    being_sent(desk, desk.create(), dead_sender())
    case = only(upkeep.reconcile(context=desk.context))
    assert (case.was, case.now, case.said) == ("sending", "queued", "was made: it is job-000001")


def test_a_job_that_a_living_process_sends_is_left_to_it(desk):
    job = desk.create()
    with sending() as sender:
        being_sent(desk, job, sender)
        case = only(upkeep.reconcile(context=desk.context))
        assert f"process {os.getpid()}" in case.said
        with pytest.raises(SubmitInDoubt, match="is being sent"):
            upkeep.resend(job.id, sure=True, context=desk.context)
    assert not case.open
    assert len(desk.made) == 1


def test_an_intent_is_told_and_sent_only_where_that_was_asked_for(desk):
    row = desk.doubtful("server_error")
    with desk.context.ledger.database.write() as connection:
        transitions.release(connection, row, now=desk.now())
    case = only(upkeep.reconcile(context=desk.context))
    assert not case.open
    assert f"anytune reconcile {row.id} --send" in case.fix
    assert desk.made == []
    upkeep.reconcile(row.id, send=True, context=desk.context)
    assert len(desk.made) == 1


def test_a_late_create_of_a_job_that_was_taken_for_absent_is_adopted_before_it_is_sent_again(desk):
    row = desk.doubtful("drop_reply")
    with desk.context.ledger.database.write() as connection:
        transitions.release(connection, row, now=desk.now())
    case = only(upkeep.reconcile(send=True, context=desk.context))
    assert "made after all" in case.said
    assert len(desk.made) == 1


def test_a_job_whose_files_are_not_here_is_not_sent_from_here(desk):
    row = desk.doubtful("server_error")
    (desk.folder / "train.jsonl").unlink()
    case = only(upkeep.reconcile(context=desk.context))
    assert "is not on this machine" in case.said
    assert desk.context.ledger.job(row.id).submit_state == "intent"


def test_an_end_that_nobody_confirmed_is_asked_for_again(desk):
    job = desk.create()
    desk.faulty(Fault(kind="server_error", on="cancel", times=5))
    with pytest.raises(Exception, match="503"):
        job.cancel()
    desk.mended()
    case = only(upkeep.reconcile(context=desk.context))
    assert (case.was, case.now, case.open) == ("cancelling", "cancelled", False)


def test_a_second_job_of_a_row_that_was_sent_twice_is_cancelled(desk):
    desk.settles(10)
    desk.faulty(Fault(kind="drop_reply"), list_lag_s=500)
    job = desk.create()
    assert len(desk.live) == 2
    desk.sleep(600)
    done = upkeep.reconcile(context=desk.context)
    assert [(extra.job_id, extra.cancelled) for extra in done.extras] == [(job.id, True)]
    assert desk.live == [job.remote_id]


def test_a_second_job_that_the_wire_made_is_cancelled_too(desk):
    job = desk.create()
    order_twin(desk, job)
    assert len(desk.live) == 2
    (extra,) = upkeep.reconcile(context=desk.context).extras
    assert (extra.remote_id, extra.cancelled) == ("job-000002", True)
    assert desk.live == [job.remote_id]


def order_twin(desk, job):
    """Send the very same create once more, as a proxy may."""
    from anytune.ledger.reconcile import files_of, order_of

    row = desk.context.ledger.job(job.id)
    desk.backend.submit(order_of(row, files_of(desk.context.ledger, row)))


def test_a_second_job_that_cannot_be_cancelled_is_open(desk):
    order_twin(desk, desk.create())
    desk.faulty(Fault(kind="reject", on="cancel", times=99))
    done = upkeep.reconcile(context=desk.context)
    assert [extra.cancelled for extra in done.extras] == [False]
    assert done.open


def test_a_job_that_appears_after_its_row_was_cancelled_is_cancelled(desk):
    desk.settles(10)
    desk.faulty(Fault(kind="drop_reply"), Fault(kind="server_error", on="find", times=1), list_lag_s=900)
    row = desk.doubtful()
    desk.context.ledger.request_cancel(row.id)
    for job in (state := desk.backend.store.read()).jobs.values():
        job.visible_at = desk.seconds + 400
    with desk.backend.store.change() as kept:
        kept.jobs = state.jobs
    desk.sleep(60)
    assert only(upkeep.reconcile(context=desk.context)).now == "cancelled"
    desk.sleep(600)
    assert [extra.cancelled for extra in upkeep.reconcile(context=desk.context).extras] == [True]
    assert desk.live == []


def test_what_another_ledger_made_is_never_touched(desk):
    theirs = desk.create(context=desk.other)
    done = upkeep.reconcile(context=desk.context)
    assert (done.cases, done.extras) == ((), ())
    assert desk.live == [theirs.remote_id]


def test_a_word_against_the_listing_is_not_taken(desk):
    row = desk.doubtful()
    case = upkeep.resend(row.id, sure=True, context=desk.context)
    assert "exists there" in case.said
    assert len(desk.made) == 1


def test_a_word_within_the_settle_window_needs_a_second_one(desk):
    desk.settles(500)
    row = desk.doubtful("server_error")
    with pytest.raises(SubmitInDoubt, match="may lag by") as raised:
        upkeep.resend(row.id, context=desk.context)
    assert "--resend --sure" in raised.value.fix
    assert desk.made == []
    assert upkeep.resend(row.id, sure=True, context=desk.context).now == "queued"
    assert len(desk.made) == 1


def test_a_word_while_the_listing_is_cut_short_needs_a_second_one(desk):
    row = desk.doubtful("server_error")
    desk.faulty(incomplete_listings=9999)
    with pytest.raises(SubmitInDoubt, match="incomplete"):
        upkeep.resend(row.id, context=desk.context)
    assert upkeep.resend(row.id, sure=True, context=desk.context).now == "queued"


def test_only_a_job_in_doubt_is_sent_again(desk):
    job = desk.create()
    with pytest.raises(ConfigError, match="is job-000001"):
        upkeep.resend(job.id, context=desk.context)
    job.cancel()
    with pytest.raises(NotFound):
        upkeep.resend("nobody", context=desk.context)
    assert len(desk.made) == 1


def test_the_job_that_a_person_sees_there_is_attached_under_the_name_in_doubt(desk):
    row = desk.doubtful("server_error")
    theirs = desk.create("by-hand", context=desk.other)
    job = FineTuneJob.attach("memory", theirs.remote_id, name="recipes", context=desk.context)
    assert (job.id, job.remote_id) == (row.id, theirs.remote_id)
    assert not upkeep.reconcile(context=desk.context).open


@pytest.mark.parametrize(
    ("cost", "budget", "catalog", "expected"),
    [
        (3.0, None, "openai", "reconcile_then_resend"),
        (11.0, None, "openai", "reconcile_then_ask"),
        (None, None, "openai", "reconcile_then_ask"),
        (None, None, None, "reconcile_then_resend"),
        (None, 5.0, "openai", "reconcile_then_resend"),
        (None, 50.0, None, "reconcile_then_ask"),
    ],
)
def test_what_is_cheap_is_sent_again_and_what_is_dear_or_unknown_is_asked_about(desk, cost, budget, catalog, expected):
    class Hosted(type(desk.backend)):
        @property
        def catalog(self):
            return catalog

    row = desk.create().row
    estimate = None if cost is None else {"cost_usd": cost}
    spec = row.spec | ({"budget": {"max_usd": budget}} if budget else {})
    row = row.model_copy(update={"estimate": estimate, "spec": spec})
    backend = Hosted(capabilities=desk.backend.capabilities.model_copy(update={"scripted": False}))
    assert policy_for(row, backend) == expected
    assert policy_for(row, desk.backend) == "reconcile_then_resend", "what is scripted costs nothing"


def plan(desk, **more):
    return desk.context.ledger.plan_deployment(
        backend="memory", account="default", profile=None, model=ModelRef(id="m"), name="host", ttl_s=600, host="here", **more
    )


def test_a_host_that_was_made_without_anybody_hearing_of_it_is_taken_into_its_row(desk):
    from anytune.backend import DeployOrder

    row = plan(desk)
    desk.create()
    order = DeployOrder(ref=row.id, ledger=desk.context.ledger.uuid, model=ModelRef(id="job-000001"), name="host", ttl_s=600)
    desk.backend.deploy(order.model_copy(update={"model": ModelRef(id="starter")}))
    case = only(upkeep.reconcile(context=desk.context))
    assert (case.kind, case.was, case.open, case.hourly_usd) == ("deployment", "planned", False, 0.5)
    assert desk.context.ledger.deployment(row.id).remote_id == f"deploy-{row.id}"
    desk.backend.undeploy(f"deploy-{row.id}")


def test_a_planned_host_stays_open_while_somebody_may_be_asking_for_it(desk):
    desk.settles(100)
    row = plan(desk)
    case = only(upkeep.reconcile(context=desk.context))
    assert case.open
    assert desk.context.ledger.deployment(row.id).state == "planned"


def test_a_host_whose_end_was_asked_for_is_ended(desk):
    row = plan(desk)
    desk.context.ledger.record_deployment(row.id, RemoteDeployment(id="deploy-x", state="starting"))
    desk.context.ledger.request_stop(row.id)
    case = only(upkeep.reconcile(context=desk.context))
    assert (case.now, case.open) == ("gone", False)


def held(desk, sha256, sender):
    (desk.folder / "train.jsonl").write_text("abc")
    file = LocalFile(path=desk.folder / "train.jsonl", sha256=sha256, size_bytes=3, role="train")
    with desk.context.ledger.database.write() as connection:
        key = ("memory", "default", sha256)
        files.start(connection, key, size_bytes=3, sender=sender, over=None, now=desk.now())
    return file


def test_a_file_that_a_dead_process_sent_is_found_where_it_arrived(desk):
    file = held(desk, "a" * 64, dead_sender())
    sent = desk.backend.upload(file)
    case = only(upkeep.reconcile(context=desk.context))
    assert (case.kind, case.now) == ("file", "there")
    assert desk.context.ledger.remote_file("memory", "default", file.sha256).id == sent.id


def test_a_file_that_did_not_arrive_is_forgotten_and_one_that_is_being_sent_is_not(desk):
    held(desk, "b" * 64, dead_sender())
    with sending() as sender:
        held(desk, "c" * 64, sender)
        case = only(upkeep.reconcile(context=desk.context))
        with desk.context.ledger.database.read() as connection:
            left = files.unfinished(connection)
    assert (case.id, case.now, case.open) == ("b" * 64, "absent", False)
    assert [one.key[2] for one in left] == ["c" * 64]


def test_cancelling_a_job_that_was_sent_twice_cancels_the_second_one_at_once(desk):
    desk.settles(10)
    desk.faulty(Fault(kind="drop_reply"), list_lag_s=500)
    job = desk.create()
    job.refresh()
    desk.sleep(500)  # less than the ten minutes between two sweeps
    job.cancel()
    assert job.status is Status.CANCELLED
    assert desk.live == []
