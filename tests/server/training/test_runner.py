"""Orders through their life."""

from __future__ import annotations

import time

import pytest
from tests.server.waiting import until

from anytune.ledger import server_tables
from anytune.testing import Life

SLOW = {"life": Life.of(queued=1, steps=100, end=None, tick_s=0.05).model_dump()}
"""A job that runs until somebody ends it."""


def test_an_order_becomes_a_model(shop):
    shop = shop(organization="acme").open()
    order = shop.ended(shop.order(suffix="mine"))
    assert (order.status, order.stage, order.error) == ("succeeded", "ended", None)
    assert order.fine_tuned_model == f"ft:starter:acme:mine:{order.id[-8:]}"
    assert order.model_ref.id == "memory:job-000001"
    assert order.resolved["num_train_epochs"] == 1
    assert order.started_at <= order.finished_at
    assert shop.calls["jobs"] == 1


def test_its_events_tell_the_whole_story_once_and_in_order(shop):
    shop = shop().open()
    order = shop.ended(shop.order())
    messages = shop.messages(order)
    story = [
        f"Validating training file: {order.request['training_file']}",
        "Files validated, moving job to queued state",
        "Fine-tuning job started",
        "Step 1/4: training loss=1.00",
        "Step 4/4: training loss=0.40",
        f"New fine-tuned model created: {order.fine_tuned_model}",
        "The job has successfully completed",
    ]
    places = [messages.index(each) for each in story]
    assert places == sorted(places)
    assert places[-1] == len(messages) - 1
    assert all(messages.count(each) == 1 for each in story)


def test_what_a_provider_tells_in_the_same_words_is_not_told_again_with_its_ids(shop):
    told = {0: "Created fine-tuning job: ftjob-theirs", 2: "New fine-tuned model created: ft:theirs", 3: "Their machine is warm."}
    shop = shop(options={"life": Life.of().model_dump() | {"events": told}}).open()
    messages = shop.messages(shop.ended(shop.order()))
    assert not [message for message in messages if "theirs" in message]
    assert "Their machine is warm." in messages


@pytest.mark.parametrize(("allow", "status"), [((), "failed"), (("leaked-rows",), "succeeded")], ids=["held", "allowed"])
def test_validation_rows_that_leak_end_an_order_unless_the_owner_allows_it(shop, allow, status):
    shop = shop(allow=allow).open()
    rows = shop.file()
    assert shop.ended(shop.order(training_file=rows, validation_file=rows)).status == status


def test_numbers_of_steps_are_events_and_a_file(shop):
    shop = shop().open()
    order = shop.ended(shop.order())
    numbers = [event.data for event in shop.told(order) if event.type == "metrics"]
    assert numbers[0] == {"step": 1, "total_steps": 4, "train_loss": 1.0, "learning_rate": 0.0001}
    (file_id,) = order.result_files
    row = shop.book.files.get(file_id, "ann")
    assert (row.purpose, row.filename) == ("fine-tune-results", "step_metrics.csv")
    lines = shop.store.path(file_id).read_text().splitlines()
    assert lines[:2] == ["step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy", "1,1.0,,,"]
    assert len(lines) == 5


def test_a_bad_row_fails_the_order_before_any_backend_hears_of_it(shop):
    shop = shop().open()
    bad = [*shop.rows, {"messages": [{"role": "user", "content": "and no answer"}]}]
    order = shop.ended(shop.order(training_file=shop.file(bad)))
    assert order.status == "failed"
    assert (order.error["code"], order.error["param"]) == ("invalid_training_file", "training_file")
    assert "Row 13" in order.error["message"]
    assert str(shop.folder) not in order.error["message"]
    assert "submit" not in shop.calls


def test_a_bad_validation_file_is_named_as_such(shop):
    shop = shop().open()
    order = shop.ended(shop.order(validation_file=shop.file(b"{nonsense\n")))
    assert (order.error["code"], order.error["param"]) == ("invalid_validation_file", "validation_file")


