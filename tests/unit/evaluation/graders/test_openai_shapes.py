"""OpenAI's graders that ask nobody: their JSON as it is published, and what their formulas mean."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune.errors import ConfigError
from anytune.evaluation.graders import parsed
from anytune.evaluation.graders.formula import Formula

SHARED = Path(__file__).parents[5] / "shared" / "contracts" / "openai_finetune_subset.json"

CHECK = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.label}}"}
ALIKE = {
    "type": "text_similarity",
    "name": "alike",
    "evaluation_metric": "fuzzy_match",
    "input": "{{sample.output_text}}",
    "reference": "{{item.label}}",
}


@pytest.mark.parametrize(
    ("operation", "text", "score"),
    [
        ("eq", "Elbe", 1),
        ("eq", "elbe", 0),
        ("eq", "Elbe ", 0),
        ("ne", "Oder", 1),
        ("ne", "Elbe", 0),
        ("like", "the Elbe", 1),
        ("like", "the elbe", 0),
        ("ilike", "the ELBE", 1),
        ("ilike", "Elb", 0),
    ],
)
def test_string_check(operation, text, score, grade):
    assert grade(CHECK | {"operation": operation}, text, item={"label": "Elbe"}).score == score


@pytest.mark.parametrize(
    "metric", ["fuzzy_match", "bleu", "gleu", "meteor", "rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l"]
)
def test_text_similarity_orders_answers_as_people_do(metric, grade):
    right = "the cat was found under the bed this morning"
    scores = [
        grade(ALIKE | {"evaluation_metric": metric}, text, item={"label": right}).score for text in (right, right[:36], "no idea at all")
    ]
    assert scores[0] > scores[1] > scores[2] >= 0
    assert scores[0] == pytest.approx(1, abs=0.01)


def test_a_threshold_makes_right_or_wrong_of_a_score(grade, make):
    definition = ALIKE | {"pass_threshold": 0.8}
    found = grade(definition, "Elbes", item={"label": "Elbe"})
    assert found.score == 1.0
    assert found.parts["share"] == pytest.approx(8 / 9)
    assert grade(definition, "Oder", item={"label": "Elbe"}).score == 0.0
    assert make(definition).binary
    assert not make(ALIKE).binary


def test_a_field_that_is_missing_is_an_error_of_the_row_or_of_the_answer(grade):
    assert "the row has no such field" in grade(CHECK, "Elbe", item={}).error
    assert "the answer is no JSON" in grade(CHECK | {"input": "{{sample.output_json.x}}"}, "Elbe", item={"label": "Elbe"}).error


def test_the_published_examples_are_taken(desk):
    if not SHARED.exists():
        pytest.skip("the published description is not here")
    schemas = json.loads(SHARED.read_text())["components"]["schemas"]
    for kind in ("StringCheck", "TextSimilarity"):
        published = json.loads(schemas[f"Grader{kind}"]["x-oaiMeta"]["example"])
        assert parsed(published, desk).name == published["name"]


def test_the_published_python_example_runs(grade):
    if not SHARED.exists():
        pytest.skip("the published description is not here")
    text = json.loads(SHARED.read_text())["components"]["schemas"]["GraderPython"]["x-oaiMeta"]["example"]
    program = text[text.index('"""') + 3 : text.rindex('"""')].replace('\\"', '"')
    definition = {"type": "python", "name": "published", "image_tag": "2025-05-08", "source": program}
    assert grade(definition, "Elbe", item={"label": "Elbe"}).score == 1.0
    assert grade(definition, "Oder", item={"label": "Elbe"}).score == 0.0


def multi(formula, **more):
    return {"type": "multi", "name": "both", "graders": {"same": CHECK, "alike": ALIKE}, "calculate_output": formula, **more}


def test_multi_joins_rewards(grade):
    found = grade(multi("0.75 * same + 0.25 * alike"), "Elbes", item={"label": "Elbe"})
    assert found.score == pytest.approx(0.25 * 8 / 9)
    assert found.parts == {"same": 0.0, "alike": pytest.approx(8 / 9)}


def test_multi_wants_a_range_where_its_rewards_leave_0_to_1(grade):
    item = {"label": "Elbe"}
    assert "not between 0 and 1" in grade(multi("same + alike"), "Elbe", item=item).error
    assert grade(multi("same + alike", range=[0, 2]), "Elbe", item=item).score == 1.0
    assert grade(multi("same + alike", range=[0, 2], pass_threshold=1.5), "Elbes", item=item).score == 0.0


@pytest.mark.parametrize(
    "formula", ["same / (alike - alike)", "log(same - same)", "sqrt(0 - 1 - same - alike)", "exp(1000 + same + alike)"]
)
def test_a_formula_that_cannot_be_computed_is_an_error(formula, grade):
    assert "formula cannot be computed" in grade(multi(formula), "Elbe", item={"label": "Elbe"}).error


def test_a_part_that_fails_fails_the_whole(grade):
    assert grade(multi("same + alike"), "Elbe", item={}).error.startswith("same: there is no item.label")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (CHECK | {"operation": "equals"}, "operation"),
        (multi("same + alik"), "alik"),
        (multi("same ** 2 + alike"), "arithmetic"),
        (multi("same + alike", range=[1, 0]), "`range`"),
        (multi("same + alike", pass_threshold="x"), "`pass_threshold`"),
        (multi("-" * 1_000 + "same + alike"), "calculate_output"),
        (ALIKE | {"embedding_model": 3}, "embedding_model"),
        (ALIKE | {"evaluation_metric": "cosine", "embedding_model": "nobody"}, "`embedding_model` is 'nobody'"),
    ],
)
def test_what_is_wrong_is_named(raw, words, desk):
    with pytest.raises(ConfigError, match=words) as caught:
        parsed(raw, desk)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("3 ^ 2", 9),
        ("1 + 3 ^ 2", 10),
        ("2 * 3 ^ 2", 18),
        ("2 ^ 3 ^ 0", 2),
        ("-2 ^ 2", -4),
        ("min(2, a) + max(3)", 3.5),
        ("abs(-1) + floor(1.5) + ceil(1.5) + exp(0) + sqrt(4) + log(1)", 7),
        ("(a + b) / 2", 0.375),
        ("+a", 0.5),
    ],
)
def test_a_formula_is_arithmetic_as_it_is_written(formula, expected):
    assert Formula(formula).value({"a": 0.5, "b": 0.25}) == pytest.approx(expected)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_weighted_sum_is_what_python_makes_of_it(a, b, weight):
    assert Formula(f"{weight!r} * a + (1 - {weight!r}) * b").value({"a": a, "b": b}) == pytest.approx(weight * a + (1 - weight) * b)


def test_a_power_that_is_too_large_is_an_arithmetic_error():
    with pytest.raises(ArithmeticError):
        Formula("10 ^ 10 ^ 10").value({})
    assert math.isclose(Formula("0.5 ^ 0.5").value({}), math.sqrt(0.5))
