"""Templates: values are put in once, and nothing in them is ever read as a template."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune.errors import ConfigError
from anytune.evaluation.graders.templates import MissingValue, Scene, Template
from anytune.evaluation.values import Case, Sample


def filled(text, item=None, said=""):
    return Template(text, "input").fill(Scene(Case(id="", row=1, messages=(), item=item or {}), Sample(text=said)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no place", "no place"),
        ("{{item.town}}", "Ulm"),
        ("{{ item.town }}!", "Ulm!"),
        ("{{\titem.deep.list.1\n}}", "b"),
        ("{{item.deep.list}}", '["a", "b"]'),
        ("{{item.yes}} {{item.none}} {{item.ten}}", "true null 10"),
        ("{{item.json.x}}", "1"),
        ("{{sample.output_text}}", '{"a": [{"b": "c"}]}'),
        ("{{sample.output_json.a.0.b}}", "c"),
        ("{{sample.choices.0.message.content}}", '{"a": [{"b": "c"}]}'),
        ("{{sample.output_tools}}", "[]"),
        ("{item.town} }} {", "{item.town} }} {"),
    ],
)
def test_a_place_is_filled(text, expected):
    item = {"town": "Ulm", "deep": {"list": ["a", "b"]}, "yes": True, "none": None, "ten": 10, "json": '{"x": 1}'}
    assert filled(text, item, '{"a": [{"b": "c"}]}') == expected


@pytest.mark.parametrize("path", ["item.nothing", "item.town.x", "item.list.7", "item.list.x", "sample.output_json.a", "sample.choices.4"])
def test_what_is_not_there_is_named(path):
    with pytest.raises(MissingValue) as caught:
        filled(f"{{{{{path}}}}}", {"town": "Ulm", "list": [1]}, "no JSON")
    assert caught.value.path == path
    assert caught.value.answers == path.startswith("sample.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{item.town", "close"),
        ("{{item.town}", "close"),
        ("{{town}}", "neither"),
        ("{{}}", "neither"),
        ("{{item}}", "neither"),
        ("{{item.town|upper}}", "neither"),
        ("{{item.__class__.x()}}", "neither"),
        ("{{sample.output_txt}}", "output_txt"),
    ],
)
def test_a_text_that_cannot_be_filled_is_refused(text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        Template(text, "input")
    assert caught.value.fix


def test_no_python_attribute_can_be_reached():
    with pytest.raises(MissingValue):
        filled("{{item.__class__}}", {"town": "Ulm"})


@given(st.text(), st.text())
def test_whatever_is_put_in_stays_as_it_is(town, said):
    hostile = {"town": "{{item.other}}" + town, "other": "never"}
    assert filled("a{{item.town}}b{{sample.output_text}}c", hostile, said + "{{item.other}}") == (
        "a{{item.other}}" + town + "b" + said + "{{item.other}}c"
    )


def test_an_answer_that_is_nested_without_end_is_no_json():
    with pytest.raises(MissingValue):
        filled("{{sample.output_json.a}}", said="[" * 200_000)


def test_a_value_that_json_can_hold_and_a_text_cannot_is_missing_not_a_crash():
    deep = json.loads("[" * 900 + "]" * 900)
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(MissingValue):
        filled("{{item.deep}}", {"deep": deep})
