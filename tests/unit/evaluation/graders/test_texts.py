"""Graders of a text by itself: what is right, what is wrong, and what is neither."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anytune.errors import ConfigError
from anytune.evaluation.graders import parsed

HUGE = "wörd 12,345.6 " * 75_000
"""About a megabyte."""


@pytest.mark.parametrize(
    ("keys", "text", "right", "score"),
    [
        ({}, "Elbe", "Elbe", 1),
        ({}, " Elbe\n", "Elbe", 1),
        ({"strip": False}, " Elbe", "Elbe", 0),
        ({}, "elbe", "Elbe", 0),
        ({}, "", "", 1),
        ({}, "", "Elbe", 0),
        ({}, "e\u0301", "é", 0),
        ({"reference": "{{item.river}}"}, "Oder", "Elbe", 1),
        ({"input": "{{sample.output_json.river}}"}, '{"river": "Elbe"}', "Elbe", 1),
    ],
)
def test_exact(keys, text, right, score, grade):
    assert grade({"type": "exact", **keys}, text, right, item={"river": "Oder"}).score == score


@pytest.mark.parametrize(
    ("keys", "text", "right", "score"),
    [
        ({}, "The Elbe.", "the  ELBE", 1),
        ({}, "e\u0301t\u00e9", "été", 1),
        ({}, "ﬁne", "FINE", 1),
        ({}, "Straße", "STRASSE", 1),
        ({}, "well-known", "well known", 1),
        ({}, "$5", "5", 0),
        ({}, "10", "1 0", 0),
        ({"ignore_case": False}, "elbe", "Elbe", 0),
        ({"ignore_punctuation": False}, "Elbe.", "Elbe", 0),
        ({"ignore_punctuation": False, "ignore_whitespace": False}, "a  b", "a b", 0),
        ({"ignore_accents": True}, "garçon", "garcon", 1),
        ({"ignore_words": ["the", "a"]}, "The Elbe", "Elbe", 1),
    ],
)
def test_normalized(keys, text, right, score, grade):
    assert grade({"type": "normalized", **keys}, text, right).score == score


@pytest.mark.parametrize(
    ("keys", "text", "right", "score"),
    [
        ({}, "It is 42.", "42", 1),
        ({}, "6 times 7 is 42", "42", 1),
        ({"take": "first"}, "42 is 6 times 7", "42", 1),
        ({"take": "only"}, " 42 ", "42", 1),
        ({"take": "only"}, "It is 42", "42", 0),
        ({}, "1,250.50", "1250.5", 1),
        ({}, "\N{MINUS SIGN}3", "-3", 1),
        ({}, "between 3-4", "4", 1),
        ({}, "-.5", "-0.5", 1),
        ({}, "1e3", "1000", 1),
        ({}, "0.1", "0.1000", 1),
        ({}, "4 2", "42", 0),
        ({}, "none", "42", 0),
        ({}, "", "42", 0),
        ({"absolute": 0.5}, "42.5", "42", 1),
        ({"absolute": 0.5}, "42.6", "42", 0),
        ({"relative": 0.1}, "-90", "-100", 1),
        ({"relative": 0.1}, "-89", "-100", 0),
        ({}, "1e999999999", "1", 0),
        ({}, "9" * 5_000, "1", 0),
        ({}, "٤٢", "42", 1),
    ],
)
def test_numeric(keys, text, right, score, grade):
    assert grade({"type": "numeric", **keys}, text, right).score == score


@given(number=st.integers(-(10**12), 10**12), words=st.text(st.characters(categories=["L", "Zs"]), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_a_whole_number_is_found_however_it_is_written(number, words, grade):
    for written in (str(number), f"{number:,}", f"{number}.0"):
        assert grade({"type": "numeric"}, f"{words} {written}", str(number)).score == 1.0


def test_a_right_answer_without_a_number_is_an_error(grade):
    found = grade({"type": "numeric"}, "4", "four")
    assert (found.score, found.error) == (None, "the right answer holds no number")


@pytest.mark.parametrize(
    ("keys", "text", "score"),
    [
        ({}, "on the Elbe", 1),
        ({}, "on the Oder", 0),
        ({"all": ["a", "b"]}, "abc", 1),
        ({"all": ["a", "x"]}, "abc", 0),
        ({"any": ["x", "b"]}, "abc", 1),
        ({"any": ["x", "y"]}, "abc", 0),
        ({"none": ["x"]}, "abc", 1),
        ({"none": ["x", "a"]}, "abc", 0),
        ({"all": ["a"], "any": ["b", "x"], "none": ["y"]}, "ab", 1),
        ({"any": ["STRASSE"], "ignore_case": True}, "Straße", 1),
        ({"any": ["{{item.river}}"]}, "the Oder", 1),
    ],
)
def test_contains(keys, text, score, grade):
    assert grade({"type": "contains", **keys}, text, "Elbe", item={"river": "Oder"}).score == score


@pytest.mark.parametrize(
    ("keys", "text", "score"),
    [
        ({"pattern": r"^\d+$"}, "42", 1),
        ({"pattern": r"\d"}, "none", 0),
        ({"pattern": r"\d", "found": False}, "none", 1),
        ({"pattern": r"\d+", "whole": True}, "42!", 0),
        ({"pattern": "elbe", "ignore_case": True}, "ELBE", 1),
        ({"pattern": r"\p{Lu}\w+"}, "Übung", 1),
    ],
)
def test_regex(keys, text, score, grade):
    assert grade({"type": "regex", **keys}, text).score == score


@pytest.mark.parametrize("pattern", [r"(a|a|b?)+$", r"(.*a){20}x", r"^(\w+\s?)*!$"])
def test_a_pattern_that_would_take_hours_is_broken_off(pattern, grade):
    began = time.monotonic()
    found = grade({"type": "regex", "pattern": pattern}, "a" * 5_000 + "c")
    assert time.monotonic() - began < 5
    assert found.score == 0 or "took longer" in found.error


def test_one_pattern_at_least_is_broken_off(grade):
    found = grade({"type": "regex", "pattern": r"(.*a){20}x"}, "a" * 5_000)
    assert found.score is None
    assert "took longer than 1 s" in found.error


def test_a_pattern_that_is_none_is_refused(desk):
    with pytest.raises(ConfigError, match="`pattern` is no regular expression"):
        parsed({"type": "regex", "pattern": "("}, desk)


@pytest.mark.parametrize("kind", ["exact", "normalized", "numeric", "contains", "json_exact", "chrf", "sql_result"])
def test_a_row_without_a_right_answer_is_an_error_not_a_zero(kind, grade):
    found = grade({"type": kind} | ({"setup": ""} if kind == "sql_result" else {}), "Elbe", None)
    assert found.score is None
    assert "no right answer" in found.error


@pytest.mark.parametrize(
    "kind", ["exact", "normalized", "numeric", "contains", "json_exact", "json_fields", "chrf", "bleu", "rouge", "sql_result"]
)
@pytest.mark.parametrize("text", [HUGE, "[" * 1_000_000, "9" * 1_000_000, "\ud800", "\0", "😀" * 1000])
def test_no_answer_takes_long_or_makes_a_grader_raise(kind, text, grade):
    began = time.monotonic()
    found = grade({"type": kind} | ({"setup": ""} if kind == "sql_result" else {}), text, '{"a": 1}' if "json" in kind else "SELECT 4")
    assert found.score != 1.0
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("text", ["9" * 1_000_000, "1,111" * 200_000, "-" * 1_000_000, ".1" * 500_000, "1e" * 500_000])
def test_numbers_are_found_in_linear_time(text, grade):
    began = time.monotonic()
    grade({"type": "numeric"}, text, "1")
    assert time.monotonic() - began < 5
