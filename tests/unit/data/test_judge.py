"""Judging one row: every finding has its code, its message's index, the key's path and a fix; what is good is never refused."""

from __future__ import annotations

import json

import pytest

from anytune.data.check.judge import SHAPES, judge
from anytune.data.rows import KINDS, kind_of, texts
from anytune.data.rules import OPEN, Rules

USER = {"role": "user", "content": "u"}
ANSWER = {"role": "assistant", "content": "a"}
OTHER = {"role": "assistant", "content": "b"}
SYSTEM = {"role": "system", "content": "s"}
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": PARAMETERS, "strict": True}}
OSLO = '{"city": "Oslo"}'
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}


def call(arguments=OSLO, name="weather", key="1", **more):
    return {
        "role": "assistant",
        "tool_calls": [{"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}],
        **more,
    }


def result(key="1", content="rain"):
    return {"role": "tool", "tool_call_id": key, "content": content}


def chat(*messages, **more):
    return {"messages": list(messages), **more}


def preference(chosen=(ANSWER,), rejected=(OTHER,), messages=(USER,), **more):
    return {"input": {"messages": list(messages), **more}, "preferred_output": list(chosen), "non_preferred_output": list(rejected)}


def told(raw, method=None, rules=OPEN, **more):
    return [(f.severity, f.code, f.message_index) for f in judge(7, raw, method, rules, **more)]


def schema_of(**parameters):
    return {"type": "function", "function": {"name": "weather", "parameters": parameters}}


GOOD = {
    "plain": chat(USER, ANSWER),
    "system, several turns": chat(SYSTEM, USER, ANSWER, USER, ANSWER),
    "developer": chat({"role": "developer", "content": "d"}, USER, ANSWER),
    "two standing messages": chat(SYSTEM, {"role": "developer", "content": "d"}, USER, ANSWER),
    "the assistant speaks first": chat(ANSWER, USER, ANSWER),
    "the assistant speaks alone": chat(ANSWER),
    "weights": chat(USER, ANSWER | {"weight": 0}, USER, ANSWER | {"weight": 1}),
    "names": chat(USER | {"name": "ann"}, USER | {"name": "bob"}, ANSWER | {"name": "eve"}),
    "unicode": chat(USER | {"content": "Schöne Grüße 日本語 🙂 عربى"}, ANSWER),
    "text parts": chat(USER | {"content": [{"type": "text", "text": "u"}]}, ANSWER | {"content": [{"type": "text", "text": "a"}]}),
    "an image": chat(USER | {"content": [{"type": "text", "text": "what?"}, IMAGE]}, ANSWER),
    "a refusal": chat(USER, {"role": "assistant", "content": None, "refusal": "no"}),
    "a refusal in parts": chat(USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}),
    "no tools": chat(USER, ANSWER, tools=[]),
    "nulls of a table": chat(
        USER | {"name": None, "tool_calls": None, "tool_call_id": None, "weight": None},
        ANSWER | {"tool_calls": None},
        tools=None,
        parallel_tool_calls=None,
    ),
    "a call": chat(USER, call(), tools=[TOOL], parallel_tool_calls=False),
    "a call with words": chat(USER, call(content="let me look"), tools=[TOOL]),
    "a call with null content": chat(USER, call(content=None), tools=[TOOL]),
    "a call with empty content": chat(USER, call(content=""), tools=[TOOL]),
    "no calls in the list": chat(USER, ANSWER | {"tool_calls": []}),
    "a call and its answer": chat(USER, call(), result(), ANSWER, tools=[TOOL]),
    "an empty result": chat(USER, call(), result(content=""), ANSWER, tools=[TOOL]),
    "a result in parts": chat(USER, call(), result(content=[{"type": "text", "text": "rain"}]), ANSWER, tools=[TOOL]),
    "a named result": chat(USER, call(), result() | {"name": "weather"}, ANSWER, tools=[TOOL]),
    "a call after a call": chat(USER, call(), result(), call(key="2"), result("2"), ANSWER, tools=[TOOL]),
    "parallel calls answered in another order": chat(
        USER,
        {"role": "assistant", "tool_calls": call()["tool_calls"] + call(key="2")["tool_calls"]},
        result("2"),
        result("1"),
        ANSWER,
        tools=[TOOL],
    ),
    "arguments as an object": chat(USER, call({"city": "Oslo", "days": [1]}), tools=[TOOL]),
    "a call without id and type": chat(
        USER, {"role": "assistant", "tool_calls": [{"function": {"name": "weather", "arguments": OSLO}}]}, tools=[TOOL]
    ),
    "a tool without parameters": chat(USER, call("{}", name="now"), tools=[{"type": "function", "function": {"name": "now"}}]),
    "a tool with its return": chat(USER, ANSWER, tools=[{"type": "function", "function": {"name": "now", "return": {"type": "string"}}}]),
    "a schema with references": chat(
        USER,
        call('{"a": {"a": {}}}'),
        tools=[schema_of(**{"$defs": {"n": {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"})],
    ),
    "prompt and completion": {"prompt": "p", "completion": "c"},
    "prompt and completion as messages": {"prompt": [SYSTEM, USER], "completion": [ANSWER]},
    "a completion that calls": {"prompt": [USER], "completion": [call()], "tools": [TOOL]},
    "a preference": {"prompt": "p", "chosen": "a", "rejected": "b"},
    "a preference of messages": {"prompt": [USER], "chosen": [ANSWER], "rejected": [OTHER]},
    "openai's preference": preference(tools=[], parallel_tool_calls=True),
    "several answers": preference([call(), result(), ANSWER], [OTHER], tools=[TOOL]),
    "a rejected call of nothing": preference([call()], [call("{}", name="wether")], tools=[TOOL]),
    "unpaired": {"prompt": "p", "completion": "c", "label": False},
    "unpaired messages": {"prompt": [USER], "completion": [ANSWER], "label": True},
    "graded": chat(USER, answer="4", level=3, list=[1], none=None),
    "graded without fields": chat(SYSTEM, USER),
    "graded after a result": chat(USER, call(), result(), tools=[TOOL], answer="4"),
    "graded with names of other kinds": chat(USER, prompt="p", text="t", label=1),
    "text": {"text": "t"},
}


@pytest.mark.parametrize("raw", GOOD.values(), ids=GOOD)
def test_a_good_row_has_no_finding(raw):
    method = "rft" if raw.get("messages") and raw["messages"][-1]["role"] != "assistant" else None
    assert judge(1, raw, method) == []


@pytest.mark.parametrize("raw", GOOD.values(), ids=GOOD)
def test_a_good_row_gives_its_words(raw):
    assert list(texts(raw))


@pytest.mark.parametrize(("word", "shape"), SHAPES.items())
def test_the_shape_that_is_shown_of_a_kind_is_good(word, shape):
    raw = json.loads(shape)
    assert kind_of(raw) is KINDS[word]
    assert judge(1, raw, None) == []


BAD = [
    # which row
    ("sft", {"a": 1}, "unknown-row", None, "a"),
    ("sft", {}, "unknown-row", None, "none"),
    ("sft", {"prompt": "p", "chosen": "a", "rejected": "b"}, "wrong-kind", None, "preference"),
    ("dpo", chat(USER, ANSWER), "wrong-kind", None, "chat"),
    ("sft", {"prompt": "p", "completion": "c", "label": True}, "wrong-kind", None, "unpaired"),
    ("rft", {"text": "t"}, "wrong-kind", None, "text"),
    # keys
    ("sft", chat(USER, ANSWER, tool=[]), "unknown-key", None, "`tool`"),
    ("sft", chat(USER, ANSWER, weight=1), "unknown-key", None, "`weight`"),
    ("sft", chat(USER, ANSWER | {"contents": "x"}), "unknown-key", 1, "messages.1.contents"),
    ("sft", chat(USER | {"content": [{"type": "text", "text": "u", "x": 1}]}, ANSWER), "unknown-key", 0, "messages.0.content.0.x"),
    (
        "sft",
        chat(
            USER,
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": OSLO, "x": 1}}],
            },
            tools=[TOOL],
        ),
        "unknown-key",
        1,
        "tool_calls.0.function.x",
    ),
    ("sft", {"prompt": "p", "completion": "c", "x": 1}, "unknown-key", None, "`x`"),
    ("sft", {"prompt": "p", "completion": "c", "label": "good"}, "unknown-key", None, "`label`"),
    ("sft", {"text": "t", "id": 1}, "unknown-key", None, "`id`"),
    ("dpo", {**preference(), "x": 1}, "unknown-key", None, "`x`"),
    ("dpo", preference(x=1), "unknown-key", None, "input.x"),
    ("dpo", {"prompt": "p", "chosen": "a"}, "missing-key", None, "`rejected`"),
    ("dpo", {"preferred_output": [ANSWER], "non_preferred_output": [OTHER]}, "missing-key", None, "`input`"),
    ("dpo", preference() | {"input": {}}, "missing-key", None, "`input.messages`"),
    ("dpo", {key: value for key, value in preference().items() if key != "preferred_output"}, "missing-key", None, "`preferred_output`"),
    ("kto", {"prompt": "p", "completion": "c"}, "missing-key", None, "`label`"),
    ("sft", chat({"content": "u"}, ANSWER), "missing-key", 0, "messages.0.role"),
    ("sft", chat(USER | {"content": [{"text": "u"}]}, ANSWER), "missing-key", 0, "messages.0.content.0.type"),
    ("sft", chat(USER | {"content": [{"type": "text"}]}, ANSWER), "missing-key", 0, "messages.0.content.0.text"),
    ("sft", chat(USER | {"content": [{"type": "image_url", "image_url": {}}]}, ANSWER), "missing-key", 0, "image_url.url"),
    ("sft", chat(USER, call(), {"role": "tool", "content": "r"}, ANSWER, tools=[schema_of()]), "missing-key", 2, "messages.2.tool_call_id"),
    ("sft", chat(USER | {"weight": 1}, ANSWER), "misplaced-key", 0, "messages.0.weight"),
    ("sft", chat(USER | {"tool_calls": []}, ANSWER), "misplaced-key", 0, "messages.0.tool_calls"),
    ("sft", chat(USER | {"tool_call_id": "1"}, ANSWER), "misplaced-key", 0, "messages.0.tool_call_id"),
    ("sft", chat(SYSTEM | {"refusal": "no"}, ANSWER), "misplaced-key", 0, "messages.0.refusal"),
    # types and values
    ("sft", {"messages": {}}, "bad-type", None, "messages"),
    ("sft", {"messages": None}, "bad-type", None, "null"),
    ("sft", chat("u", ANSWER), "bad-type", 0, "messages.0"),
    ("sft", chat(USER | {"content": 5}, ANSWER), "bad-type", 0, "messages.0.content"),
    ("sft", chat(USER | {"content": {"text": "u"}}, ANSWER), "bad-type", 0, "messages.0.content"),
    ("sft", chat(USER | {"content": ["u"]}, ANSWER), "bad-type", 0, "messages.0.content.0"),
    ("sft", chat(USER | {"name": 5}, ANSWER), "bad-type", 0, "messages.0.name"),
    ("sft", chat(USER, ANSWER, tools={}), "bad-type", None, "`tools`"),
    ("sft", chat(USER, ANSWER, parallel_tool_calls="true"), "bad-type", None, "parallel_tool_calls"),
    ("sft", chat(USER, ANSWER | {"weight": True}), "bad-type", 1, "messages.1.weight"),
    ("sft", {"prompt": 5, "completion": "c"}, "bad-type", None, "`prompt`"),
    ("sft", {"text": ["t"]}, "bad-type", None, "`text`"),
    ("kto", {"prompt": "p", "completion": "c", "label": 1}, "bad-type", None, "`label`"),
    ("dpo", preference() | {"preferred_output": "a"}, "bad-type", None, "`preferred_output`"),
    ("dpo", preference() | {"input": "p"}, "bad-type", None, "`input`"),
    ("sft", chat(USER, ANSWER | {"weight": 2}), "bad-value", 1, "messages.1.weight"),
    ("sft", chat(USER | {"content": [{"type": "audio", "audio": {}}]}, ANSWER), "bad-value", 0, "messages.0.content.0.type"),
    ("sft", chat(USER | {"content": [IMAGE | {"image_url": {"url": "u", "detail": "best"}}]}, ANSWER), "bad-value", 0, "detail"),
    ("dpo", preference([USER]), "bad-value", 0, "preferred_output"),
    ("dpo", preference([ANSWER, USER]), "bad-value", 1, "preferred_output.1"),
    ("sft", chat(SYSTEM | {"content": [IMAGE]}, ANSWER), "image-place", 0, "messages.0.content.0"),
    ("sft", chat(USER, ANSWER | {"content": [IMAGE]}), "image-place", 1, "messages.1.content.0"),
    # roles and what is learned
    ("sft", chat({"role": "human", "content": "u"}, ANSWER), "unknown-role", 0, "human"),
    ("sft", chat({"role": 5, "content": "u"}, ANSWER), "unknown-role", 0, "messages.0.role"),
    ("sft", chat(), "no-messages", None, "messages"),
    ("sft", {"prompt": [], "completion": "c"}, "no-messages", None, "prompt"),
    ("sft", chat(USER), "no-assistant", None, "messages"),
    ("sft", {"prompt": [USER], "completion": [USER]}, "no-assistant", None, "completion"),
    ("sft", chat(ANSWER, USER), "last-not-assistant", 1, "user"),
    ("rft", chat(USER, ANSWER), "last-not-user", 1, "assistant"),
    ("rft", chat(SYSTEM), "last-not-user", 0, "system"),
    ("sft", chat({"role": "user"}, ANSWER), "missing-content", 0, "messages.0.content"),
    ("sft", chat(USER | {"content": None}, ANSWER), "missing-content", 0, "messages.0.content"),
    ("sft", chat(USER, {"role": "assistant"}), "missing-content", 1, "messages.1"),
    ("sft", chat(USER, {"role": "assistant", "content": None, "tool_calls": []}), "missing-content", 1, "messages.1"),
    ("sft", chat(USER | {"content": []}, ANSWER), "empty-content", 0, "messages.0.content"),
    ("sft", chat(USER, ANSWER | {"content": " \n"}), "empty-answer", 1, "empty"),
    ("sft", chat(USER, ANSWER | {"content": [{"type": "text", "text": ""}]}), "empty-answer", 1, "empty"),
    ("sft", chat(USER, ANSWER | {"content": " \u200b\u2060"}), "empty-answer", 1, "empty"),
    ("sft", {"prompt": "p", "completion": " "}, "empty-answer", None, "completion"),
    ("dpo", {"prompt": "p", "chosen": "a", "rejected": ""}, "empty-answer", None, "rejected"),
    ("sft", {"text": ""}, "empty-answer", None, "text"),
    ("sft", chat(USER, ANSWER | {"weight": 0}), "all-weights-zero", None, "weight 0"),
    ("dpo", {"prompt": "p", "chosen": "a", "rejected": "a "}, "same-answers", None, "chosen"),
    ("dpo", preference([ANSWER], [ANSWER]), "same-answers", None, "preferred_output"),
    # tools
    ("sft", chat(USER, ANSWER, tools=[{}]), "bad-tool", None, "tools.0"),
    ("sft", chat(USER, ANSWER, tools=["weather"]), "bad-type", None, "tools.0"),
    ("sft", chat(USER, ANSWER, tools=[{"name": "f", "parameters": {}}]), "bad-tool", None, "bare"),
    ("sft", chat(USER, ANSWER, tools=[{"type": "function", "function": {"name": "no blanks"}}]), "bad-tool", None, "name"),
    ("sft", chat(USER, ANSWER, tools=[{"type": "function", "function": {"name": "f" * 65}}]), "bad-tool", None, "name"),
    ("sft", chat(USER, ANSWER, tools=[{"type": "function", "function": {"name": "f", "paramters": {}}}]), "bad-tool", None, "paramters"),
    ("sft", chat(USER, ANSWER, tools=[schema_of(type="dict")]), "bad-tool", None, "object"),
    ("sft", chat(USER, ANSWER, tools=[schema_of(properties={"a": {"type": "float"}})]), "bad-tool", None, "properties.a.type"),
    ("sft", chat(USER, ANSWER, tools=[schema_of(required="a")]), "bad-tool", None, "required"),
    ("dpo", preference(tools=[{}]), "bad-tool", None, "input.tools.0"),
    ("sft", chat(USER, ANSWER, tools=[TOOL, TOOL]), "duplicate-tool", None, "tools.1"),
    ("sft", chat(USER, call(name="wether"), tools=[TOOL]), "undeclared-tool", 1, "wether"),
    ("sft", chat(USER, call(name="weather"), tools=[]), "undeclared-tool", 1, "weather"),
    ("sft", chat(USER, call("{"), tools=[TOOL]), "bad-arguments", 1, "messages.1.tool_calls.0.function"),
    ("sft", chat(USER, call("[]"), tools=[TOOL]), "bad-arguments", 1, "not an object"),
    ("sft", chat(USER, call('{"city": NaN}'), tools=[TOOL]), "bad-arguments", 1, "NaN"),
    ("sft", chat(USER, call('{"city": "a", "city": "b"}'), tools=[TOOL]), "bad-arguments", 1, "twice"),
    ("sft", chat(USER, call("{}"), tools=[TOOL]), "arguments-mismatch", 1, "lacks `city`"),
    ("sft", chat(USER, call('{"city": 5}'), tools=[TOOL]), "arguments-mismatch", 1, "arguments.city"),
    ("sft", chat(USER, call({"city": 5}), tools=[TOOL]), "arguments-mismatch", 1, "arguments.city"),
    ("sft", chat(USER, call('{"city": "a", "days": [1, "2"]}'), tools=[TOOL]), "arguments-mismatch", 1, "arguments.days.1"),
    ("sft", chat(USER, call('{"city": "a", "when": 1}'), tools=[TOOL]), "arguments-mismatch", 1, "`when`"),
    ("sft", {"prompt": [USER], "completion": [call("{}")], "tools": [TOOL]}, "arguments-mismatch", 0, "completion.0"),
    ("dpo", preference([call("{}")], tools=[TOOL]), "arguments-mismatch", 0, "preferred_output.0"),
    ("sft", chat(USER, {"role": "assistant", "tool_calls": call()["tool_calls"] * 2}, tools=[TOOL]), "duplicate-call", 1, "messages.1"),
    ("sft", chat(USER, call(), result(), result("2"), ANSWER, tools=[TOOL]), "orphan-result", 3, "messages.3"),
]


@pytest.mark.parametrize(("method", "raw", "code", "index", "words"), BAD, ids=[f"{code}-{n}" for n, (_, _, code, _, _) in enumerate(BAD)])
def test_what_is_wrong_is_named_by_code_message_and_path_and_nothing_else_is_found(method, raw, code, index, words):
    found = judge(7, raw, method)
    assert [(one.severity, one.code, one.row, one.message_index) for one in found] == [("error", code, 7, index)], found
    assert words in found[0].message
    assert found[0].fix


ODD = [
    (chat(USER, SYSTEM, ANSWER), "role-order", 1),
    (chat(USER, USER, ANSWER), "role-order", 1),
    (chat(USER, ANSWER, ANSWER), "role-order", 2),
    (chat(USER | {"content": ""}, ANSWER), "empty-content", 0),
    (chat(USER, ANSWER | {"content": ""}, USER, ANSWER), "empty-content", 1),
    ({"prompt": "", "completion": "c"}, "empty-content", None),
    (chat(USER, call()), "undeclared-tool", 1),
    (chat(USER, call(), USER, ANSWER, tools=[TOOL]), "missing-result", 1),
    (chat(USER, call(), result(), call(), tools=[TOOL]), "duplicate-call", 3),
]


@pytest.mark.parametrize(("raw", "code", "index"), ODD)
def test_what_is_odd_is_a_warning(raw, code, index):
    assert told(raw) == [("warning", code, index)]


def test_deprecated_functions_are_taken_and_named():
    raw = chat(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": OSLO}},
        {"role": "function", "name": "weather", "content": "rain"},
        ANSWER,
        functions=[{"name": "weather", "parameters": PARAMETERS}],
    )
    assert told(raw, "sft") == [("warning", "deprecated-key", 1), ("warning", "deprecated-key", 2), ("warning", "deprecated-key", None)]


def test_arguments_of_deprecated_calls_are_held_against_their_function():
    raw = chat(
        USER,
        {"role": "assistant", "function_call": {"name": "weather", "arguments": "{}"}},
        functions=[{"name": "weather", "parameters": PARAMETERS}],
    )
    assert ("error", "arguments-mismatch", 1) in told(raw, "sft")


def test_all_that_is_wrong_is_found_not_only_the_first():
    raw = chat({"role": "bot", "content": 5}, USER | {"weight": 1, "contnt": "x"}, call("{"), {"content": "x"}, tol=[], tools=[{}])
    assert {one.code for one in judge(1, raw, "sft")} == {
        "unknown-role",
        "misplaced-key",
        "unknown-key",
        "bad-arguments",
        "missing-key",
        "bad-tool",
    }


@pytest.mark.parametrize(
    ("raw", "fix"),
    [
        (chat({"role": "gpt", "content": "u"}, ANSWER), "`assistant`"),
        (chat({"role": "assistent", "content": "u"}, ANSWER), "`assistant`"),
        (chat(USER, ANSWER | {"wieght": 1}), "`weight`"),
        (chat(USER, ANSWER, tolls=[]), "`tools`"),
        (chat(USER, call(name="wether"), tools=[TOOL]), "`weather`"),
        (preference() | {"chosen": []}, "`preferred_output`"),
    ],
)
def test_the_fix_names_the_nearest_right_word(raw, fix):
    assert any(fix in one.fix for one in judge(1, raw, None))


def test_messages_hold_no_long_or_unprintable_words_of_the_row():
    raw = chat(USER | {"\x1b[31m" + "k" * 500: 1, "role": "r\n" * 500}, ANSWER, **{"\ud800\u202e": 1})
    for one in judge(1, raw, "sft"):
        assert one.message.isprintable()
        assert len(one.message) < 200
        one.model_dump_json()


# What the target does not take

USING = {
    "tools": (chat(USER, ANSWER, tools=[]), None),
    "parallel_tool_calls": (chat(USER, ANSWER, parallel_tool_calls=True), None),
    "functions": (chat(USER, ANSWER, functions=[{"name": "f"}]), None),
    "images": (chat(SYSTEM, USER | {"content": [IMAGE]}, ANSWER), 1),
    "system": (chat(SYSTEM, USER, ANSWER), 0),
    "developer": (chat({"role": "developer", "content": "d"}, USER, ANSWER), 0),
    "tool": (chat(USER, call(), result(), ANSWER, tools=[TOOL]), 2),
    "weight": (chat(USER, ANSWER | {"weight": 1}), 1),
    "name": (chat(USER | {"name": "ann"}, ANSWER), 0),
    "refusal": (chat(USER, ANSWER | {"refusal": "no"}), 1),
    "several-answers": (preference([call(), result()], tools=[TOOL]), None),
    "extra-fields": (chat(USER, answer="4"), None),
}


@pytest.mark.parametrize("feature", USING)
def test_what_the_target_refuses_or_leaves_out_is_named_with_the_message_that_uses_it(feature):
    raw, index = USING[feature]
    refused = [one for one in judge(1, raw, None, Rules(target="there", refuses={feature})) if one.code == "refused-feature"]
    dropped = [one for one in judge(1, raw, None, Rules(target="there", drops={feature})) if one.code == "dropped-feature"]
    assert [(one.severity, one.message_index) for one in (*refused, *dropped)] == [("error", index), ("warning", index)]
    assert all(one.message.startswith("there ") and one.fix for one in (*refused, *dropped))


@pytest.mark.parametrize("feature", USING)
def test_a_row_without_the_feature_is_taken(feature):
    assert judge(1, chat(USER, ANSWER), "sft", Rules(target="there", refuses={feature})) == []


def test_the_last_message_is_of_the_role_that_the_target_wants():
    raw = chat(USER, call(), result(), tools=[TOOL])
    assert told(raw, "rft") == []
    assert told(raw, "rft", Rules(last_role="user")) == [("error", "last-not-user", 2)]
    assert told(chat(USER, ANSWER), "sft", Rules(last_role="assistant")) == []


# Graders

GRADER = {
    "type": "string_check",
    "name": "n",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer.text}} {{item.unit}}",
}


def test_a_field_that_the_grader_names_is_in_every_row():
    good = chat(USER, answer={"text": "4"}, unit=None)
    assert judge(1, good, "rft", grader=GRADER) == []
    assert [one.message for one in judge(1, chat(USER, answer="4"), "rft", grader=GRADER)] == [
        "The grader uses `item.answer.text`, which the row does not have.",
        "The grader uses `item.unit`, which the row does not have.",
    ]
