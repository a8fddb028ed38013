"""What asking costs: whose price counts, what answers took, what is expected, and from when on a tuned model pays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from anytune.errors import BudgetExceeded
from anytune.evaluation.arms import Pool, built
from anytune.evaluation.asking import Plan
from anytune.evaluation.cases import case_of
from anytune.evaluation.money import (
    Tariff,
    arm_costs,
    break_even,
    cost_of,
    costs_by_case,
    estimate_before,
    measured,
    prices_of,
    tokens_of,
)
from anytune.evaluation.spec import EvaluationSpec, Model
from anytune.evaluation.values import Answer
from anytune.model import TunedModel
from anytune.runtime import Runtime
from anytune.testing import MemoryBackend
from anytune.values import ModelRef

TUNED = "ft:gpt-4.1-mini-2025-04-14:acme:recipes:abc12345"
BY_TOKEN = Tariff(input_usd_per_million=1.0, cached_usd_per_million=0.25, output_usd_per_million=4.0, basis="prices")
AT = datetime(2026, 11, 23, tzinfo=UTC)


class Hosted(MemoryBackend):
    """A backend that the catalogue knows as OpenAI."""

    @property
    def catalog(self):
        return "openai"

    @property
    def capabilities(self):
        return super().capabilities.model_copy(update={"local": False})


class Mine(MemoryBackend):
    """A backend on one's own machine."""

    @property
    def capabilities(self):
        return super().capabilities.model_copy(update={"local": True})


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path))
    return Runtime(backends={"openai": Hosted(), "mine": Mine()})


def answer(number=0, *, prompt=100, completion=10, cached=0, at_s=0.0, latency_s=1.0, error="", arm="base", repeat=0):
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "prompt_tokens_details": {"cached_tokens": cached}}
    said = {"error": error} if error else {"text": "yes", "usage": usage if prompt else {}}
    asked = {} if error else {"latency_s": latency_s, "asked_at": AT + timedelta(seconds=at_s)}
    return Answer(case=f"{number:016x}", arm=arm, repeat=repeat, **said, **asked)


def test_a_tuned_model_has_the_catalogues_prices_and_their_day(context):
    found = prices_of(Model(backend="openai", model=TUNED), "tuned", context)
    assert (found.input_usd_per_million, found.cached_usd_per_million, found.output_usd_per_million) == (0.8, 0.2, 3.2)
    assert found.basis == "prices of asking a tuned gpt-4.1-mini-2025-04-14 (anytune's openai.yaml, read 2026-11-22)"


def test_of_a_base_model_the_catalogue_knows_no_price_and_none_is_guessed(context):
    found = prices_of(Model(backend="openai", model="gpt-4.1-mini-2025-04-14"), "base", context)
    assert not found.known
    assert found.basis == "no price of asking base is known: give `models.base.prices`"


def test_what_is_served_says_what_was_tuned(context):
    served = TunedModel(ModelRef(id="my-deployment", base_model="gpt-4.1-nano"), backend="openai", context=context)
    assert prices_of(Model(job="recipes"), "tuned", context, served=served).input_usd_per_million == 0.2


def test_the_specs_prices_go_before_the_catalogues(context):
    model = Model(backend="openai", model=TUNED, prices={"output_usd_per_million": 9.0})
    found = prices_of(model, "tuned", context)
    assert (found.input_usd_per_million, found.output_usd_per_million) == (0.8, 9.0)
    assert found.basis.startswith("prices of tuned in the spec (output_usd_per_million 9); for the rest prices of asking a tuned")


def test_ones_own_machine_is_free_unless_the_spec_prices_its_hours(context):
    assert prices_of(Model(backend="mine", model="starter"), "base", context).hourly_usd == 0.0
    found = prices_of(Model(backend="mine", model="starter", prices={"hourly_usd": 2.5}), "base", context)
    assert (found.hourly_usd, found.by_token) == (2.5, False)


def test_a_host_by_the_hour_has_the_price_of_its_deployment(context):
    assert prices_of(Model(backend="openai", model="mine"), "base", context, hourly_usd=0.0).known
    found = prices_of(Model(backend="openai", model="mine"), "base", context, hourly_usd=1.8)
    assert (found.hourly_usd, found.basis) == (1.8, "$1.80 an hour, as its host says")