def test_a_job_that_fails_says_why(shop):
    shop = shop(options={"life": Life.of(end="failed").model_dump()}).open()
    order = shop.ended(shop.order())
    assert (order.status, order.error["code"]) == ("failed", "training_failed")
    assert "NaN" in order.error["message"]
    assert order.fine_tuned_model is None
    assert shop.told(order)[-1].level == "error"


def test_a_job_that_the_backend_refuses_fails(shop):
    shop = shop(options={"faults": {"calls": [{"kind": "reject"}]}}).open()
    order = shop.ended(shop.order())
    assert order.status == "failed"
    assert "refused" in order.error["message"]


def test_a_backend_that_is_away_at_first_is_asked_again(shop):
    shop = shop(options={"faults": {"calls": [{"kind": "rate_limit"}]}}).open()
    order = shop.ended(shop.order())
    assert order.status == "succeeded"
    assert [event.level for event in shop.told(order) if "asked again" in event.message] == ["warn"]


def test_a_lost_reply_makes_no_second_job(shop):
    shop = shop(options={"faults": {"calls": [{"kind": "drop_reply"}]}}).open()
    order = shop.ended(shop.order())
    assert order.status == "succeeded"
    assert shop.calls["jobs"] == 1


def test_a_clerk_that_always_dies_fails_the_order_and_nobody_else(shop):
    shop = shop(processes=True, options={"faults": {"calls": [{"kind": "exit_before", "times": 99}]}}).open()
    order = shop.ended(shop.order())
    assert (order.status, order.error["code"]) == ("failed", "server_error")
    assert "3 times, last with status 9" in order.error["message"]


def test_a_clerk_that_dies_after_the_backend_took_the_job_makes_no_second_one(shop):
    shop = shop(processes=True, options={"faults": {"calls": [{"kind": "exit_after"}]}}).open()
    order = shop.ended(shop.order())
    assert order.status == "succeeded"
    assert shop.calls["jobs"] == 1


def test_cancelling_before_the_turn_ends_at_once(shop):
    shop = shop(options=SLOW).open()
    first = shop.order()
    until(lambda: shop.now(first).status == "running")
    second = shop.order()
    until(lambda: shop.now(second).stage == "checked")
    assert shop.runner.ask(second.id, "cancel").status == "cancelled"
    assert shop.messages(second)[-1] == "The job was cancelled."
    assert shop.now(first).status == "running"
    shop.runner.ask(first.id, "cancel")
    assert shop.ended(first).status == "cancelled"
    assert shop.calls["jobs"] == 1


def test_cancelling_while_files_are_looked_at_ends_the_clerk(shop):
    shop = shop(processes=True, options={"faults": {"calls": [{"kind": "slow", "on": "check", "delay_s": 60}]}}).open()
    order = shop.order()
    until(lambda: shop.messages(order))
    assert shop.runner.ask(order.id, "cancel").status == "cancelled"
    until(lambda: not shop.runner._desk.has(order.id), "the clerk's end")


def test_a_job_can_be_paused_and_goes_on(shop):
    shop = shop(options=SLOW).open()
    order = shop.order()
    until(lambda: shop.now(order).status == "running")
    shop.runner.ask(order.id, "pause")
    until(lambda: shop.now(order).status == "paused")
    assert shop.now(order).wish is None
    shop.runner.ask(order.id, "resume")
    until(lambda: shop.now(order).status == "running")
    assert "The job is paused." in shop.messages(order)


def test_an_order_can_be_paused_before_its_turn_and_a_paused_job_blocks_nobody(shop):
    shop = shop(options=SLOW).open()
    first = shop.order()
    until(lambda: shop.now(first).status == "running")
    second = shop.order()
    until(lambda: shop.now(second).stage == "checked")
    assert shop.runner.ask(second.id, "pause").status == "paused"
    third = shop.order("bob")
    until(lambda: shop.now(third).stage == "checked")
    shop.runner.ask(first.id, "pause")
    until(lambda: shop.now(third).status == "running")
    assert shop.runner.ask(second.id, "resume").status == "queued"


