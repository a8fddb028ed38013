"""Schemas and arguments that others wrote cost little when they are compared, and reach nowhere."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from anytune.data.check.arguments import _plain, work
from anytune.data.check.judge import judge

USER = {"role": "user", "content": "u"}
OSLO = '{"city": "Oslo"}'


def call(arguments=OSLO, name="weather", key="1", **more):
    return {
        "role": "assistant",
        "tool_calls": [{"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}],
        **more,
    }


def chat(*messages, **more):
    return {"messages": list(messages), **more}


def schema_of(**parameters):
    return {"type": "function", "function": {"name": "weather", "parameters": parameters}}


def told(raw):
    return [(one.severity, one.code) for one in judge(7, raw, "sft")]


def doubling(depth=40):
    return {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(depth)} | {f"d{depth}": {}}


HEAVY = {
    "a repeated group": ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 50 + "!"}),
    "many repetitions": ({"properties": {"a": {"pattern": "a*a*a*a*a*a*b"}}}, {"a": "a" * 5000}),
    "many forks": ({"properties": {"a": {"pattern": "a?" * 30 + "a" * 30}}}, {"a": "a" * 30}),
    "escaped backslashes": ({"properties": {"a": {"pattern": r"\\*" * 12 + "x"}}}, {"a": "\\" * 3000}),
    "many strings": ({"properties": {"a": {"items": {"pattern": "^a*a*b"}}}}, {"a": ["a" * 300] * 500}),
    "names of keys": ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 50 + "!": 1}),
    "branches of references": ({"$ref": "#/$defs/d0", "$defs": doubling()}, {}),
    "evaluated again and again": ({"unevaluatedProperties": False, "$ref": "#/$defs/d0", "$defs": doubling()}, {"a": 1}),
    "unlike items": ({"properties": {"a": {"uniqueItems": True}}}, {"a": [[n] for n in range(20_000)]}),
    "a long enumeration": ({"properties": {"a": {"items": {"enum": list(range(9000))}}}}, {"a": list(range(20_000))}),
    "a long schema": ({"properties": {f"a{n}": {} for n in range(50_000)}}, {}),
}


@pytest.mark.parametrize(("parameters", "arguments"), HEAVY.values(), ids=HEAVY)
def test_a_heavy_schema_does_not_hold_the_check_up(parameters, arguments):
    before = time.process_time()
    found = judge(1, chat(USER, call(json.dumps(arguments)), tools=[schema_of(**parameters)]), "sft")
    assert time.process_time() - before < 2
    assert {one.code for one in found} <= {"not-checked", "arguments-mismatch"}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"$ref": "https://example.com/schema"}, "outside"),
        ({"properties": {"city": {"$ref": "file:///etc/passwd"}}}, "outside"),
        ({"$ref": "#"}, "without end"),
        ({"properties": {"city": {"$ref": "#/$defs/none"}}}, "not there"),
        ({"properties": {"city": {"$ref": "#/allOf/x"}}, "allOf": [{}]}, "not there"),
        ({"properties": {"city": {"$ref": "#/required"}}, "required": ["city"]}, "not there"),
        ({"$id": "http://[::1", "properties": {"city": {"$ref": "#/x"}}}, "not there"),
    ],
)
def test_a_reference_stays_within_the_schema(parameters, words):
    found = judge(1, chat(USER, call(), tools=[schema_of(**parameters)]), "sft")
    assert [one.code for one in found] == ["bad-tool"]
    assert words in found[0].message


def test_a_schema_that_is_nested_too_deeply_is_refused_not_followed():
    deep = {}
    for _ in range(500):
        deep = {"not": deep}
    assert [one.code for one in judge(1, chat(USER, call(), tools=[schema_of(**deep)]), "sft")] == ["bad-tool"]


@pytest.mark.parametrize(
    ("pattern", "length", "bounded"),
    [
        ("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", 10, True),
        ("^[A-Z]{3}$", 3, True),
        ("(a|b)*", 5, False),
        (r"(a)\1", 5, False),
        ("a*a*a*b", 500, False),
    ],
)
def test_only_patterns_of_bounded_work_are_tried(pattern, length, bounded):
    assert (work(pattern, length) is not None) is bounded


def test_a_pattern_that_is_cheap_is_held_against_the_arguments():
    tool = schema_of(properties={"day": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}})
    assert judge(1, chat(USER, call('{"day": "2026-11-22"}'), tools=[tool]), "sft") == []
    assert told(chat(USER, call('{"day": "today"}'), tools=[tool])) == [("error", "arguments-mismatch")]


def test_messages_about_tools_hold_no_long_or_unprintable_words_of_the_row():
    ugly = "\x1b[31m" + "k" * 500
    closed = schema_of(properties={"city": {"type": "object", "additionalProperties": False}})
    rows = [
        chat(USER, call(name=ugly), tools=[closed, {"type": "function", "function": {"name": ugly[:60]}}]),
        chat(USER, call({"city": {ugly: 1}}), tools=[closed]),
        chat(USER, call(), tools=[{"type": "function", "function": {"name": "weather", ugly: 1}}]),
        chat(USER, call(), tools=[schema_of(properties={ugly: {"type": "x"}})]),
    ]
    for raw in rows:
        found = judge(1, raw, "sft")
        assert found
        assert all((one.message + one.fix).isprintable() and len(one.message) < 250 for one in found), found


KEYWORDS = ["type", "properties", "items", "required", "enum", "additionalProperties", "description", "default", "format", "title"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["object", "string", "float", "x"])
    | st.just(["a", "b"])
    | st.just(["a", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(KEYWORDS), VALUES, max_size=4))
def test_a_schema_that_is_taken_at_a_glance_is_valid_by_the_metaschema(schema):
    if _plain(schema):
        Draft202012Validator.check_schema(schema)
