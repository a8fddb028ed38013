"""The judge, the schemas and the published description of lines agree, whatever a row holds; and nothing makes the judge stumble."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from anytune.codes import CODES
from anytune.data.check.judge import judge
from anytune.data.rows import KINDS, kind_of
from anytune.data.rules import Rules

CONTRACTS = Path(__file__).parents[4] / "shared" / "contracts"

USER = {"role": "user", "content": "u"}
ANSWER = {"role": "assistant", "content": "a"}
OTHER = {"role": "assistant", "content": "b"}
SYSTEM = {"role": "system", "content": "s"}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "d",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        "strict": True,
    },
}
OSLO = '{"city": "Oslo"}'
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
FEATURES = [
    "tools",
    "parallel_tool_calls",
    "functions",
    "images",
    "system",
    "developer",
    "tool",
    "weight",
    "name",
    "refusal",
    "several-answers",
    "extra-fields",
]
GRADER = {
    "type": "string_check",
    "name": "n",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer.text}} {{item.unit}}",
}


def call(arguments=OSLO, name="weather", key="1", **more):
    return {
        "role": "assistant",
        "tool_calls": [{"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}],
        **more,
    }


def result(key="1", content="rain"):
    return {"role": "tool", "tool_call_id": key, "content": content}


KEYS = [
    "messages",
    "tools",
    "functions",
    "parallel_tool_calls",
    "input",
    "prompt",
    "completion",
    "chosen",
    "rejected",
    "preferred_output",
    "non_preferred_output",
    "label",
    "text",
    "role",
    "content",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "function",
    "name",
    "arguments",
    "parameters",
    "type",
    "weight",
    "refusal",
    "image_url",
    "url",
    "id",
    "x",
]
WORDS = ["user", "assistant", "system", "tool", "function", "text", "image_url", "refusal", "", "{}", "[1]", "1", "weather"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(WORDS) | st.text(max_size=4)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5), max_leaves=20
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), JSON, max_size=5)
METHODS = st.sampled_from([None, "sft", "dpo", "orpo", "reward", "clm", "kto", "rft", "their-own"])
ALL_REFUSED = Rules(target="there", refuses=frozenset(FEATURES), last_role="user")


@settings(max_examples=300, deadline=None)
@given(OBJECTS, METHODS)
def test_any_object_is_judged_without_a_crash(raw, method):
    for one in judge(1, raw, method, ALL_REFUSED, grader=GRADER):
        assert one.code in CODES
        one.model_dump_json()


PARTS = st.sampled_from(
    [
        {"type": "text", "text": "t"},
        {"type": "text"},
        {"type": "text", "text": 1},
        IMAGE,
        {"type": "image_url", "image_url": {}},
        {"type": "refusal", "refusal": "no"},
        {"type": "x"},
        "t",
    ]
)
CONTENTS = st.sampled_from(["", " ", "t", None, 5, []]) | st.lists(PARTS, max_size=2)
CALLS = st.lists(
    st.sampled_from(
        [
            *call()["tool_calls"],
            *call("{")["tool_calls"],
            {"type": "function"},
            {"id": 1, "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ]
    ),
    max_size=2,
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "user", "assistant", "assistant", "assistant", "tool", "function", "bot"])},
    optional={
        "content": CONTENTS,
        "name": st.sampled_from(["n", 5]),
        "weight": st.sampled_from([0, 1, 2, "1"]),
        "refusal": st.sampled_from(["no", None, 1]),
        "tool_calls": CALLS,
        "tool_call_id": st.sampled_from(["1", 5]),
        "function_call": st.sampled_from([None, {"name": "f", "arguments": "{}"}, {"name": "f"}]),
        "x": st.just(1),
    },
)
SOUND = st.sampled_from([USER, ANSWER, SYSTEM, OTHER | {"weight": 0}, call(), result(), ANSWER | {"content": ""}])
TALKS = st.lists(SOUND | MESSAGES, max_size=4)
SIDES = TALKS | st.sampled_from(["", "t", None])
ROWS = (
    st.fixed_dictionaries(
        {"messages": TALKS},
        optional={
            "tools": st.sampled_from([None, [], [TOOL], [{}], {}]),
            "parallel_tool_calls": st.sampled_from([True, None, 1]),
            "functions": st.sampled_from([[], [{"name": "f"}]]),
            "x": st.just(1),
        },
    )
    | st.fixed_dictionaries({"prompt": SIDES, "completion": SIDES}, optional={"label": st.sampled_from([True, 1])})
    | st.fixed_dictionaries({"prompt": SIDES}, optional={"chosen": SIDES, "rejected": SIDES, "x": st.just(1)})
    | st.fixed_dictionaries(
        {"input": st.fixed_dictionaries({"messages": TALKS}, optional={"tools": st.just([TOOL]), "x": st.just(1)})},
        optional={"preferred_output": SIDES, "non_preferred_output": SIDES, "chosen": SIDES},
    )
)
STRUCTURAL = {code for code, known in CODES.items() if known.room == "row"} | {"bad-arguments", "image-place"}


@settings(max_examples=500, deadline=None)
@given(ROWS, METHODS)
def test_a_row_is_accepted_by_its_schema_where_no_error_of_its_shape_is_found_and_only_there(raw, method):
    errors = {one.code for one in judge(1, raw, method) if one.severity == "error"} & STRUCTURAL
    if errors & {"unknown-row", "wrong-kind"}:
        return
    kind = (
        kind_of(raw)
        if method not in {"sft", "clm", "rft", "kto"}
        else {("sft", True): KINDS["chat"], ("clm", True): KINDS["chat"], ("rft", True): KINDS["graded"]}.get(
            (method, "messages" in raw), KINDS["unpaired"] if method == "kto" else KINDS["prompt"]
        )
    )
    try:
        kind.model_validate(raw)
    except ValidationError:
        assert errors
    else:
        assert not errors


OURS_IS_STRICTER = {
    "unknown-key",
    "misplaced-key",
    "missing-content",
    "no-assistant",
    "last-not-assistant",
    "empty-answer",
    "all-weights-zero",
    "bad-arguments",
    "image-place",
    "bad-value",
    "no-messages",
}


@pytest.fixture(scope="module")
def published():
    from jsonschema import Draft202012Validator

    lines, api = CONTRACTS / "openai_dataset_lines_2025-04.json", CONTRACTS / "openai_finetune_subset.json"
    if not lines.is_file() or not api.is_file():
        pytest.skip("the published contracts are not here")
    schemas = json.loads(lines.read_text()) | json.loads(api.read_text())["components"]["schemas"]
    return schemas, lambda name: Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}})


def plain(raw):
    """Give a row without the keys that are null: they stand for nothing in ours, and the published description does not know that."""
    if isinstance(raw, dict):
        return {key: plain(value) for key, value in raw.items() if value is not None}
    return [plain(one) for one in raw] if isinstance(raw, list) else raw


def test_every_published_example_is_taken(published):
    schemas, _ = published
    examples = {
        name: json.loads(schema["x-oaiMeta"]["example"])
        for name, schema in schemas.items()
        if name.startswith("FineTune") and "example" in schema.get("x-oaiMeta", {})
    }
    wrong = examples.pop("FineTunePreferenceRequestInput")  # its keys were never the real ones
    right = {
        "input": wrong["input"],
        "preferred_output": wrong["preferred_completion"],
        "non_preferred_output": wrong["non_preferred_completion"],
    }
    assert len(examples) >= 2
    for raw in (*examples.values(), right):
        assert judge(1, raw, None) == []


def test_what_we_take_and_what_is_published_agree(published):
    _, validator = published
    judged = validator("FineTuneChatRequestInput")

    @settings(max_examples=200, deadline=None)
    @given(
        st.fixed_dictionaries(
            {"messages": TALKS},
            optional={"parallel_tool_calls": st.sampled_from([True, "x"]), "functions": st.sampled_from([[], [{"name": "f"}]])},
        )
    )
    def agree(raw):
        turns = raw["messages"]
        assume(
            not any(turn["role"] == "developer" or (turn["role"] == "tool" and turn.get("name") == 5) for turn in turns)
        )  # not described there
        errors = {one.code for one in judge(1, raw, "sft") if one.severity == "error" and one.code in STRUCTURAL}
        if judged.is_valid(plain(raw)):
            assert errors <= OURS_IS_STRICTER
        elif not errors:
            pytest.fail(f"taken, though not as published: {raw}")

    agree()
