"""Whose turn it is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from anytune.server.book.jobs import Waiting
from anytune.server.training.queue import pick

THEN = datetime(2026, 11, 23, tzinfo=UTC)


def test_nobody_waits_nobody_goes():
    assert pick([], {"ann": 1}, {}) is None


def test_the_oldest_order_goes_first_where_all_else_is_equal():
    waiting = [Waiting(2, "b", "bob"), Waiting(1, "a", "ann")]
    assert pick(waiting, {}, {}).id == "a"


def test_who_has_the_fewest_running_goes_first():
    waiting = [Waiting(1, "a", "ann"), Waiting(2, "b", "bob")]
    assert pick(waiting, {"ann": 2, "bob": 1}, {"bob": THEN}).id == "b"


def test_who_was_not_served_for_longest_goes_first():
    waiting = [Waiting(1, "a", "ann"), Waiting(2, "b", "bob"), Waiting(3, "c", "cas")]
    served = {"ann": THEN, "bob": THEN - timedelta(hours=1), "cas": THEN - timedelta(minutes=1)}
    assert pick(waiting, {}, served).id == "b"


def test_a_thousand_orders_of_one_owner_keep_another_waiting_for_one_job():
    waiting = [Waiting(n, f"a{n}", "ann") for n in range(1000)] + [Waiting(1000 + n, f"b{n}", "bob") for n in range(3)]
    served, order = {}, []
    for turn in range(8):
        one = pick(waiting, {}, served)
        waiting.remove(one)
        served[one.owner] = THEN + timedelta(minutes=turn)
        order.append(one.owner)
    assert order == ["ann", "bob"] * 3 + ["ann", "ann"]


def test_slots_are_shared_out_evenly():
    waiting = [Waiting(n, str(n), owner) for n, owner in enumerate(["ann"] * 20 + ["bob"] * 20 + ["cas"] * 20)]
    running = Counter()
    for _ in range(9):
        one = pick(waiting, running, {})
        waiting.remove(one)
        running[one.owner] += 1
    assert running == {"ann": 3, "bob": 3, "cas": 3}
