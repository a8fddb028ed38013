"""Quotes: worked by hand, monotone, and honest about what is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune import catalog
from anytune.values import DataStats

COUNTS = st.integers(min_value=0, max_value=10**10)
EPOCHS = st.floats(min_value=0.1, max_value=50)


def cost(tokens, epochs=1.0, model="gpt-4.1"):
    return catalog.quote("openai", model, "sft", DataStats(rows=100, tokens=tokens), epochs=epochs).cost_usd


@pytest.mark.parametrize(
    ("model", "tokens", "epochs", "usd"),
    [
        ("gpt-4.1-2025-04-14", 379_446, 1, 9.48615),  # the trained tokens of a recorded job, at 25 dollars a million
        ("gpt-4.1-2025-04-14", 126_482, 3, 9.48615),
        ("gpt-4.1-mini-2025-04-14", 1_000_000, 3, 15.0),
        ("gpt-4.1-nano-2025-04-14", 2_000_000, 2, 6.0),
        ("gpt-4o-2024-08-06", 40_000, 5, 5.0),
        ("gpt-4o-mini-2024-07-18", 100_000, 10, 3.0),
        ("gpt-3.5-turbo-0125", 250_000, 1, 2.0),
        ("davinci-002", 500_000, 1, 3.0),
        ("babbage-002", 500_000, 1, 0.2),
        ("ft:gpt-4.1-mini-2025-04-14:org::id", 1_000_000, 1, 5.0),
    ],
)
def test_a_quote_is_tokens_times_epochs_times_price(model, tokens, epochs, usd):
    quote = catalog.quote("openai", model, "sft", DataStats(rows=100, tokens=tokens), epochs=epochs)
    assert quote.cost_usd == pytest.approx(usd)
    assert quote.tokens == tokens * epochs
    assert quote.epochs == epochs


def test_billable_tokens_count_where_they_are_known():
    assert catalog.quote("openai", "gpt-4.1", "sft", DataStats(rows=1, tokens=900, billable_tokens=800), epochs=1).tokens == 800


@given(tokens=COUNTS, more=COUNTS, epochs=EPOCHS)
def test_more_tokens_never_cost_less(tokens, more, epochs):
    assert cost(tokens, epochs) <= cost(tokens + more, epochs)


@given(tokens=COUNTS, epochs=EPOCHS, more=EPOCHS)
def test_more_epochs_never_cost_less(tokens, epochs, more):
    assert cost(tokens, epochs) <= cost(tokens, epochs + more)


def test_the_basis_names_price_source_day_and_that_it_is_an_estimate():
    basis = catalog.quote("openai", "gpt-4.1", "sft", DataStats(rows=120, tokens=1_000, validation_rows=5)).basis
    assert "$25.00 for a million tokens on gpt-4.1-2025-04-14" in basis
    assert "read 2026-11-22, the last published price, undated to the day" in basis
    assert "an estimate: the tokens that the job reports as trained are what is billed" in basis
    assert "validation rows are counted as free" in basis
    assert "3 epochs for 120 rows, by OpenAI's walk-through" in basis
    assert "the service may choose otherwise" in basis


def test_given_epochs_are_not_called_a_guess():
    assert "2 epochs;" in catalog.quote("openai", "gpt-4.1", "sft", DataStats(rows=120, tokens=1_000), epochs=2).basis


def test_a_price_taken_from_the_base_says_so():
    model = "ft:gpt-4.1-mini-2025-04-14:org::id"
    assert "taken from its base model" in catalog.quote("openai", model, "sft", DataStats(rows=9, tokens=9), epochs=1).basis


def test_asking_the_tuned_model_is_quoted_too():
    quote = catalog.quote("openai", "gpt-4.1-mini", "sft", DataStats(rows=10, tokens=10))
    assert (quote.input_usd_per_million, quote.cached_usd_per_million, quote.output_usd_per_million) == (0.80, 0.20, 3.20)
    assert quote.hosting_usd_per_hour == 0.0


def test_minutes_and_memory_are_not_guessed():
    quote = catalog.quote("openai", "gpt-4.1-mini", "sft", DataStats(rows=10, tokens=10))
    assert quote.minutes is None
    assert quote.memory_bytes is None


def test_without_counted_tokens_there_is_no_sum():
    quote = catalog.quote("openai", "gpt-4.1", "sft", DataStats(rows=100))
    assert (quote.tokens, quote.cost_usd) == (None, None)
    assert "no tokens were counted" in quote.basis


def test_an_unknown_model_has_tokens_and_no_sum():
    quote = catalog.quote("openai", "gpt-nova", "sft", DataStats(rows=100, tokens=1_000), epochs=2)
    assert (quote.tokens, quote.cost_usd) == (2_000, None)
    assert "no price of training is known for gpt-nova at OpenAI" in quote.basis


def test_azure_has_hosting_and_no_sum_and_says_why():
    quote = catalog.quote("azure", "gpt-4.1-mini", "sft", DataStats(rows=100, tokens=1_000))
    assert (quote.tokens, quote.cost_usd, quote.hosting_usd_per_hour) == (3_000, None, 1.70)
    assert "depends on region and training type" in quote.basis
    assert catalog.quote("azure", "gpt-4.1-mini", "sft", DataStats(rows=1, tokens=1), sku="developerTier").hosting_usd_per_hour == 0.0


def test_reinforcement_is_billed_by_the_hour_and_has_no_sum():
    quote = catalog.quote("openai", "o4-mini", "rft", DataStats(rows=100, tokens=1_000))
    assert (quote.tokens, quote.cost_usd) == (None, None)
    assert "$100.00 an hour on o4-mini-2025-04-16" in quote.basis


def test_azure_pauses_reinforcement_at_five_thousand_dollars():
    assert "Azure pauses a job at $5,000" in catalog.quote("azure", "o4-mini", "rft", DataStats(rows=100)).basis


@pytest.mark.parametrize("backend", ["trl", "parrot"])
def test_who_trains_locally_or_is_not_known_quotes_himself(backend):
    assert catalog.quote(backend, "starter", "sft", DataStats(rows=100, tokens=1_000)) is None


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [(1, 25), (3, 25), (4, 25), (5, 20), (10, 10), (30, 3), (33, 3), (34, 3), (100, 3), (8_333, 3), (8_334, 2), (12_501, 1), (25_000, 1), (10**6, 1)],
)  # fmt: skip
def test_auto_epochs_are_the_walk_throughs(rows, epochs):
    assert catalog.auto_epochs(rows) == epochs


@given(st.integers(min_value=0, max_value=10**9))
def test_auto_epochs_lie_within_1_and_25_and_rows_times_epochs_under_25_000_where_they_can(rows):
    epochs = catalog.auto_epochs(rows)
    assert 1 <= epochs <= 25
    assert epochs == 1 or rows * epochs <= 25_000


@pytest.mark.parametrize("backend", ["trl", "parrot"])
def test_whoever_has_no_rule_chooses_no_epochs(backend):
    assert catalog.auto_epochs(100, backend=backend) is None


@pytest.mark.parametrize("sku", [None, "Standard", "GlobalStandard", "global-standard"])
def test_an_azure_deployment_costs_by_the_hour_and_the_month(sku):
    hosting = catalog.hosting("azure", sku)
    assert (hosting.hourly_usd, hosting.monthly_usd) == (1.70, 1_241.0)
    assert "called or not" in hosting.basis
    assert "read 2026-11-22" in hosting.basis


@pytest.mark.parametrize("sku", ["developer", "developerTier"])
def test_a_developer_deployment_costs_nothing_and_does_not_last(sku):
    hosting = catalog.hosting("azure", sku)
    assert hosting.hourly_usd == 0.0
    assert "gone after 24 hours" in hosting.basis


def test_a_deployment_of_unknown_price_says_so():
    hosting = catalog.hosting("azure", "provisioned")
    assert hosting.hourly_usd is None
    assert "no price is known for 'provisioned'" in hosting.basis


def test_openai_hosts_without_a_fee():
    assert catalog.hosting("openai").monthly_usd == 0.0


@pytest.mark.parametrize("backend", ["trl", "parrot"])
def test_there_is_no_hosting_price_where_none_was_read(backend):
    assert catalog.hosting(backend) is None
