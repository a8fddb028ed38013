"""From a definition to a grader: what is wrong is named, and a broken plugin breaks nothing but itself."""

from __future__ import annotations

import sys

import pytest

from anytune.errors import ConfigError
from anytune.evaluation.graders import graded, known_types, parsed
from anytune.evaluation.values import Sample

SETS = {
    "sql_result": {"setup": "SELECT 1"},
    "json_schema": {"schema": {}},
    "regex": {"pattern": "a"},
    "judge": {"model": "judge"},
    "string_check": {"operation": "eq", "input": "{{sample.output_text}}", "reference": "a"},
    "text_similarity": {"evaluation_metric": "bleu", "input": "{{sample.output_text}}", "reference": "a"},
    "score_model": {"model": "judge", "input": [{"role": "user", "content": "{{sample.output_text}}"}]},
    "label_model": {
        "model": "judge",
        "input": [{"role": "user", "content": "{{sample.output_text}}"}],
        "labels": ["a", "b"],
        "passing_labels": ["a"],
    },
    "python": {"source": "def grade(sample, item): return 1"},
    "multi": {
        "graders": {
            "a": {"type": "string_check", "name": "a", "operation": "eq", "input": "{{sample.output_text}}", "reference": "a"},
        },
        "calculate_output": "a",
    },
}
"""Keys that a type needs."""


@pytest.mark.parametrize("kind", known_types())
def test_every_type_can_be_made_and_says_whether_it_is_binary(kind, make):
    grader = make({"type": kind, "name": "mine", **SETS.get(kind, {})})
    assert (grader.type, grader.name) == (kind, "mine")
    assert grader.binary in {True, False}


@pytest.mark.parametrize("kind", known_types())
def test_an_unknown_key_is_named_with_the_grader(kind, desk):
    with pytest.raises(ConfigError, match=r"Grader 'mine'.*surplus"):
        parsed({"type": kind, "name": "mine", **SETS.get(kind, {}), "surplus": 1}, desk)


@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind, keys in SETS.items() for key in keys if kind not in {"sql_result", "json_schema"}]
)
def test_a_missing_key_is_named_with_the_grader(kind, key, desk):
    with pytest.raises(ConfigError, match=f"Grader 'mine'.*{key}"):
        parsed({"type": kind, "name": "mine"} | {name: value for name, value in SETS[kind].items() if name != key}, desk)


def test_the_type_is_the_name_where_none_is_given(make):
    assert make({"type": "exact"}).name == "exact"


def test_an_unknown_type_is_told_the_nearest_one(desk):
    with pytest.raises(ConfigError) as caught:
        parsed({"type": "tool_call"}, desk)
    assert "tool_calls" in caught.value.fix
    assert "from plugins: none" in caught.value.message


@pytest.mark.parametrize("raw", [{}, {"type": 3}, {"type": "exact", "name": ""}, {"type": "exact", "name": 4}, {"type": ["exact"]}])
def test_a_definition_without_type_or_with_a_strange_name_is_refused(raw, desk):
    with pytest.raises(ConfigError):
        parsed(raw, desk)


def test_a_model_that_the_spec_does_not_have_is_refused_before_anything_is_asked(desk):
    with pytest.raises(ConfigError, match="`model` is 'judgee'") as caught:
        parsed({"type": "judge", "model": "judgee"}, desk)
    assert "'judge'" in caught.value.fix


PLUGIN = """
from typing import ClassVar
from anytune.evaluation.graders import Grader, Keyed
from anytune.evaluation.values import Grade

class Short(Keyed):
    type: ClassVar[str] = "short"
    most: int = 80

    @property
    def binary(self):
        return True

    def grade(self, case, sample):
        return Grade(score=float(len(sample.text) <= self.most))

class Moody(Short):
    type: ClassVar[str] = "moody"

    def grade(self, case, sample):
        raise KeyError("the whole row")

class Unmade(Short):
    type: ClassVar[str] = "unmade"

    def prepare(self, desk):
        raise ZeroDivisionError("oh")
"""


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Install a distribution with five graders, two of which cannot be had."""
    place = tmp_path / "site"
    info = place / "anytune_short-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "anytune_short_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: anytune-short\nVersion: 1.0\n")
    lines = ["short = anytune_short_plugin:Short", "moody = anytune_short_plugin:Moody", "unmade = anytune_short_plugin:Unmade"]
    lines += [
        "lost = anytune_short_nowhere:X",
        "odd = anytune_short_plugin:PLUGIN_IS_NO_GRADER",
        "strange = builtins:int",
        "exact = builtins:int",
    ]
    (info / "entry_points.txt").write_text("[anytune.graders]\n" + "\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(place))
    yield
    sys.modules.pop("anytune_short_plugin", None)


def test_a_plugin_is_found_by_its_entry_point(plugins, grade):
    assert "short" in known_types()
    assert grade({"type": "short", "most": 3}, "yes").score == 1.0
    assert grade({"type": "short", "most": 3}, "perhaps").score == 0.0


def test_a_plugins_keys_are_checked_like_our_own(plugins, desk):
    with pytest.raises(ConfigError, match=r"Grader 'short'.*moost") as caught:
        parsed({"type": "short", "moost": 3}, desk)
    assert "most" in caught.value.fix


@pytest.mark.parametrize(
    ("kind", "words"),
    [("lost", "cannot be imported"), ("odd", "cannot be imported"), ("strange", "no anytune"), ("unmade", "ZeroDivisionError")],
)
def test_a_broken_plugin_breaks_only_itself(kind, words, plugins, desk, grade):
    with pytest.raises(ConfigError, match=words) as caught:
        parsed({"type": kind}, desk)
    assert caught.value.fix
    assert grade({"type": "short"}, "yes").score == 1.0


def test_a_plugin_cannot_take_the_place_of_a_type_of_our_own(plugins, grade):
    assert grade({"type": "exact"}, "a", "a").score == 1.0


def test_a_grader_that_raises_is_one_that_says_nothing_and_quotes_nothing(plugins, make, case):
    found = graded(make({"type": "moody"}), case(), Sample(text=""))
    assert found.score is None
    assert "KeyError" in found.error
    assert "row" not in found.error
