"""Tool calls: names and arguments by value, in any order or the row's."""

from __future__ import annotations

import json

import pytest


def call(name, arguments="{}"):
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


A, B = call("light", '{"room": "hall", "level": 2}'), call("heat", '{"room": "bath"}')
A_SAME, A_ELSE = call("light", '{"level": 2.0, "room": "hall"}'), call("light", '{"room": "attic", "level": 2}')


@pytest.mark.parametrize(
    ("keys", "wanted", "called", "score"),
    [
        ({}, (A, B), (B, A_SAME), 1),
        ({}, (A,), (A_ELSE,), 0),
        ({}, (A, B), (A,), 0),
        ({}, (A,), (A, A), 0),
        ({}, (), (), 1),
        ({}, (), (A,), 0),
        ({}, (A,), (), 0),
        ({"ordered": True}, (A, B), (B, A), 0),
        ({"ordered": True}, (A, B), (A_SAME, B), 1),
        ({"arguments": False}, (A,), (A_ELSE,), 1),
        ({"arguments": False}, (A,), (call("light", "no JSON"),), 1),
        ({"ignore": ["room"]}, (A,), (A_ELSE,), 1),
        ({"score": "share"}, (A, B), (A,), 0.5),
        ({"score": "share"}, (A,), (A, B, B), 1 / 3),
        ({"score": "share"}, (A, A), (A,), 0.5),
        ({}, (call("now"),), (call("now", ""),), 1),
        ({}, (call("now"),), ({"function": {"name": "now", "arguments": {}}},), 1),
        ({}, (A,), (call("light", "{"),), 0),
        ({}, (A,), (call("light", "[" * 100_000),), 0),
        ({}, (A,), ({"type": "custom"},), 0),
        ({}, (A,), ({"function": {}},), 0),
    ],
)
def test_tool_calls(keys, wanted, called, score, grade):
    assert grade({"type": "tool_calls", **keys}, wanted=wanted, called=called).score == pytest.approx(score)


def test_what_differs_is_told_in_numbers(grade):
    found = grade({"type": "tool_calls"}, wanted=(A, B), called=(A, A_ELSE, A_ELSE))
    assert found.note == "1 of 2 calls right, 3 made"
    assert found.parts == {"share": 1 / 3}


def test_a_row_with_broken_arguments_is_an_error(grade):
    assert "no JSON" in grade({"type": "tool_calls"}, wanted=(call("a", "{"),), called=(A,)).error


def test_only_all_or_nothing_is_binary(make):
    assert make({"type": "tool_calls"}).binary
    assert not make({"type": "tool_calls", "score": "share"}).binary


def test_a_thousand_calls_are_compared_at_once(grade):
    calls = tuple(call("f", json.dumps({"n": number})) for number in range(1_000))
    assert grade({"type": "tool_calls"}, wanted=calls, called=calls[::-1]).score == 1