def test_an_address_has_no_price_but_its_own(context):
    assert not prices_of(Model(base_url="http://127.0.0.1:1/v1", model="m"), "base", context).known
    priced = Model(base_url="http://127.0.0.1:1/v1", model="m", prices={"input_usd_per_million": 1, "output_usd_per_million": 2})
    assert prices_of(priced, "base", context).by_token


def test_cached_tokens_have_their_own_price():
    assert cost_of(answer(prompt=1000, cached=400, completion=100), BY_TOKEN) == pytest.approx((600 + 400 * 0.25 + 100 * 4) / 1e6)
    dear = BY_TOKEN.model_copy(update={"cached_usd_per_million": None})
    assert cost_of(answer(prompt=1000, cached=400, completion=100), dear) == pytest.approx((1000 + 100 * 4) / 1e6)


def test_an_answer_without_a_count_has_no_known_cost():
    assert cost_of(answer(prompt=0), BY_TOKEN) is None
    assert cost_of(answer(), Tariff()) is None
    assert cost_of(answer(), Tariff(hourly_usd=0.0)) == 0.0


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None}, {"prompt_tokens": "9"}, {"prompt_tokens_details": 3}])
def test_a_usage_of_any_shape_is_read(usage):
    assert tokens_of(usage) == (0, 0, 0)


def test_an_arms_costs_are_by_request_and_by_right_answer():
    answers = [
        *(answer(number, prompt=1000, completion=0, latency_s=float(number)) for number in range(1, 11)),
        answer(11, error="Rejected"),
    ]
    found = arm_costs(answers, BY_TOKEN, correct=5.0)
    assert found.usd == pytest.approx(0.01)
    assert found.usd_per_request == pytest.approx(0.001)
    assert found.usd_per_correct == pytest.approx(0.002)
    assert (found.prompt_tokens, found.cached_tokens, found.completion_tokens) == (10_000, 0, 0)
    assert found.latency_p50_s.value == pytest.approx(5.5)
    assert found.latency_p95_s.high is None


def test_where_nothing_was_right_there_is_no_cost_of_a_right_answer():
    assert arm_costs([answer()], BY_TOKEN, correct=0.0).usd_per_correct is None


def test_what_a_host_did_not_count_makes_the_cost_unknown_and_is_said():
    found = arm_costs([answer(1), answer(2, prompt=0)], BY_TOKEN)
    assert found.usd is None
    assert "of 1 of 2 answers the host counted no tokens" in found.basis


def test_an_arm_that_asks_no_model_costs_nothing():
    found = arm_costs([Answer(case="a", arm="nearest", text="yes")], None, correct=1.0)
    assert (found.usd, found.usd_per_request, found.usd_per_correct, found.latency_p50_s) == (0.0, 0.0, 0.0, None)


def test_an_hour_is_divided_by_the_answers_of_its_busy_seconds():
    # Two at once for 10 s, a pause of 90 s in which nobody asked, and 10 s of one alone.
    answers = [answer(0, at_s=0, latency_s=10), answer(1, at_s=0, latency_s=10), answer(2, at_s=100, latency_s=10)]
    found = measured(Tariff(hourly_usd=3.6, basis="hourly"), answers, concurrency=2)
    assert sum(cost_of(one, found) for one in answers) == pytest.approx(20 * 3.6 / 3600)
    assert "3 answers in 20.0 s of being asked, 540 an hour at up to 2 at once" in found.basis
    assert measured(BY_TOKEN, answers, concurrency=2) == BY_TOKEN


def test_costs_of_a_case_are_the_mean_of_its_repeats():
    answers = {
        (one.arm, one.case, one.repeat): one
        for one in (
            answer(1, prompt=1000, completion=0),
            answer(1, prompt=3000, completion=0, repeat=1),
            answer(2, prompt=0),
            answer(1, arm="x"),
        )
    }
    assert costs_by_case(answers, "base", [f"{number:016x}" for number in (1, 2, 3)], BY_TOKEN) == [pytest.approx(0.002), None, None]


