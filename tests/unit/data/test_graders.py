"""Graders: a definition that cannot work is found before a run, and nothing of it is ever executed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune.data.graders import MAX_SOURCE_BYTES, fields, judge_grader

SHARED = Path(__file__).parents[4] / "shared" / "contracts" / "openai_finetune_subset.json"

CHECK = {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}", "reference": "{{item.answer}}"}
ALIKE = {
    "type": "text_similarity",
    "name": "alike",
    "evaluation_metric": "rouge_l",
    "input": "{{ sample.output_json.text }}",
    "reference": "{{item.answer.long}}",
}
PROGRAM = {
    "type": "python",
    "name": "own",
    "source": "import math\n\ndef grade(sample: dict, item: dict) -> float:\n    return float(sample['output_text'] == item['answer'])\n",
}
ASKED = [
    {"role": "system", "content": "Judge."},
    {"role": "user", "type": "message", "content": {"type": "input_text", "text": "{{item.question}}: {{sample.output_text}}"}},
]
SCORE = {
    "type": "score_model",
    "name": "score",
    "model": "gpt-4.1",
    "input": ASKED,
    "range": [0, 10],
    "sampling_params": {"temperature": 0, "seed": 1},
}
LABEL = {"type": "label_model", "name": "label", "model": "gpt-4.1", "input": ASKED, "labels": ["good", "bad"], "passing_labels": ["good"]}
MULTI = {
    "type": "multi",
    "name": "all",
    "graders": {"same": CHECK, "label": LABEL},
    "calculate_output": "min(1, 0.5 * same + 0.5 * label ^ 2)",
}


@pytest.mark.parametrize(
    "grader",
    [CHECK, ALIKE, PROGRAM, SCORE, MULTI, {key: value for key, value in MULTI.items() if key != "name"}],
    ids=lambda one: one["type"],
)
def test_a_good_grader_is_taken(grader):
    assert judge_grader(grader) == []


@pytest.mark.parametrize(
    ("grader", "words"),
    [
        (None, "grader"),
        ([], "grader"),
        ({}, "type"),
        (CHECK | {"type": "regex"}, "no known grader"),
        (CHECK | {"operation": "equals"}, "operation"),
        (CHECK | {"operaton": "eq"}, "operaton"),
        ({key: value for key, value in CHECK.items() if key != "reference"}, "reference"),
        (CHECK | {"reference": 4}, "reference"),
        (CHECK | {"reference": "{{item.answer}"}, "close"),
        (CHECK | {"reference": "{{answer}}"}, "neither"),
        (CHECK | {"input": "{{sample.text}}"}, "sample.text"),
        (ALIKE | {"evaluation_metric": "rouge_6"}, "evaluation_metric"),
        (PROGRAM | {"source": "def grade(sample, item)\n    return 1"}, "line 1"),
        (PROGRAM | {"source": "def score(sample, item):\n    return 1"}, "no function `grade`"),
        (PROGRAM | {"source": "async def grade(sample, item):\n    return 1"}, "no function `grade`"),
        (PROGRAM | {"source": "def grade(sample):\n    return 1"}, "two values"),
        (PROGRAM | {"source": "def grade(a, b, c):\n    return 1"}, "two values"),
        (PROGRAM | {"source": "\0"}, "source"),
        (PROGRAM | {"source": "(" * 100_000}, "source"),
        (PROGRAM | {"source": "#" * (MAX_SOURCE_BYTES + 1)}, "bytes"),
        (SCORE | {"input": []}, "input"),
        (SCORE | {"range": [1, 0]}, "rise"),
        (SCORE | {"range": [1]}, "range"),
        (LABEL, "label_model"),
        (MULTI | {"graders": {}}, "graders"),
        (MULTI | {"graders": [CHECK]}, "graders"),
        (MULTI | {"graders": {"same": MULTI}}, "no other multi"),
        (MULTI | {"graders": {"same": CHECK, "label": LABEL | {"passing_labels": ["fine"]}}}, "fine"),
        (MULTI | {"calculate_output": "0.5 * same + 0.5 * labl"}, "labl"),
        (MULTI | {"calculate_output": "same +"}, "no formula"),
        (MULTI | {"calculate_output": ""}, "no formula"),
        (MULTI | {"calculate_output": "same + label if same else 0"}, "arithmetic"),
        (MULTI | {"calculate_output": "same ** label"}, "arithmetic"),
        (MULTI | {"calculate_output": "round(same + label)"}, "arithmetic"),
        (MULTI | {"calculate_output": "same.real + label"}, "arithmetic"),
        (MULTI | {"calculate_output": "same + label + '1'"}, "arithmetic"),
    ],
)
def test_a_grader_that_cannot_work_is_named(grader, words):
    found = judge_grader(grader)
    assert {one.code for one in found} == {"bad-grader"}
    assert any(one.severity == "error" and words in one.message + one.fix for one in found), found
    assert all(one.fix for one in found)


def test_all_that_is_wrong_is_named_not_only_the_first():
    found = judge_grader(MULTI | {"graders": {"a": CHECK | {"operation": "x"}, "b": CHECK | {"extra": 1}}})
    assert len(found) == 2


def test_a_grader_that_never_looks_at_the_answer_is_doubted():
    assert [one.severity for one in judge_grader(CHECK | {"input": "4"})] == ["warning"]


def test_a_part_that_the_formula_does_not_use_is_doubted():
    assert [one.severity for one in judge_grader(MULTI | {"calculate_output": "same"})] == ["warning"]


def test_a_program_is_read_and_not_run(tmp_path):
    trace = tmp_path / "trace"
    source = f"open({str(trace)!r}, 'w')\nraise SystemExit\ndef grade(sample, item):\n    return 1\n"
    assert judge_grader(PROGRAM | {"source": source}) == []
    assert not trace.exists()


def test_a_program_with_strange_escapes_is_read_without_a_warning():
    assert judge_grader(PROGRAM | {"source": "def grade(sample, item):\n    return float('\\d' in item)\n"}) == []


@pytest.mark.parametrize("formula", ["+".join(["same"] * 100_000), "(" * 5000, "9^9^9^9^9 + same + label", "-" * 1900 + "same"])
def test_a_formula_is_walked_in_no_time(formula):
    before = time.monotonic()
    judge_grader(MULTI | {"calculate_output": formula})
    assert time.monotonic() - before < 2


def test_the_fields_that_templates_name_are_found():
    assert fields(CHECK) == {"answer"}
    assert fields(ALIKE) == {"answer.long"}
    assert fields(MULTI) == {"answer", "question"}
    assert fields(PROGRAM) == set()


@pytest.mark.skipif(not SHARED.is_file(), reason="the published contract is not here")
def test_every_example_of_the_contract_that_is_json_is_taken():
    schemas = json.loads(SHARED.read_text())["components"]["schemas"]
    taken = set()
    for name, schema in schemas.items():
        if name.startswith("Grader") and "x-oaiMeta" in schema:
            try:
                grader = json.loads(schema["x-oaiMeta"]["example"])
            except ValueError:
                continue  # an example with Python in it
            if grader["type"] == "multi":
                continue  # its example shows a list, and a formula that does not close; the real one is a mapping
            errors = [one for one in judge_grader(grader) if one.severity == "error" and "by itself" not in one.message]
            assert errors == [], name
            taken.add(grader["type"])
    assert taken == {"string_check", "text_similarity", "label_model"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "input", "graders", "source", "content", "x"]) | st.text(max_size=3), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(
    JSON
    | st.builds(
        lambda base, more: base | more,
        st.sampled_from([CHECK, ALIKE, PROGRAM, SCORE, LABEL, MULTI]),
        st.dictionaries(
            st.sampled_from(["type", "name", "input", "reference", "graders", "source", "calculate_output", "range", "labels"]),
            JSON,
            max_size=2,
        ),
    )
)
def test_any_json_is_judged_without_a_crash(raw):
    judge_grader(raw)
    if isinstance(raw, dict):
        fields(raw)
