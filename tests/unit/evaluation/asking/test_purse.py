"""The budget while it is spent."""

from __future__ import annotations

import threading
from random import Random

import pytest
from tests.unit.evaluation.asking.test_store import line

from anytune.errors import BudgetExceeded
from anytune.evaluation.asking import Budget, Store
from anytune.evaluation.asking.purse import Purse
from anytune.evaluation.money import Tariff

TARIFF = Tariff(input_usd_per_million=1.0, cached_usd_per_million=0.5, output_usd_per_million=2.0, basis="prices")
COST = (6 * 1.0 + 4 * 0.5 + 2 * 2.0) / 1e6
"""Of one of `line`'s answers."""


def purse(store, max_usd, tariff=TARIFF):
    return Purse(Budget(max_usd, {"m": tariff}), store, {"m": 8}, stop=threading.Event())


def test_what_earlier_runs_spent_counts(tmp_path):
    with Store(tmp_path) as store:
        for number in range(5):
            store.append(line(number))
    with Store(tmp_path) as store:
        assert purse(store, None).spent_usd == pytest.approx(5 * COST)
        with pytest.raises(BudgetExceeded, match="5 answers are kept"):
            purse(store, 5.5 * COST).reserve(COST)


def test_an_answer_without_a_count_costs_what_was_set_aside(tmp_path):
    uncounted = line(1).model_copy(update={"usage": {}, "reserved_usd": 0.25})
    with Store(tmp_path) as store:
        held = purse(store, 1.0)
        held.reserve(0.25)
        held.settle(0.25, "m", uncounted)
        store.append(uncounted)
        assert held.spent_usd == 0.25
    with Store(tmp_path) as store:
        assert purse(store, 1.0).spent_usd == 0.25


def test_who_does_not_fit_waits_for_what_others_leave(tmp_path):
    with Store(tmp_path) as store:
        held = purse(store, 1.0)
        held.reserve(0.9)
        waiting = threading.Thread(target=held.reserve, args=(0.5,))
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
        held.settle(0.9, "m", line(1))
        waiting.join(10)
        assert not waiting.is_alive()


@pytest.mark.timeout(30)
def test_rests_of_fractions_keep_nobody_waiting(tmp_path):
    chance = Random(20261123)
    with Store(tmp_path) as store:
        held = purse(store, 1.0)
        parts = [chance.uniform(0.0, 0.01) for _ in range(50)]
        for part in parts:
            held.reserve(part)
        for part in chance.sample(parts, len(parts)):
            held.settle(part, "m", None)
        with pytest.raises(BudgetExceeded):
            held.reserve(1.01)


def test_a_host_by_the_hour_is_counted_by_the_seconds_of_its_answers(tmp_path):
    with Store(tmp_path) as store:
        held = purse(store, 0.01, Tariff(hourly_usd=3.6))
        held.reserve(0.0)
        held.settle(0.0, "m", line(1).model_copy(update={"latency_s": 8.0}))
        assert held.spent_usd == pytest.approx(3.6 / 3600)
        held.reserve(0.0)
        held.settle(0.0, "m", line(2).model_copy(update={"latency_s": 80.0}))
        with pytest.raises(BudgetExceeded, match=r"is used up: 0\.0110 are spent\. "):
            held.reserve(0.0)
