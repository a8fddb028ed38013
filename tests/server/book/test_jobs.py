"""Orders in the book."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from anytune.server.book.events import News
from anytune.server.errors import ApiError
from anytune.values import ModelRef

REQUEST = {"model": "starter", "training_file": "file-a", "validation_file": "file-b"}


@pytest.fixture
def order(book):
    def ordered(owner="ann", *, idempotency_key=None, repeated=False, at_most=None, **fields):
        more = {"idempotency_key": idempotency_key, "repeated": repeated, "at_most": at_most}
        return book.jobs.add(owner, REQUEST | fields, "starter", {"backend": "memory", "model": "starter"}, **more)

    return ordered


def test_an_order_is_taken_as_it_was_sent(book, order):
    row, new = order(suffix="mine")
    assert new
    assert row.id.startswith("ftjob-")
    assert (row.stage, row.status, row.request["suffix"]) == ("received", "validating_files", "mine")
    assert book.jobs.get(row.id, "ann") == row


def test_somebody_elses_order_is_not_found_as_an_unknown_one_is_not(book, order):
    row, _ = order("ann")
    for job_id, owner in ((row.id, "bob"), ("ftjob-none", None)):
        with pytest.raises(ApiError) as caught:
            book.jobs.get(job_id, owner)
        assert (caught.value.status, caught.value.code) == (404, "fine_tune_not_found")
        assert caught.value.message == f"Could not find fine tune: {job_id}"
    assert book.jobs.get(row.id, None) == row


def test_two_orders_of_one_body_are_two_unless_the_client_says_that_it_tries_again(order):
    first, _ = order()
    second, new = order()
    assert new
    assert first.id != second.id
    again, new = order(repeated=True)
    assert (again.id, new) == (second.id, False)
    other, new = order(repeated=True, suffix="other")
    assert new
    assert other.id != second.id


def test_after_an_hour_the_same_body_is_another_order(order, time):
    first, _ = order()
    time.now += timedelta(minutes=61)
    second, new = order(repeated=True)
    assert new
    assert second.id != first.id


def test_another_owners_order_is_never_given_again(order):
    order("ann", idempotency_key="k")
    _, new = order("bob", idempotency_key="k", repeated=True)
    assert new


def test_an_idempotency_key_names_one_order_and_one_body(order, time):
    first, _ = order(idempotency_key="k")
    time.now += timedelta(days=3)
    assert order(idempotency_key="k") == (first, False)
    with pytest.raises(ApiError) as caught:
        order(idempotency_key="k", suffix="other")
    assert caught.value.status == 409


def test_many_threads_with_one_idempotency_key_make_one_order(order):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: order(idempotency_key="k"), range(16)))
    assert len({row.id for row, _ in made}) == 1
    assert sum(new for _, new in made) == 1


def test_an_owner_may_have_so_many_live_orders(book, order):
    first, _ = order(at_most=1)
    with pytest.raises(ApiError) as caught:
        order(at_most=1, suffix="other")
    assert caught.value.status == 429
    assert order(at_most=1, repeated=True) == (first, False)
    book.jobs.change(first.id, status="failed", stage="ended")
    assert order(at_most=1, suffix="other")[1]


def test_listing_goes_page_by_page_newest_first(book, order):
    ids = [order(suffix=str(number))[0].id for number in range(5)]
    order("bob")
    first, more = book.jobs.listed("ann", limit=2)
    assert ([row.id for row in first], more) == ([ids[4], ids[3]], True)
    rest, more = book.jobs.listed("ann", after=first[-1].id, limit=3)
    assert ([row.id for row in rest], more) == ([ids[2], ids[1], ids[0]], False)
    assert len(book.jobs.listed(None)[0]) == 6
    with pytest.raises(ApiError):
        book.jobs.listed("bob", after=ids[0])


def test_listing_can_be_held_to_metadata_of_any_words(book, order):
    odd = {'a"b': "1", "$.x": "' OR 1=1 --"}
    mine = order(metadata=odd | {"more": "yes"})[0]
    bare = order(suffix="bare")[0]
    assert [row.id for row in book.jobs.listed("ann", metadata=odd)[0]] == [mine.id]
    assert book.jobs.listed("ann", metadata={"more": "no"}) == ([], False)
    assert [row.id for row in book.jobs.listed("ann", metadata={})[0]] == [bare.id]


def test_an_ended_order_keeps_its_end(book, order):
    row, _ = order()
    book.jobs.change(row.id, status="cancelled", stage="ended")
    assert book.jobs.change(row.id, status="succeeded", fine_tuned_model="ft:x").fine_tuned_model is None
    assert book.jobs.wish(row.id, "pause").wish is None
    assert book.jobs.change(row.id, result_files=["file-r"]).result_files == ["file-r"]


def test_nothing_goes_before_the_wish_to_cancel(book, order):
    row, _ = order()
    assert book.jobs.wish(row.id, "pause").wish == "pause"
    assert book.jobs.wish(row.id, "cancel").wish == "cancel"
    assert book.jobs.wish(row.id, "resume").wish == "cancel"


def test_a_change_sets_the_time(book, order, time):
    row, _ = order()
    time.now += timedelta(minutes=1)
    assert book.jobs.change(row.id, stage="checked").updated_at == time.now


def test_a_model_is_found_by_its_name_until_it_is_deleted(book, order):
    row, _ = order()
    name = "ft:starter:anytune::abcdefgh"
    book.jobs.change(row.id, status="succeeded", stage="ended", fine_tuned_model=name, model_ref=ModelRef(id="memory:1"))
    found = book.jobs.by_model(name, "ann")
    assert found is not None
    assert found.model_ref == ModelRef(id="memory:1")
    assert book.jobs.by_model(name, "bob") is None
    assert [each.id for each in book.jobs.models(None)] == [row.id]
    book.jobs.change(row.id, model_deleted=True)
    assert book.jobs.by_model(name, None) is None
    assert book.jobs.models("ann") == []


def test_an_order_that_has_ended_is_in_no_stage_before(book, order):
    first, _ = order()
    second, _ = order(training_file="file-c")
    book.jobs.change(first.id, status="failed", stage="ended")
    assert [row.id for row in book.jobs.in_stage("received", "checked")] == [second.id]


def test_an_order_moves_only_from_where_it_is(book, order):
    row, _ = order()
    told = News(message="Files validated", origin="validated")
    assert book.jobs.move(row.id, "checked", news=told, status="running") is None
    assert book.jobs.move(row.id, "received", news=told, stage="checked", status="queued").status == "queued"
    assert book.jobs.move(row.id, "received", news=told, stage="checked") is None
    assert [event.message for event in book.events.listed(row.id)[0]] == ["Files validated"]
    book.jobs.change(row.id, status="cancelled", stage="ended")
    assert book.jobs.move(row.id, "ended", status="succeeded") is None


def test_who_waits_is_listed_by_stage_without_those_that_are_paused(book, order):
    first, second, third = (order(suffix=str(number))[0] for number in range(3))
    for row in (first, second):
        book.jobs.change(row.id, stage="checked", status="queued")
    book.jobs.change(second.id, status="paused")
    assert book.jobs.waiting("checked") == [(first.sequence, first.id, "ann")]
    assert [one.id for one in book.jobs.waiting("received")] == [third.id]


def test_a_wish_is_forgotten_once_it_is_granted_unless_another_one_came(book, order):
    row, _ = order()
    book.jobs.wish(row.id, "pause")
    assert [each.id for each in book.jobs.wished()] == [row.id]
    book.jobs.wish(row.id, "cancel")
    book.jobs.granted(row.id, "pause")
    assert book.jobs.get(row.id, None).wish == "cancel"
    book.jobs.granted(row.id, "cancel")
    assert book.jobs.wished() == []


def test_why_a_wish_was_not_done_is_told_once_with_forgetting_it(book, order):
    row, _ = order()
    book.jobs.wish(row.id, "pause")
    for _ in range(2):  # whoever was killed in between does it again
        book.jobs.granted(row.id, "pause", news=News(message="The job cannot pause."))
    assert [event.message for event in book.events.listed(row.id)[0]].count("The job cannot pause.") == 1


def test_it_is_known_when_each_owner_was_served_last(book, order, time):
    for owner, hours in (("ann", 1), ("ann", 3), ("bob", 2)):
        row, _ = order(owner, suffix=str(hours))
        book.jobs.change(row.id, started_at=time.now + timedelta(hours=hours))
    order("cas")
    assert book.jobs.served() == {"ann": time.now + timedelta(hours=3), "bob": time.now + timedelta(hours=2)}
