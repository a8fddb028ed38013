"""The rhythm of looks: short after news, longer while nothing happens, by the end that is told, and never in step."""

from __future__ import annotations

import heapq
import random

import pytest

from anytune.observe import Observation, pauses
from anytune.pauses import Rhythm
from anytune.testing import MemoryBackend
from anytune.values import Snapshot, Status


def still(first_s: float = 5.0, longest_s: float = 30.0) -> Rhythm:
    return Rhythm(first_s, longest_s, random=lambda: 0.5)


def test_pauses_grow_while_nothing_happens_and_shrink_after_news() -> None:
    rhythm = still()
    assert [rhythm() for _ in range(7)] == pytest.approx([5.0, 7.5, 11.25, 16.875, 25.3125, 30.0, 30.0])
    assert [rhythm(news=True), rhythm()] == pytest.approx([5.0, 7.5])


def test_a_long_training_is_looked_at_every_two_minutes_at_most() -> None:
    rhythm = still()
    assert [rhythm(eta_s=86_400.0) for _ in range(12)][-1] == 120.0


def test_the_end_is_not_slept_through() -> None:
    rhythm = still()
    for _ in range(12):
        rhythm(eta_s=7200.0)
    assert [rhythm(eta_s=left) for left in (600.0, 100.0, 40.0, 8.0, 0.5)] == pytest.approx([30.0, 25.0, 10.0, 5.0, 5.0])


def test_an_end_that_should_have_come_counts_as_not_known() -> None:
    rhythm = still()
    assert [rhythm(eta_s=0.0) for _ in range(8)][-1] == 30.0


@pytest.mark.parametrize("asked_s", [45.0, 300.0])
def test_what_a_provider_asks_for_is_kept(asked_s: float) -> None:
    chance = random.Random(7)
    rhythm = Rhythm(5.0, 30.0, random=chance.random)
    assert all(asked_s <= rhythm(asked_s=asked_s) <= 1.25 * asked_s for _ in range(100))


def test_nobody_is_put_off_for_a_day() -> None:
    assert still()(asked_s=86_400.0) <= 1125.0


def test_a_thousand_that_began_together_do_not_ask_together() -> None:
    chance = random.Random(11)
    due = [(0.0, number, Rhythm(5.0, 30.0, random=chance.random)) for number in range(1000)]
    asked = [0] * 600
    while due[0][0] < 600.0:
        at, number, rhythm = heapq.heappop(due)
        asked[int(at)] += 1
        heapq.heappush(due, (at + rhythm(), number, rhythm))
    assert max(asked[120:]) < 90, "1,000 every 30 s are 33 a second"


def seen(status: Status, **more: object) -> Observation:
    return Observation(snapshot=Snapshot(id="j", status=status, **({"eta_s": more.pop("eta_s")} if "eta_s" in more else {})), **more)


def test_a_job_is_looked_at_soon_after_its_status_changed() -> None:
    pause = pauses(MemoryBackend(), None)
    quiet = [pause(seen(Status.QUEUED)) for _ in range(9)]
    assert quiet[-1] > 20.0
    assert pause(seen(Status.RUNNING)) < 7.0


def test_a_look_that_was_refused_waits_as_it_was_asked() -> None:
    assert pauses(MemoryBackend(), None)(seen(Status.RUNNING, asked_s=60.0)) >= 60.0


def test_the_callers_own_wish_goes_before_all_that() -> None:
    pause = pauses(MemoryBackend(), 0.25)
    assert [pause(seen(Status.RUNNING, eta_s=9000.0)), pause(seen(Status.RUNNING, asked_s=60.0))] == [0.25, 0.25]


def test_a_local_job_is_looked_at_every_second() -> None:
    class Here(MemoryBackend):
        @property
        def capabilities(self):
            return super().capabilities.model_copy(update={"local": True})

    pause = pauses(Here(), None)
    assert {pause(seen(Status.RUNNING, eta_s=9000.0)) for _ in range(5)} == {1.0}
