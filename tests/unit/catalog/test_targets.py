"""Rules of targets: each published limit, and which name means which model."""

from __future__ import annotations

import pytest

from anytune import catalog
from anytune.data.rules import OPEN

MB = 1024 * 1024
MINI = "gpt-4.1-mini-2025-04-14"


@pytest.mark.parametrize(
    ("backend", "model", "method", "limit", "value"),
    [
        ("openai", MINI, "sft", "min_rows", 10),
        ("openai", MINI, "sft", "recommended_rows", 50),
        ("openai", MINI, "sft", "max_file_bytes", 8 * 1024 * MB),
        ("openai", MINI, "sft", "max_row_tokens", 65_536),
        ("openai", "gpt-4o-2024-08-06", "sft", "max_row_tokens", 65_536),
        ("openai", "gpt-3.5-turbo-0125", "sft", "max_row_tokens", 16_385),
        ("openai", MINI, "sft", "overlong", "truncate"),
        ("openai", MINI, "sft", "encoding", "o200k_base"),
        ("openai", "gpt-3.5-turbo", "sft", "encoding", "cl100k_base"),
        ("openai", "gpt-4.1", "sft", "max_images", 10),
        ("openai", "gpt-4.1", "sft", "max_image_bytes", 10 * MB),
        ("openai", "gpt-4.1", "sft", "max_images_rows", 50_000),
        ("openai", "gpt-4.1", "dpo", "max_images", None),
        ("openai", MINI, "sft", "max_images", None),
        ("openai", "o4-mini", "rft", "needs_validation", True),
        ("openai", "o4-mini", "rft", "last_role", "user"),
        ("openai", MINI, "sft", "needs_validation", False),
        ("openai", MINI, "sft", "last_role", None),
        ("openai", MINI, "sft", "max_total_tokens", None),
        ("azure", MINI, "sft", "min_rows", 10),
        ("azure", MINI, "sft", "recommended_rows", 50),
        ("azure", MINI, "sft", "max_file_bytes", 512 * MB),
        ("azure", MINI, "sft", "max_row_tokens", 65_536),
        ("azure", MINI, "sft", "max_total_tokens", 2_000_000_000),
        ("azure", "gpt-4o", "sft", "max_images", 64),
        ("azure", "o4-mini", "rft", "needs_validation", True),
        ("azure", "gpt-oss-20b", "sft", "encoding", None),
        ("azure", "gpt-oss-20b", "sft", "max_row_tokens", None),
        ("trl", "starter", "sft", "min_rows", 1),
        ("trl", "starter", "sft", "encoding", None),
    ],
)
def test_each_published_limit_is_a_rule(backend, model, method, limit, value):
    assert getattr(catalog.rules(backend, model, method), limit) == value


@pytest.mark.parametrize(
    ("backend", "model", "method", "refused"),
    [
        ("openai", "gpt-4.1", "sft", {"text", "special-tokens"}),
        ("openai", MINI, "sft", {"text", "special-tokens", "images"}),
        ("openai", "gpt-4.1", "dpo", {"special-tokens", "images", "several-answers"}),
        ("openai", "o4-mini", "rft", {"special-tokens"}),
        ("openai", "babbage-002", "sft", {"text", "special-tokens", "images", "tools", "functions", "parallel_tool_calls"}),
        ("azure", "gpt-4.1", "dpo", {"special-tokens", "images"}),
        ("azure", "o4-mini", "rft", {"special-tokens", "system"}),
        ("trl", "starter", "sft", set()),
    ],
)
def test_what_a_target_refuses_is_what_host_method_and_model_refuse(backend, model, method, refused):
    assert catalog.rules(backend, model, method).refuses == refused


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        ("openai", MINI),
        ("openai", "gpt-4.1-mini"),
        ("openai", f"ft:{MINI}:org::BxYz1234"),
        ("openai", f"ft:{MINI}:org:recipes:BxYz1234:ckpt-step-100"),
        ("openai", "ft:gpt-4.1-mini:org::BxYz1234"),
        ("azure", f"{MINI}.ft-0123456789abcdef0123456789abcdef"),
        ("azure", f"{MINI}.ft-0123456789abcdef0123456789abcdef-recipes"),
    ],
)
def test_exact_short_and_tuned_names_mean_the_same_model(backend, name):
    rules = catalog.rules(backend, name, "sft")
    assert rules.target == f"{backend} with {MINI}"
    assert rules.max_row_tokens == 65_536


def test_an_unknown_model_has_the_hosts_rules_and_no_more():
    rules = catalog.rules("openai", "gpt-nova", "dpo")
    assert (rules.target, rules.min_rows, rules.max_row_tokens) == ("openai with gpt-nova", 10, None)
    assert rules.refuses == {"special-tokens", "images", "several-answers"}


def test_without_a_model_the_hosts_own_rules_hold():
    assert catalog.rules("azure").target == "azure"
    assert catalog.rules("azure").min_rows == 10


def test_without_a_method_only_what_every_method_refuses_is_refused():
    assert catalog.rules("openai", "gpt-4.1").refuses == {"special-tokens"}


def test_an_unknown_backend_is_open():
    assert catalog.rules("parrot", "polly", "sft") is OPEN


def test_rules_say_where_they_come_from():
    assert catalog.rules("openai", MINI, "sft").source == "anytune's openai.yaml, read 2026-11-22"
