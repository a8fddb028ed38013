"""Graders of JSON: equal by value, field by field, by a schema."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anytune.errors import ConfigError
from anytune.evaluation.graders import parsed
from anytune.evaluation.graders.reading import Leaves, json_of, same

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value, drawn):
    """Give the same value with the keys of its objects in another order."""
    if isinstance(value, dict):
        names = list(value)
        drawn.shuffle(names)
        return {name: shuffled(value[name], drawn) for name in names}
    return [shuffled(inner, drawn) for inner in value] if isinstance(value, list) else value


@given(JSON, st.integers())
def test_a_value_is_equal_to_itself_however_its_keys_are_ordered(value, seed):
    assert same(value, shuffled(value, random.Random(seed)))


@given(JSON, JSON)
def test_equality_is_that_of_the_values(left, right):
    assert same(left, right) == (json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True))


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [(1, 1.0, True), (True, 1, False), (0, False, False), ({}, [], False), (None, {}, False), ("1", 1, False), ([1, 2], [2, 1], False)],
)
def test_what_is_equal(left, right, equal):
    assert same(left, right) is equal


def test_wide_and_deep_values_are_compared_in_linear_space():
    deep = json.loads("[" * 900 + "1," * 200_000 + "1" + "]" * 900)
    assert same(deep, deep)


@pytest.mark.parametrize("text", ["", "NaN", "[Infinity]", "{'a': 1}", "[" * 100_000, "1" * 10_000])
def test_what_is_no_json(text):
    with pytest.raises(ValueError):
        json_of(text)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"b": [1, 2], "a": 1.0}', 1),
        ('```json\n{"a": 1, "b": [1, 2]}\n```', 1),
        ('{"a": 1, "b": [2, 1]}', 0),
        ('{"a": 1}', 0),
        ("sorry", 0),
        ("", 0),
    ],
)
def test_json_exact(text, score, grade):
    assert grade({"type": "json_exact"}, text, '{"a": 1, "b": [1, 2]}').score == score


def test_a_fence_can_be_wrong(grade):
    assert grade({"type": "json_exact", "fenced": False}, "```\n1\n```", "1").score == 0


def test_json_fields_gives_precision_recall_and_f1_over_nested_fields(grade):
    right = '{"intent": "book", "slots": {"city": "Ulm", "day": "Monday", "people": 2}}'
    found = grade({"type": "json_fields"}, '{"intent": "book", "slots": {"city": "Ulm", "day": "Friday"}}', right)
    assert found.parts == {"precision": 2 / 3, "recall": 0.5, "exact": 0.0}
    assert found.score == pytest.approx(4 / 7)
    assert found.note in {"wrong or missing: slots.people", "wrong or missing: slots.day"}
    assert "Friday" not in found.note


@pytest.mark.parametrize(
    ("keys", "text", "right", "score"),
    [
        ({}, "{}", "{}", 1),
        ({}, "[]", "{}", 0),
        ({}, '["a", "b"]', '["b", "a"]', 0),
        ({"ordered": False}, '["a", "b"]', '["b", "a"]', 1),
        ({"ordered": False}, '["a", "a"]', '["a"]', 2 / 3),
        ({}, '{"a": "ulm "}', '{"a": "Ulm"}', 0),
        ({"ignore_case": True}, '{"a": "ulm "}', '{"a": "Ulm"}', 1),
        ({}, "no", "{}", 0),
    ],
)
def test_json_fields(keys, text, right, score, grade):
    assert grade({"type": "json_fields", **keys}, text, right).score == pytest.approx(score)


@given(got=JSON, wanted=JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_field_scores_are_from_0_to_1_and_1_only_for_what_is_equal(got, wanted, grade):
    score = grade({"type": "json_fields"}, json.dumps(got), json.dumps(wanted)).score
    assert 0 <= score <= 1
    assert (score == 1) == same(got, wanted)


def test_a_right_answer_that_is_no_json_is_an_error(grade):
    assert grade({"type": "json_fields"}, "{}", "oops").error == "the right answer is no JSON"


def test_a_place_is_told_as_a_path():
    leaves = Leaves()
    (place,) = (leaf[0] for leaf in leaves.of({"lines": [{"sku": 4}]}))
    assert leaves.path(place) == "lines.0.sku"


def test_a_place_in_a_list_without_order_is_a_star(grade):
    found = grade({"type": "json_fields", "ordered": False}, "[]", '[{"sku": 4}]')
    assert found.note == "wrong or missing: *.sku"


SCHEMA = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string", "pattern": "^[A-Z]"}, "n": {"minimum": 1}}}


@pytest.mark.parametrize(
    ("text", "score", "note"),
    [
        ('{"city": "Ulm"}', 1, ""),
        ('```json\n{"city": "Ulm"}\n```', 1, ""),
        ('{"city": "ulm"}', 0, "$.city fails `pattern`"),
        ('{"city": "Ulm", "n": 0}', 0, "$.n fails `minimum`"),
        ("{}", 0, "$ fails `required`"),
        ("Ulm", 0, "no JSON"),
    ],
)
def test_json_schema(text, score, note, grade):
    found = grade({"type": "json_schema", "schema": SCHEMA}, text)
    assert (found.score, found.note) == (score, note)


def test_a_schema_can_be_a_file_beside_the_spec(grade, tmp_path):
    (tmp_path / "city.json").write_text(json.dumps(SCHEMA))
    assert grade({"type": "json_schema", "file": "city.json"}, '{"city": "Ulm"}').score == 1


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "`schema` or `file`"),
        ({"schema": {}, "file": "x"}, "`schema` or `file`"),
        ({"schema": {"type": "objekt"}}, "no JSON Schema"),
        ({"file": "nowhere.json"}, "cannot read"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(keys, words, desk):
    with pytest.raises(ConfigError, match=words):
        parsed({"type": "json_schema", **keys}, desk)


def test_a_reference_to_elsewhere_is_not_followed(grade, host):
    rules = {"$ref": f"{host.base_url}/schema.json"}
    assert "leads nowhere" in grade({"type": "json_schema", "schema": rules}, "{}").error
    assert host.asked == []


@pytest.mark.parametrize(
    ("text", "score"), [("[1, true, {}]", 1), ("[1, 1.0]", 0), ('[{"a": 1, "b": 2}, {"b": 2, "a": 1}]', 0), ('"aa"', 1)]
)
def test_members_that_repeat_are_found(text, score, grade):
    assert grade({"type": "json_schema", "schema": {"uniqueItems": True}}, text).score == score


def test_members_that_repeat_are_found_in_linear_time(grade):
    text = json.dumps([{"n": number} for number in range(50_000)])
    began = time.monotonic()
    assert grade({"type": "json_schema", "schema": {"uniqueItems": True}}, text).score == 1
    assert time.monotonic() - began < 5


def test_a_schemas_pattern_is_broken_off(grade):
    rules = {"type": "string", "pattern": r"(.*a){20}x"}
    assert "took longer" in grade({"type": "json_schema", "schema": rules}, json.dumps("a" * 5_000)).error
