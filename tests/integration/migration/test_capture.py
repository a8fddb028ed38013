"""Captured answers: all of them, each once, whoever kills the asking."""

from __future__ import annotations

import json
import stat

import pytest

from anytune.errors import AuthError, BudgetExceeded, ConfigError, DataError
from anytune.evaluation.cases import read_cases
from anytune.evaluation.goldens import read
from anytune.migration import capture, captured


@pytest.fixture
def old(tuned):
    return tuned().result()


def asked(host):
    return host.count("POST /chat/completions")


def test_each_question_is_answered_as_often_as_was_asked(old, folder, context, openai_host):
    done = capture(old, folder / "held.jsonl", samples=3, out=folder / "old.jsonl", context=context)
    assert (done.missing, done.header.cases, done.header.samples) == (0, 12, 3)
    ids = {case.id for case in read_cases(folder / "held.jsonl")}
    assert set(captured(folder / "old.jsonl")) == {(one, number) for one in ids for number in range(3)}
    one = next(iter(done.answers.values()))
    assert one.usage["completion_tokens"] > 0
    assert one.latency_s > 0
    assert one.asked_at is not None
    assert one.model == old.id
    assert one.row > 0
    assert done.agreement == 1.0


def test_the_file_is_its_owners_alone_and_begins_with_what_it_is_of(old, folder, context):
    capture(old, folder / "held.jsonl", samples=1, out=folder / "old.jsonl", context=context)
    assert stat.S_IMODE((folder / "old.jsonl").stat().st_mode) == 0o600
    header = json.loads((folder / "old.jsonl").read_text().splitlines()[0])
    assert header["anytune_capture"] == 1
    assert header["params"] == {"temperature": 0.0, "max_tokens": 1024}
    assert len(header["data_sha256"]) == 64


def test_a_torn_line_and_a_failed_answer_are_asked_again_and_nothing_else(old, folder, context, openai_host):
    path = folder / "old.jsonl"
    capture(old, folder / "held.jsonl", samples=2, out=path, context=context)
    lines = path.read_text().splitlines()
    failed = json.loads(lines[-2]) | {"error": "Unreachable"}
    path.write_text("\n".join([*lines[:-2], json.dumps({k: v for k, v in failed.items() if k != "text"}), lines[-1][:25]]))
    before = asked(openai_host)
    done = capture(old, folder / "held.jsonl", samples=2, out=path, context=context)
    assert (asked(openai_host) - before, done.missing) == (2, 0)


def test_more_samples_later_ask_only_the_new_ones(old, folder, context, openai_host):
    capture(old, folder / "held.jsonl", samples=1, out=folder / "old.jsonl", context=context)
    before = asked(openai_host)
    assert capture(old, folder / "held.jsonl", samples=3, out=folder / "old.jsonl", context=context).missing == 0
    assert asked(openai_host) - before == 24


@pytest.mark.parametrize(("change", "what"), [({"params": {"temperature": 1.0}}, "params"), ({"data": "valid.jsonl"}, "data_sha256")])
def test_a_file_of_another_capture_is_left_alone(old, folder, context, change, what):
    capture(old, folder / "held.jsonl", samples=1, out=folder / "old.jsonl", context=context)
    kept = (folder / "old.jsonl").read_bytes()
    given = {"data": "held.jsonl", "params": None} | change
    with pytest.raises(ConfigError, match=f"another `{what}`"):
        capture(old, folder / given["data"], samples=1, out=folder / "old.jsonl", params=given["params"], context=context)
    assert (folder / "old.jsonl").read_bytes() == kept


def test_the_plan_says_what_it_costs_and_when_the_model_stops_answering(folder, context, monkeypatch, old):
    monkeypatch.setattr(type(context.backends["openai"]), "catalog", property(lambda _: "openai"))
    plans = []
    capture(old, folder / "held.jsonl", out=folder / "old.jsonl", on_plan=plans.append, context=context)
    (plan,) = plans
    assert plan.answers_until.isoformat() == "2027-01-14"
    assert (plan.missing, plan.cases, plan.samples) == (36, 12, 3)
    assert 0 < plan.cost.usd < plan.cost.most_usd
    assert "$0.8 and $3.2 for a million tokens" in plan.cost.basis


def test_nothing_is_asked_that_would_cost_more_than_was_allowed(folder, context, monkeypatch, openai_host, old):
    monkeypatch.setattr(type(context.backends["openai"]), "catalog", property(lambda _: "openai"))
    before = asked(openai_host)
    with pytest.raises(BudgetExceeded, match="Nothing was asked"):
        capture(old, folder / "held.jsonl", out=folder / "old.jsonl", max_usd=0.00001, context=context)
    assert asked(openai_host) == before


def test_a_budget_that_is_used_up_on_the_way_keeps_what_came(folder, context, monkeypatch, old):
    monkeypatch.setattr(type(context.backends["openai"]), "catalog", property(lambda _: "openai"))
    with pytest.raises(BudgetExceeded, match="used up"):
        capture(old, folder / "held.jsonl", out=folder / "old.jsonl", max_usd=0.0036, concurrency=1, context=context)
    came = len(captured(folder / "old.jsonl"))
    assert 0 < came < 36
    assert capture(old, folder / "held.jsonl", out=folder / "old.jsonl", context=context).missing == 0


def test_a_wrong_key_stops_it_at_once(folder, context, openai_host):
    from pydantic import SecretStr

    with pytest.raises(AuthError):
        capture(
            "ft:x",
            folder / "held.jsonl",
            base_url=openai_host.base_url,
            api_key=SecretStr("sk-wrong-key-wrong"),
            concurrency=1,
            context=context,
        )
    assert asked(openai_host) <= 1


def test_a_job_at_the_host_is_found_by_its_id(tuned, folder, context):
    job = tuned()
    done = capture(f"openai:{job.remote_id}", folder / "held.jsonl", samples=1, out=folder / "old.jsonl", context=context)
    assert done.header.model == job.result().id


def test_another_file_is_no_capture(folder):
    with pytest.raises(DataError, match="no file of captured answers"):
        read(folder / "train.jsonl")