def test_an_order_that_is_paused_just_when_its_turn_comes_stays_paused(shop, monkeypatch):
    shop = shop(options=SLOW).open()
    running = shop.order()
    until(lambda: shop.now(running).status == "running")
    order = shop.order()
    until(lambda: shop.now(order).stage == "checked")
    listed = shop.book.jobs.waiting

    def waiting(stage):
        found = listed(stage)
        if stage == "checked" and found:
            shop.runner.ask(order.id, "pause")
        return found

    monkeypatch.setattr(shop.book.jobs, "waiting", waiting)
    shop.runner.ask(running.id, "cancel")
    third = until(lambda: shop.now(running).ended) and shop.order()
    until(lambda: shop.now(third).status == "running")
    assert (shop.now(order).stage, shop.now(order).status) == ("checked", "paused")


def test_what_the_backend_cannot_do_is_told_and_forgotten(shop):
    shop = shop(options=SLOW | {"faults": {"calls": [{"kind": "reject", "on": "pause"}]}}).open()
    order = shop.order()
    until(lambda: shop.now(order).status == "running")
    shop.runner.ask(order.id, "pause")
    until(lambda: any("cannot pause" in message for message in shop.messages(order)))
    until(lambda: shop.now(order).wish is None)
    assert shop.now(order).status == "running"


def test_slots_are_kept_and_shared_by_owners(shop):
    shop = shop(slots=2, options={"life": Life.of(steps=4, tick_s=0.1).model_dump()})
    orders = [shop.order(owner) for owner in ("ann", "ann", "ann", "bob")]
    shop.open()
    most = 0
    while not all(shop.now(order).ended for order in orders):
        most = max(most, len(shop.book.jobs.in_stage("submitted")))
        time.sleep(0.02)
    assert most == 2
    began = sorted(orders, key=lambda order: shop.now(order).started_at)
    assert orders[3] in began[:3]


@pytest.mark.parametrize("stage", ["received", "checked", "submitted"])
def test_a_runner_that_is_closed_at_any_stage_goes_on_after_the_next_start(shop, stage):
    life = {"life": Life.of(steps=3, tick_s=0.2).model_dump()}
    first = shop(processes=True, options=life)
    order = first.order()
    first.open()
    if stage != "received":
        until(lambda: first.now(order).stage in {stage, "ended"})
    first.close()
    second = shop(processes=True, options=life).open()
    assert second.ended(order).status == "succeeded"
    assert second.calls["jobs"] == 1
    messages = second.messages(order)
    assert len(messages) == len(set(messages))


def test_webhooks_are_owed_only_where_they_concern_the_owner(shop):
    hooks = {
        "all": {"url": "https://example.com/a", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
        "bobs": {"url": "https://example.com/b", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "owners": ["bob"]},
    }
    shop = shop(webhooks=hooks).open()
    order = shop.ended(shop.order())
    assert [call.type for call in shop.book.deliveries.due("all")] == ["fine_tuning.job.succeeded"]
    assert shop.book.deliveries.due("bobs") == []
    assert order.status == "succeeded"


def test_ended_orders_are_counted(shop):
    shop = shop().open()
    shop.ended(shop.order())
    until(lambda: b'anytune_jobs_ended_total{status="succeeded"} 1.0' in shop.metrics.text())


def test_a_thousand_orders_that_wait_cost_little(shop):
    shop = shop(options=SLOW)
    first = shop.order("owner-0")
    shop.book.jobs.change(first.id, stage="checked", status="queued")
    row = shop.now(first).model_dump(mode="python", exclude={"sequence", "model_ref"})
    more = [row | {"id": f"ftjob-{n:024d}", "owner": f"owner-{n % 20}"} for n in range(1000)]
    with shop.context.ledger.database.write() as connection:
        connection.execute(server_tables.jobs.insert(), more)
    shop.open()
    until(lambda: shop.now(first).status == "running")
    before = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - before < 0.5
