"""An evaluation from its spec to its record, with answers that come over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anytune import FineTuneJob
from anytune.errors import AuthError, BudgetExceeded, ConfigError
from anytune.evaluation import EvaluationSpec, evaluate
from anytune.evaluation.gate import held
from anytune.evaluation.report import read
from anytune.evaluation.run import Stopped
from anytune.migration import capture
from anytune.runtime import runtime
from anytune.testing.engine import Engine

ROWS = 120


def row(number):
    messages = [{"role": "user", "content": f"How much is {number} and {number}?"}, {"role": "assistant", "content": str(2 * number)}]
    return {"messages": messages}


class Host:
    """A host with a model that knows half of the answers, and one that knows nearly all; it keeps every question."""

    def __init__(self, script=()):
        self.asked = []
        self.engine = Engine("base", adapters={"tuned": "tuned", "old": "old"}, reply=self.reply, script=script)

    def reply(self, model, messages):
        self.asked.append((model, messages))
        if not messages[-1]["content"].startswith("How much is"):
            return "I cannot say."
        number = int(messages[-1]["content"].split()[3])
        hinted = any(message["role"] == "system" and "double" in str(message["content"]) for message in messages)
        knows = {"base": number % 2 == 0 or (hinted and number % 5 == 0), "tuned": number % 10 != 1, "old": number % 10 != 3}[model]
        return str(2 * number) if knows else "I do not know."


@pytest.fixture
def host():
    made = Host()
    with made.engine:
        yield made


@pytest.fixture
def desk(tmp_path, monkeypatch, host):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    for name, numbers in (("train", range(1000, 1080)), ("test", range(ROWS))):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row(number)) + "\n" for number in numbers))
    return tmp_path


def spec(desk, host, **changes):
    models = {name: {"base_url": host.engine.base_url, "model": name} for name in ("base", "tuned", "old")}
    settings = {
        "name": "sums",
        "data": desk / "test.jsonl",
        "train": desk / "train.jsonl",
        "models": models,
        "arms": {
            "base": {"type": "zero_shot", "model": "base"},
            "prompt": {"type": "prompt", "model": "base", "system": ["Be brief.", "It is the double."]},
            "few_shot": {"type": "few_shot", "model": "base", "k": [1, 3]},
            "nearest": {"type": "nearest"},
            "again": {"type": "again", "of": "base"},
            "tuned": {"type": "zero_shot", "model": "tuned"},
        },
        "dev": {"rows": 40},
    }
    return EvaluationSpec(**(settings | changes))


def test_all_arms_are_asked_and_the_better_model_is_found(desk, host):
    found = evaluate(spec(desk, host))
    scores = {arm.name: arm.scores["exact"].value for arm in found.arms}
    assert scores == {"base": 0.5, "prompt": 0.6, "few_shot": 0.5, "nearest": 0.0, "again": 0.5, "tuned": 0.9}
    assert (found.baseline, found.candidate, found.decision.outcome) == ("prompt", "tuned", "pass")
    headline = found.comparisons[0]
    assert (headline.difference, headline.wins - headline.losses) == (pytest.approx(0.3), 36)
    assert headline.low > 0
    assert (found.noise.difference, found.noise.wins) == (0.0, 0)


def test_choices_are_made_on_training_rows_and_told(desk, host):
    found = evaluate(spec(desk, host))
    chosen = {(choice.arm, choice.setting): choice.chosen for choice in found.choices}
    assert chosen == {("prompt", "system"): "prompt 2", ("few_shot", "k"): "1", ("tuned", "baseline"): "prompt"}
    reported = {json.dumps(row(number)["messages"][0]["content"]) for number in range(ROWS)}
    tried = [messages for _, messages in host.asked if "Be brief" in json.dumps(messages)]
    assert len(tried) == 40
    assert any("The choice of k of few_shot (1) rests on 40 development rows" in line for line in found.cannot_tell)
    assert not reported & {json.dumps(messages[-1]["content"]) for messages in tried}


def test_the_record_is_kept_and_can_be_read_again(desk, host):
    found = evaluate(spec(desk, host), folder=desk / "kept")
    assert read(desk / "kept" / "evaluation.json") == found
    assert set(found.hashes) == {"rule", "spec", "data", "train", "answers"}
    assert found.versions["anytune"]
    assert str(desk) not in (desk / "kept" / "evaluation.json").read_text()


def test_again_with_the_same_answers_asks_nothing(desk, host):
    first = evaluate(spec(desk, host))
    asked = len(host.asked)
    second = evaluate(spec(desk, host))
    assert len(host.asked) == asked
    assert (second.arms, second.comparisons) == (first.arms, first.comparisons)


def test_who_says_no_to_the_estimate_is_asked_nothing(desk, host):
    told = []
    with pytest.raises(Stopped):
        evaluate(spec(desk, host), on_before=lambda before: told.append(before) is not None)
    assert host.asked == []
    assert (told[0].cases, told[0].dev_rows, told[0].usd) == (ROWS, 40, None)
    assert told[0].requests == 5 * ROWS + 40 * (1 + 2 + 2 + 1)
    assert 0 < told[0].power.gain < 0.2


def test_a_budget_that_the_estimate_breaks_is_told_before_anything_is_asked(desk, host):
    priced = {
        name: {"base_url": host.engine.base_url, "model": name, "prices": {"input_usd_per_million": 500, "output_usd_per_million": 500}}
        for name in ("base", "tuned")
    }
    with pytest.raises(BudgetExceeded, match="nothing was asked"):
        evaluate(spec(desk, host, models=priced, spending={"max_usd": 0.01}))
    assert host.asked == []


def test_costs_are_counted_and_break_even_is_told(desk, host):
    prices = {"base": (0.4, 1.6), "tuned": (0.1, 0.4)}
    priced = {
        name: {"base_url": host.engine.base_url, "model": name, "prices": {"input_usd_per_million": one, "output_usd_per_million": two}}
        for name, (one, two) in prices.items()
    }
    found = evaluate(spec(desk, host, models=priced, spending={"training_usd": 2.0, "requests_per_month": 100_000}))
    arms = {arm.name: arm for arm in found.arms}
    assert arms["tuned"].usd_per_request < arms["prompt"].usd_per_request
    assert arms["nearest"].usd_per_request == 0
    assert found.break_even.requests.value > 1_000
    assert "at 100,000 requests a month" in found.break_even.basis
    assert found.spent_usd > 0


def test_no_worse_than_the_old_model_is_decided_by_the_margin(desk, host):
    arms = {"old": {"type": "zero_shot", "model": "old"}, "tuned": {"type": "zero_shot", "model": "tuned"}}
    rule = {"kind": "non_inferiority", "baseline": "old", "margin": 0.15}
    found = evaluate(spec(desk, host, arms=arms, rule=rule))
    assert (found.decision.outcome, found.dev_rows) == ("pass", 0)
    strict = evaluate(spec(desk, host, arms=arms, rule=rule | {"margin": 0.03}, name="strict"))
    assert strict.decision.outcome == "inconclusive"
    assert [flip.candidate_score for flip in strict.flips] == [0.0] * 12 + [1.0] * 12


def test_few_rows_decide_nothing(desk, host):
    found = evaluate(spec(desk, host, rows=12))
    assert (found.decision.outcome, found.cases) == ("inconclusive", 12)


def test_a_host_that_refuses_a_question_counts_as_wrong_and_is_told(desk):
    host = Host(script=[400] * 3)
    arms = {name: {"type": "zero_shot", "model": name} for name in ("base", "tuned")}
    with host.engine:
        found = evaluate(spec(desk, host, arms=arms, rule={"baseline": "base"}))
    assert sum(arm.errors for arm in found.arms) == 3
    assert any("3 questions got no answer" in line for line in found.cannot_tell)


def test_a_job_s_model_and_its_base_are_deployed_and_taken_down_and_its_losses_are_shown(desk):
    job = FineTuneJob.create(backend="memory", model="base-1", train=desk / "train.jsonl", name="sums")
    job.wait(poll_s=0.05)
    models = {"base": {"backend": "memory", "model": "base-1"}, "tuned": {"job": "sums"}}
    arms = {name: {"type": "zero_shot", "model": name} for name in models}
    found = evaluate(EvaluationSpec(name="job", data=desk / "test.jsonl", models=models, arms=arms, rule={"baseline": "base"}, rows=40))
    assert [arm.model for arm in found.arms] == ["base-1", f"sums ({job.id})"]
    assert found.curves
    assert "deploy" in job.backend.capabilities.abilities
    assert list(job.context.ledger.deployments(live=True)) == []


def test_no_host_is_begun_where_every_answer_is_there_already(desk):
    models = {"base": {"backend": "memory", "model": "base-1"}}
    arms = {"base": {"type": "zero_shot", "model": "base"}, "tuned": {"type": "prompt", "model": "base", "system": "Be brief."}}
    wanted = EvaluationSpec(name="hosts", data=desk / "test.jsonl", models=models, arms=arms, rule={"baseline": "base"}, rows=40)
    first = evaluate(wanted)
    hosts = len(runtime().ledger.deployments(live=False))
    again = evaluate(wanted)
    assert len(runtime().ledger.deployments(live=False)) == hosts == 1
    assert again.comparisons == first.comparisons
    assert again.arms[0].usd_per_request == first.arms[0].usd_per_request > 0


def test_a_key_that_is_not_set_is_named(desk, host, monkeypatch):
    monkeypatch.delenv("SUMS_KEY", raising=False)
    models = {"base": {"base_url": host.engine.base_url, "model": "base", "api_key_env": "SUMS_KEY"}}
    arms = {"base": {"type": "zero_shot", "model": "base"}, "tuned": {"type": "again", "of": "base"}}
    with pytest.raises(AuthError, match="SUMS_KEY is not set"):
        evaluate(spec(desk, host, models=models, arms=arms, rule={"baseline": "base"}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"primary": "taste"}, "`primary` is 'taste'"),
        ({"graders": [{"type": "exact"}, {"type": "exact"}]}, "Two graders are called 'exact'"),
        ({"graders": []}, "There is no grader"),
        ({"train": None}, "There are no development rows"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_asked(desk, host, changes, words):
    with pytest.raises(ConfigError, match=words):
        evaluate(spec(desk, host, **changes))
    assert host.asked == []


def test_the_drift_check_asks_both_sides_the_same_and_is_in_the_estimate(desk, host):
    told = []
    arms = {name: {"type": "zero_shot", "model": name} for name in ("base", "tuned")}
    drift = {"baseline": "base", "items": 60}
    found = evaluate(
        spec(desk, host, arms=arms, rule={"baseline": "base"}, drift=drift), on_before=lambda before: told.append(before) or True
    )
    assert {finding["probe"] for finding in found.drift} == {"general", "harmful", "harmless", "coherence"}
    others = [(model, text) for model, messages in host.asked if not (text := messages[-1]["content"]).startswith("How much is")]
    probed = {name: [text for model, text in others if model == name] for name in arms}
    assert sorted(probed["base"]) == sorted(probed["tuned"])
    assert told[0].requests == len(host.asked) == 2 * ROWS + 2 * len(probed["base"])


def test_a_judge_whose_key_is_refused_ends_the_run_and_the_answers_are_kept(desk, host, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "sk-wrong")
    arms = {name: {"type": "zero_shot", "model": name} for name in ("base", "tuned")}
    with Engine("judge", token="sk-right") as engine:
        judge = {"base_url": engine.base_url, "model": "judge", "api_key_env": "JUDGE_KEY"}
        models = {name: {"base_url": host.engine.base_url, "model": name} for name in arms} | {"judge": judge}
        graders = [{"type": "judge", "model": "judge", "rubric": "Is it right?"}]
        with pytest.raises(AuthError):
            evaluate(spec(desk, host, models=models, arms=arms, rule={"baseline": "base"}, graders=graders))
    asked = len(host.asked)
    evaluate(spec(desk, host, models=models, arms=arms, rule={"baseline": "base"}))
    assert (asked, len(host.asked)) == (2 * ROWS, 2 * ROWS)


def test_a_rule_that_is_bent_after_the_answers_were_there_is_told_and_does_not_pass_the_gate(desk, host):
    arms = {name: {"type": "zero_shot", "model": name} for name in ("old", "tuned")}
    rule = {"kind": "non_inferiority", "baseline": "old", "margin": 0.03}
    held(evaluate(spec(desk, host, arms=arms, rule=rule)))
    bent = evaluate(spec(desk, host, arms=arms, rule=rule | {"margin": 0.3}))
    assert bent.decision.outcome == "pass"
    assert "rule was changed after answers" in bent.cannot_tell[0]
    with pytest.raises(ConfigError, match="was changed after answers to these rows were there"):
        held(bent)
    held(evaluate(spec(desk, host, arms=arms, rule=rule)))


def kept(desk, host, samples=2):
    done = capture("old", desk / "test.jsonl", samples=samples, base_url=host.engine.base_url, out=desk / "old.jsonl")
    return Path(done.path)


def test_a_model_that_is_gone_is_held_against_by_what_it_answered(desk, host):
    file = kept(desk, host)
    asked = len(host.asked)
    arms = {"old": {"type": "captured", "file": file}, "tuned": {"type": "zero_shot", "model": "tuned"}}
    rule = {"kind": "non_inferiority", "baseline": "old", "margin": 0.15}
    found = evaluate(spec(desk, host, arms=arms, rule=rule, repeats=2))
    assert {model for model, _ in host.asked[asked:]} == {"tuned"}
    assert [arm.scores["exact"].value for arm in found.arms] == [0.9, 0.9]
    assert found.arms[0].what.startswith("gives what old answered on 20")
    assert (found.arms[0].usd_per_request, found.decision.outcome) == (None, "pass")


def test_more_repeats_than_were_captured_are_refused(desk, host):
    arms = {"old": {"type": "captured", "file": kept(desk, host)}, "tuned": {"type": "zero_shot", "model": "tuned"}}
    with pytest.raises(ConfigError, match="holds 2 answers to each row, and `repeats` is 3"):
        evaluate(spec(desk, host, arms=arms, rule={"baseline": "old"}, repeats=3))


def test_a_row_that_was_not_captured_counts_as_failed_and_is_told(desk, host):
    file = kept(desk, host)
    with (desk / "test.jsonl").open("a") as rows:
        rows.write(json.dumps(row(ROWS)) + "\n")
    arms = {"old": {"type": "captured", "file": file}, "tuned": {"type": "zero_shot", "model": "tuned"}}
    found = evaluate(spec(desk, host, arms=arms, rule={"baseline": "old"}))
    assert found.arms[0].errors == 1
    assert any("got no answer" in line for line in found.cannot_tell)
