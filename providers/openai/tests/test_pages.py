"""A listing is read to its end, and says where it may have left something out."""

from __future__ import annotations

import pytest

from anytune.errors import MalformedReply
from anytune_openai.pages import confirmed, listing, picked


def book(count, *, size=3, more=True):
    """Make a host with `count` records, newest first, and a log of what it was asked."""
    records = [{"id": f"r{number}", "created_at": 1000 + number} for number in reversed(range(count))]
    asked = []

    def fetch(after):
        asked.append(after)
        start = 0 if after is None else next(place for place, one in enumerate(records) if one["id"] == after) + 1
        cut = records[start : start + size]
        page = {"data": cut, "has_more": start + size < count}
        return page if more else {"data": cut}

    return fetch, asked, records


def scripted(*pages):
    given = iter(pages)
    return lambda after: next(given)


def page(*ids, more=False, times=None):
    return {"data": [{"id": one, **({} if times is None else {"created_at": times[one]})} for one in ids], "has_more": more}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7])
@pytest.mark.parametrize("more", [True, False], ids=["says has_more", "says nothing"])
def test_every_record_is_seen_once(count, more):
    fetch, _, records = book(count, more=more)
    assert listing(fetch)[:2] == (records, True)


def test_a_page_that_says_it_is_the_last_is_not_believed():
    seen = listing(scripted(page("a"), page("b"), page("c"), page()))
    assert ([one["id"] for one in seen.items], seen.complete) == (["a", "b", "c"], True)


def test_a_host_that_knows_no_cursor_is_read_once():
    seen = listing(scripted(page("a", "b"), page("a", "b")))
    assert (len(seen.items), seen.complete) == (2, True)


def test_an_empty_page_that_promises_more_is_incomplete():
    assert not listing(scripted(page("a", more=True), page(more=True))).complete


def test_a_page_that_was_promised_and_does_not_come_is_incomplete():
    assert not listing(scripted(page("a", more=True), page())).complete


def test_pages_that_come_round_again_are_incomplete():
    assert not listing(scripted(page("a", "b", more=True), page("a", "b", more=True))).complete


def test_records_that_come_twice_are_given_once_and_incomplete():
    seen = listing(scripted(page("a", "b", more=True), page("b", "c"), page()))
    assert ([one["id"] for one in seen.items], seen.complete) == (["a", "b", "c"], False)


def test_an_order_that_is_neither_newest_nor_oldest_first_is_incomplete():
    times = {"a": 3, "b": 1, "c": 2}
    assert not listing(scripted(page("a", "b", "c", times=times), page())).complete
    assert listing(scripted(page("a", "c", "b", times=times), page())).complete
    assert listing(scripted(page("b", "c", "a", times=times), page())).complete


def test_it_stops_where_what_follows_is_too_old():
    fetch, asked, records = book(30)
    seen = listing(fetch, until=lambda one: one["created_at"] < 1025)
    assert (seen.items, seen.complete) == (records[:5], True)
    assert len(asked) == 2


def test_a_shuffled_listing_does_not_stop_early():
    times = {"old": 1, "new": 9, "newer": 10}
    fetch = scripted(page("new", "newer", "old", times=times, more=True), page())
    assert [one["id"] for one in listing(fetch, until=lambda one: one["created_at"] < 5).items] == ["new", "newer", "old"]


def test_it_stops_when_there_are_enough():
    fetch, asked, records = book(30)
    assert listing(fetch, most=4).items == records[:4]
    assert len(asked) == 2


@pytest.mark.parametrize("reply", [{}, {"data": None}, {"data": ["a"]}, {"data": [{"name": "a"}]}], ids=str)
def test_a_page_without_records_is_malformed(reply):
    with pytest.raises(MalformedReply):
        listing(scripted(reply))


def test_several_pages_are_read_twice_and_have_to_agree():
    fetch, asked, records = book(7)
    assert confirmed(fetch)[:2] == (records, True)
    assert asked.count(None) == 2


def test_one_page_is_read_once():
    fetch, asked, _ = book(3)
    assert confirmed(fetch).complete
    assert asked.count(None) == 1


def test_two_readings_that_differ_are_incomplete_and_give_what_either_saw():
    first = (page("a", more=True), page("b"), page())
    second = (page("b", more=True), page("c"), page())
    seen = confirmed(scripted(*first, *second))
    assert ([one["id"] for one in seen.items], seen.complete) == (["a", "b", "c"], False)


@pytest.mark.parametrize(("wanted", "requests"), [(["r6"], 1), (["r0"], 1), (["r6", "r0"], 2), (["r5", "r4"], 1), ([], 0)])
def test_a_search_reads_as_far_as_the_last_one_that_is_wanted_and_not_longer_than_asking_for_each(wanted, requests):
    fetch, asked, _ = book(7)
    found = picked(fetch, wanted)
    assert set(found) <= set(wanted)
    assert len(asked) == requests


def test_a_search_gives_the_whole_records():
    fetch, _, records = book(7)
    assert picked(fetch, ["r6", "r2"]) == {"r6": records[0], "r2": records[4]}


def test_what_is_not_seen_is_left_out():
    fetch, _, _ = book(4)
    assert set(picked(fetch, ["r3", "r2", "nobody", "none"])) == {"r3", "r2"}


def test_old_ones_behind_many_younger_ones_cost_twice_as_much_as_asking_for_each_at_most():
    fetch, asked, _ = book(3000)
    picked(fetch, ["r0", "r1", "r2", "r3"])
    assert len(asked) <= 4


def test_a_search_of_a_host_that_knows_no_cursor_ends():
    assert set(picked(lambda after: page("a", "b"), ["a", "z", "y", "x"])) == {"a"}


def test_a_search_refuses_a_page_without_records():
    with pytest.raises(MalformedReply):
        picked(lambda after: {"data": "none"}, ["a"])
