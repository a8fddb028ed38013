"""How fast a model is asked: stated limits are used up and not broken, what hosts say is heard, a refusal makes all wait."""

from __future__ import annotations

import threading
import time

import pytest
from tests.unit.evaluation.asking import kit
from tests.unit.evaluation.asking.stub import Limit, refusal, serving

from anytune.errors import RateLimited
from anytune.evaluation.asking.pace import Bucket, Pacer, Stopped
from anytune.evaluation.spec import Limits

ONE = {"base": {"type": "zero_shot", "model": "m"}}


def test_a_stated_limit_is_kept_evenly():
    bucket, now, sent = Bucket(120, now=0.0), 0.0, []
    for _ in range(10):
        now += bucket.wait_s(1, now=now)
        bucket.take(1, now=now)
        sent.append(now)
    assert sent == pytest.approx([0.5 * n for n in range(10)])


def test_what_a_late_worker_missed_is_made_up_for_but_not_a_long_pause():
    bucket = Bucket(60, now=0.0)
    bucket.take(1, now=0.0)
    bucket.take(1, now=1.6)
    assert bucket.wait_s(1, now=1.6) == pytest.approx(0.4)
    bucket.take(1, now=100.0)
    bucket.take(1, now=100.0)
    assert bucket.wait_s(1, now=100.0) == pytest.approx(1.0)


def test_tokens_that_were_not_used_are_given_back():
    bucket = Bucket(6000, now=0.0)
    bucket.take(500, now=0.0)
    assert bucket.wait_s(1, now=0.0) == pytest.approx(5.0)
    bucket.give(400)
    assert bucket.wait_s(1, now=0.0) == pytest.approx(1.0)


def test_what_the_host_says_is_left_counts_less_what_was_sent_since():
    bucket = Bucket(None, now=0.0)
    bucket.told(left=2, limit=10, full_s=8.0, since=1, number=1, now=0.0)
    assert bucket.wait_s(1, now=0.0) == 0
    bucket.take(1, now=0.0)
    assert bucket.wait_s(1, now=0.0) == pytest.approx(1.0)
    assert bucket.wait_s(1, now=9.0) == 0


def test_a_limit_of_a_day_is_not_waited_for_in_silence():
    bucket = Bucket(None, now=0.0)
    bucket.told(left=0, limit=1000, full_s=86_400.0, since=0, number=1, now=0.0)
    assert bucket.wait_s(1, now=0.0) == pytest.approx(60.0)
    assert bucket.wait_s(1, now=60.0) == 0


def test_older_news_are_no_news():
    bucket = Bucket(None, now=0.0)
    bucket.told(left=0, limit=10, full_s=10.0, since=0, number=7, now=0.0)
    bucket.told(left=9, limit=10, full_s=1.0, since=0, number=3, now=0.1)
    assert bucket.wait_s(1, now=0.1) == pytest.approx(0.9)


def test_a_limit_that_only_headers_tell_is_never_run_into_by_one_worker(tmp_path):
    with serving(limit=Limit(per_minute=3000, size=10)) as host:
        kit.ask(kit.plan(100, **ONE), host.base_url, tmp_path, concurrency=1)
    assert host.refused == 0
    assert len(host.asked) == 100


def test_workers_whose_questions_overtake_each_other_hear_it_too(tmp_path):
    with serving(limit=Limit(per_minute=3000, size=10)) as host:
        kit.ask(kit.plan(150, **ONE), host.base_url, tmp_path)
        took_s = host.times[-1] - host.times[0]
    assert took_s >= (150 - 10 - 1) / 50
    assert len(host.asked) - host.refused == 150
    assert host.refused < 75


def test_a_stated_limit_is_not_broken(tmp_path):
    with serving() as host:
        began = time.monotonic()
        kit.ask(kit.plan(40, **ONE), host.base_url, tmp_path, limits={"m": Limits(requests_per_minute=2400)})
        assert host.times[-1] - began >= 39 / 40


def test_stated_tokens_are_not_broken(tmp_path):
    with serving() as host:
        began = time.monotonic()
        # 16 tokens of an answer and some of the question each, of which most is given back.
        kit.ask(kit.plan(20, **ONE), host.base_url, tmp_path, limits={"m": Limits(tokens_per_minute=6000, concurrency=1)})
        used = sum(len(body["messages"][-1]["content"]) // 4 + 4 for body in host.asked[:-1])
        assert host.times[-1] - began >= used / 100


def test_a_refusal_makes_all_wait_together_and_costs_no_answer(tmp_path):
    refused_at = []

    def behave(number, body):
        if number in range(20, 28):
            refused_at.append(time.monotonic())
            return refusal(429, "slow down", {"retry-after": "0.5"})
        return None

    with serving(behave) as host:
        answers = kit.ask(kit.plan(60, **ONE), host.base_url, tmp_path)
        after = [at for at in host.times if at > refused_at[-1]]
    assert not any(answer.error for answer in answers)
    assert after[0] - refused_at[0] >= 0.5


def test_in_a_storm_of_refusals_every_question_is_answered_once(tmp_path):
    # No headers but a Retry-After: the limit can only be felt.
    limit = Limit(per_minute=1800, size=3)

    def behave(number, body):
        taken, headers = limit.take()
        return None if taken else refusal(429, "slow down", {"retry-after": headers["retry-after"]})

    with serving(behave) as host:
        answers = kit.ask(kit.plan(90, **ONE), host.base_url, tmp_path, concurrency=16)
    assert len(answers) == 90
    assert not any(answer.error for answer in answers)


def test_a_host_that_asks_for_an_hour_ends_the_run(tmp_path):
    with (
        serving(lambda number, body: refusal(429, "today is over", {"retry-after": "3600"}) if number > 4 else None) as host,
        pytest.raises(RateLimited, match=r"today is over.*3600 s.*run the same again later"),
    ):
        kit.ask(kit.plan(60, **ONE), host.base_url, tmp_path)


def test_who_waits_for_a_place_hears_that_the_run_ends():
    stop = threading.Event()
    pacer = Pacer(Limits(concurrency=1), stop=stop)
    pacer.enter(1)
    heard = threading.Event()

    def wait():
        try:
            pacer.enter(1)
        except Stopped:
            heard.set()

    thread = threading.Thread(target=wait)
    thread.start()
    stop.set()
    pacer.wake()
    thread.join(10)
    assert heard.is_set()
