"""Asking a plan: everything once, errors with their question, an end that says what to do, and going on after any end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.unit.evaluation.asking import kit
from tests.unit.evaluation.asking.stub import completion, refusal, serving

from anytune.errors import AuthError, BudgetExceeded, ConfigError, NotFound, QuotaExceeded, Rejected, Unreachable
from anytune.evaluation.asking import Budget, Store, ask_all
from anytune.evaluation.money import Tariff
from anytune.evaluation.spec import Limits


@pytest.fixture
def host():
    with serving() as running:
        yield running


def tokens(folder) -> int:
    return sum(json.loads(line)["usage"]["total_tokens"] for line in (folder / "answers.jsonl").read_text().splitlines())


def questions(host) -> Counter:
    return Counter(body["messages"][-1]["content"] for body in host.asked)


def test_every_case_of_every_arm_is_asked_as_often_as_repeats_say(host, tmp_path):
    answers = kit.ask(kit.plan(7, repeats=2), host.base_url, tmp_path)
    assert len(answers) == 7 * 2 * 2
    assert set(questions(host).values()) == {4}
    assert all(answer.text.startswith("echo: question") and answer.usage["total_tokens"] > 0 and answer.latency_s > 0 for answer in answers)


def test_an_answer_stands_with_its_arm_its_case_and_its_repeat(host, tmp_path):
    plan = kit.plan(3, repeats=2)
    with Store(tmp_path) as store, kit.endpoint(host.base_url) as endpoint:
        answers = ask_all(plan, {"m": endpoint}, store)
        found = answers["again", plan.cases[2].id, 1]
        assert (found.arm, found.case, found.repeat, found.text) == ("again", plan.cases[2].id, 1, "echo: question 2")
        assert [answer.text for answer in answers.of("base")] == [f"echo: question {n}" for n in (0, 0, 1, 1, 2, 2)]
        assert ("base", plan.cases[0].id, 2) not in answers


def test_run_again_nothing_is_asked(host, tmp_path):
    first = kit.ask(kit.plan(9), host.base_url, tmp_path)
    asked = len(host.asked)
    assert kit.ask(kit.plan(9), host.base_url, tmp_path) == first
    assert len(host.asked) == asked == 18


def test_another_parameter_is_another_question(host, tmp_path):
    kit.ask(kit.plan(4, base={"type": "zero_shot", "model": "m"}), host.base_url, tmp_path)
    kit.ask(kit.plan(4, base={"type": "zero_shot", "model": "m", "params": {"temperature": 1.0}}), host.base_url, tmp_path)
    assert len(host.asked) == 8


def test_the_same_name_for_another_model_is_another_question(host, tmp_path):
    plan = kit.plan(4, base={"type": "zero_shot", "model": "m"})
    kit.ask(plan, host.base_url, tmp_path)
    trained_anew = type(plan)(plan.cases, plan.arms, identities={"m": "ft:second"})
    kit.ask(trained_anew, host.base_url, tmp_path)
    assert len(host.asked) == 8


def test_two_arms_that_ask_the_same_are_asked_once(host, tmp_path):
    one, other = ({"type": "zero_shot", "model": "m"} for _ in range(2))
    answers = kit.ask(kit.plan(5, one=one, other=other), host.base_url, tmp_path)
    assert Counter(answer.arm for answer in answers) == {"one": 5, "other": 5}
    assert len(host.asked) == 5


def test_the_order_is_random_over_arms_and_the_same_for_a_seed():
    plan = kit.plan(50, seed=3)
    order = [(step.arm.name, step.case.row) for step in plan.shuffled("m")]
    assert sorted(order) == sorted((step.arm.name, step.case.row) for step in plan)
    assert order == [(step.arm.name, step.case.row) for step in kit.plan(50, seed=3).shuffled("m")]
    assert order != [(step.arm.name, step.case.row) for step in kit.plan(50, seed=4).shuffled("m")]
    first_half = Counter(arm for arm, _ in order[:50])
    assert 10 < first_half["base"] < 40


def test_an_error_stays_with_its_question_and_is_asked_again_by_the_next_run(tmp_path):
    broken = True

    def behave(number, body):
        return refusal(400, "too long") if broken and body["messages"][-1]["content"] == "question 2" else None

    with serving(behave) as host:
        arms = {"base": {"type": "zero_shot", "model": "m"}}
        answers = kit.ask(kit.plan(6, **arms), host.base_url, tmp_path)
        assert [answer.error for answer in answers if answer.error] == ["Rejected: HTTP 400: too long"]
        assert [answer.text for answer in answers if answer.error] == [None]
        broken = False
        answers = kit.ask(kit.plan(6, **arms), host.base_url, tmp_path)
        assert not any(answer.error for answer in answers)
        assert len(host.asked) == 7


@pytest.mark.parametrize("script", [500, "html", "cut"])
def test_what_may_go_away_is_asked_again_at_once(script, tmp_path):
    said = {500: refusal(500, "oops"), "html": (200, b"<html>", {"content-type": "text/html"}), "cut": (200, b'{"id": "c"', {})}[script]
    with serving(lambda number, body: said if number == 0 else None) as host:
        answers = kit.ask(kit.plan(2, base={"type": "zero_shot", "model": "m"}), host.base_url, tmp_path)
        assert [answer.error for answer in answers] == ["", ""]
        assert len(host.asked) == 3


@pytest.mark.parametrize(
    ("status", "code", "error"), [(401, None, AuthError), (404, None, NotFound), (429, "insufficient_quota", QuotaExceeded)]
)
def test_what_every_question_would_meet_ends_the_run_and_keeps_what_came(status, code, error, tmp_path):
    def behave(number, body):
        return refusal(status, "no", code=code) if number >= 5 else None

    with serving(behave) as host:
        with pytest.raises(error, match=r"Model 'm'.*answers are kept"):
            kit.ask(kit.plan(100), host.base_url, tmp_path, concurrency=2)
        assert len(host.asked) <= 8
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 5


@pytest.mark.parametrize(("status", "error"), [(503, Unreachable), (400, Rejected)])
def test_a_host_that_answers_nothing_ends_the_run_instead_of_counting_as_wrong(status, error, tmp_path):
    with serving(lambda number, body: refusal(status, "down")) as host, pytest.raises(error, match="20 questions one after the other"):
        kit.ask(kit.plan(100), host.base_url, tmp_path)


def test_halves_of_letters_that_a_model_cut_apart_are_kept_as_text(tmp_path):
    with serving(lambda number, body: (200, completion(body, "smile \ud83d"), {})) as host:
        (answer,) = kit.ask(kit.plan(1, base={"type": "zero_shot", "model": "m"}), host.base_url, tmp_path)
    assert answer.text == "smile ?"


def test_the_budget_is_held_while_it_is_spent_and_the_run_goes_on_with_a_larger_one(host, tmp_path):
    # 3 or 4 prompt tokens and up to 16 of an answer; what it takes in the end is far less.
    tariff = Tariff(input_usd_per_million=1e6, output_usd_per_million=1e6, basis="a dollar a token")
    with pytest.raises(BudgetExceeded, match=r"100 US dollars.*are kept.*only what is missing"):
        kit.ask(kit.plan(40), host.base_url, tmp_path, budget=Budget(100.0, {"m": tariff}))
    assert 70 <= tokens(tmp_path) <= 100
    seen = []
    kit.ask(kit.plan(40), host.base_url, tmp_path, budget=Budget(10_000.0, {"m": tariff}), on_progress=seen.append)
    assert len(host.asked) == 80
    assert seen[-1].spent_usd == tokens(tmp_path)


def test_a_budget_without_a_price_is_refused_before_anything_is_asked(host, tmp_path):
    with pytest.raises(ConfigError, match="no price of m is known"):
        kit.ask(kit.plan(2), host.base_url, tmp_path, budget=Budget(1.0, {"m": Tariff()}))
    assert host.asked == []


def test_no_more_are_in_flight_than_the_spec_allows(tmp_path):
    flying, most, lock = 0, 0, threading.Lock()

    def behave(number, body):
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        time.sleep(0.02)
        with lock:
            flying -= 1

    with serving(behave) as host:
        kit.ask(kit.plan(15), host.base_url, tmp_path, limits={"m": Limits(concurrency=3)})
    assert most == 3


def test_progress_is_told_by_the_thread_that_called(host, tmp_path):
    seen = []
    kit.ask(kit.plan(10), host.base_url, tmp_path, on_progress=lambda progress: seen.append((threading.current_thread(), progress)))
    assert {thread for thread, _ in seen} == {threading.current_thread()}
    assert (seen[-1][1].done, seen[-1][1].total, seen[-1][1].failed) == (20, 20, 0)


def program(host, folder, *, count=60, repeats=2, concurrency=4) -> subprocess.Popen:
    argv = [sys.executable, kit.__file__, host.base_url, str(folder), str(count), str(repeats), str(concurrency)]
    root = Path(__file__).parents[4]
    return subprocess.Popen(argv, env=os.environ | {"PYTHONPATH": str(root)}, stderr=subprocess.PIPE, text=True)


def until(condition, deadline_s=60.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_killed_in_the_middle_nothing_is_lost_or_asked_twice_but_what_was_on_its_way(host, tmp_path):
    host.latency_s = 0.02
    child = program(host, tmp_path)
    until(lambda: len(host.asked) >= 80)
    child.kill()
    child.communicate()
    kept = len((tmp_path / "answers.jsonl").read_text().splitlines())
    assert kept >= 70
    answers = kit.ask(kit.plan(60, repeats=2), host.base_url, tmp_path)
    assert len(answers) == 240
    assert not any(answer.error for answer in answers)
    assert 240 <= len(host.asked) <= 240 + 4
    assert min(questions(host).values()) == 4


def test_interrupted_what_is_on_its_way_is_kept(host, tmp_path):
    host.latency_s = 0.1
    child = program(host, tmp_path)
    until(lambda: len(host.asked) >= 20)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    kept = len((tmp_path / "answers.jsonl").read_text().splitlines())
    assert kept == len(host.asked)
    assert f"Stopped: {kept} answers are kept in" in said


def test_a_second_process_in_the_same_folder_is_refused_by_name(host, tmp_path):
    host.latency_s = 0.05
    child = program(host, tmp_path)
    until(lambda: len(host.asked) >= 4)
    with pytest.raises(ConfigError, match=f"Process {child.pid} is asking in"):
        kit.ask(kit.plan(60), host.base_url, tmp_path)
    child.kill()
    child.communicate()
    kit.ask(kit.plan(4), host.base_url, tmp_path)