def plan(count=200, max_tokens=50, **tokens):
    rows = [
        {"messages": [{"role": "user", "content": f"say word number {n}"}, {"role": "assistant", "content": "word " * 10}]}
        for n in range(count)
    ]
    cases = [case_of(row, number) for number, row in enumerate(rows, start=1)]
    spec = EvaluationSpec(
        data="x.jsonl",
        models={"m": {"base_url": "http://127.0.0.1:1/v1", "model": "m"}},
        arms={
            "base": {"type": "zero_shot", "model": "m"},
            "shots": {"type": "few_shot", "model": "m", "k": 5},
            "copy": {"type": "nearest"},
        },
        rule={"candidate": "base"},
        params={"max_tokens": max_tokens},
    )
    pool = Pool.of(
        [case.model_copy(update={"messages": ({"role": "user", "content": f"other thing {case.row}"},)}) for case in cases], held_out=[]
    )
    return Plan(cases, [built(spec, name, pool) for name in spec.arms], repeats=2)


def test_the_estimate_is_from_the_arms_real_prompts():
    found = estimate_before(plan(), {"m": BY_TOKEN})
    assert found.requests == 800
    # 10 words are some 11 tokens, and a fifth more are expected; at most 50.
    assert 800 * 11 <= found.completion_tokens <= 800 * 16
    assert found.completion_tokens_at_most == 800 * 50
    assert found.usd == pytest.approx((found.prompt_tokens + 4 * found.completion_tokens) / 1e6)
    assert found.usd < found.usd_at_most
    assert found.arms["shots"] > 1.5 * found.arms["base"]
    assert found.arms["copy"] == 0.0


def test_without_a_price_no_sum_is_told():
    found = estimate_before(plan(10), {})
    assert (found.usd, found.usd_at_most, found.unpriced) == (None, None, ("m",))
    found.within(0.01)


def test_an_estimate_over_the_budget_says_what_to_do():
    found = estimate_before(plan(), {"m": BY_TOKEN})
    found.within(found.usd * 1.01)
    with pytest.raises(BudgetExceeded, match=r"nothing was asked.*Raise it, or ask less"):
        found.within(found.usd * 0.99)


def test_break_even_is_what_was_paid_once_over_what_a_request_saves():
    base, tuned = [0.010 + 0.001 * (n % 5) for n in range(100)], [0.004 + 0.0005 * (n % 3) for n in range(100)]
    saved = sum(base) / 100 - sum(tuned) / 100
    found = break_even(tuned, base, names=("shots", "tuned"), once_usd=100.0, per_month=10_000)
    assert found.requests.value == pytest.approx(100 / saved)
    assert found.requests.low < found.requests.value < found.requests.high
    assert (found.baseline, found.candidate) == ("shots", "tuned")
    assert f"at 10,000 requests a month after {100 / saved / 10_000:.1f} months" in found.basis


def test_where_the_saving_reaches_0_no_break_even_is_established():
    noise = [0.01 + 0.005 * (-1) ** n for n in range(100)]
    found = break_even(noise, noise[1:] + noise[:1], once_usd=10.0)
    assert found.requests is None
    assert found.saved_usd.low < 0 < found.saved_usd.high
    assert found.basis.startswith("no break-even established: a request saves")


def test_a_dearer_candidate_never_pays():
    found = break_even([0.02] * 50, [0.01] * 50, once_usd=10.0)
    assert found.requests is None
    assert found.basis.endswith("it costs more")


def test_the_same_saving_on_every_case_has_no_width():
    found = break_even([0.01] * 50, [0.02] * 50, once_usd=10.0)
    assert (found.requests.value, found.requests.low, found.requests.high) == pytest.approx((1000, 1000, 1000))


def test_unknown_costs_are_told_as_unknown():
    assert "known for 0 cases" in break_even([None] * 50, [0.01] * 50, once_usd=10.0).basis
    found = break_even([0.01] * 50, [0.02] * 50, once_usd=None)
    assert found.requests is None
    assert found.basis.endswith("what is paid once is not known")


def test_the_interval_of_a_break_even_covers_the_truth_as_often_as_it_says():
    import numpy as np

    chance, covered = np.random.default_rng(20261123), 0
    for seed in range(100):
        base, tuned = chance.gamma(4.0, 0.005, 60), chance.gamma(4.0, 0.0025, 60)
        found = break_even(list(tuned), list(base), once_usd=100.0, seed=seed)
        covered += found.requests.low <= 100 / 0.01 <= found.requests.high
    assert covered >= 88, "seed 20261123"
