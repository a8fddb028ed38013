"""What a row may be: the schemas, their words, and the words of a row."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from anytune.data.rows import (
    KINDS,
    AssistantMessage,
    ChatRow,
    GradedRow,
    Message,
    PreferenceRow,
    PromptRow,
    TextRow,
    UnpairedRow,
    kind_of,
    split_input,
    texts,
    wanted,
    word_of,
)
from anytune.data.rows.parts import parsed

USER = {"role": "user", "content": "u"}
ANSWER = {"role": "assistant", "content": "a"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def call(arguments, name="f", key="1"):
    return {"role": "assistant", "tool_calls": [{"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}]}


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ({"messages": [USER, ANSWER]}, ChatRow),
        ({"messages": [USER]}, ChatRow),
        ({"messages": [USER], "answer": "4"}, GradedRow),
        ({"messages": [USER, ANSWER], "answer": "4"}, ChatRow),
        ({"prompt": "p", "completion": "c"}, PromptRow),
        ({"prompt": "p", "completion": "c", "label": True}, UnpairedRow),
        ({"prompt": "p", "chosen": "a", "rejected": "b"}, PreferenceRow),
        ({"prompt": "p"}, PromptRow),
        ({"input": {"messages": []}}, PreferenceRow),
        ({"preferred_output": []}, PreferenceRow),
        ({"text": "t"}, TextRow),
        ({"instruction": "i", "input": "", "output": "o"}, None),
        ({}, None),
    ],
)
def test_a_row_is_known_by_its_keys(raw, kind):
    assert kind_of(raw) is kind


def test_every_kind_has_a_word_and_every_method_its_kinds():
    assert [word_of(kind) for kind in KINDS.values()] == list(KINDS)
    assert wanted("sft") == (ChatRow, PromptRow, TextRow)
    assert [wanted(method) for method in ("dpo", "kto", "rft")] == [(PreferenceRow,), (UnpairedRow,), (GradedRow,)]
    assert wanted("orpo") == wanted("reward") == wanted("dpo")
    assert set(wanted("clm")) == set(wanted("sft"))


def test_a_method_of_a_backends_own_may_learn_from_any_kind():
    assert wanted("their-own") == tuple(KINDS.values())


def test_a_message_knows_its_role():
    row = ChatRow.model_validate({"messages": [USER, ANSWER | {"weight": 0}, USER, ANSWER]})
    assert isinstance(row.messages[1], AssistantMessage)
    assert [turn.weight for turn in row.messages] == [None, 0, None, None]


def test_a_message_alone_is_read_whatever_its_role():
    assert Message.model_validate(USER).text == "u"


def test_the_text_of_a_message_is_its_parts_joined_or_its_refusal():
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}, {"type": "text", "text": "b"}]
    assert Message.model_validate({"role": "user", "content": parts}).text == "ab"
    assert Message.model_validate({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}).text == "no"
    assert Message.model_validate({"role": "assistant", "refusal": "no"}).text == "no"


def test_arguments_given_as_an_object_become_text():
    row = ChatRow.model_validate({"messages": [USER, call({"city": "Ålesund"})], "tools": [TOOL]})
    assert row.messages[1].tool_calls[0].function.arguments == '{"city": "Ålesund"}'


def test_a_tool_keeps_its_definition_as_it_was_written():
    assert ChatRow.model_validate({"messages": [USER, ANSWER], "tools": [TOOL]}).tools == [TOOL]


def test_openais_preference_reads_like_the_other_form():
    row = PreferenceRow.model_validate(
        {
            "input": {"messages": [USER], "tools": [TOOL], "parallel_tool_calls": True},
            "preferred_output": [ANSWER],
            "non_preferred_output": [ANSWER | {"content": "b"}],
        }
    )
    assert [turn.text for turn in (*row.prompt, *row.chosen, *row.rejected)] == ["u", "a", "b"]
    assert row.tools == [TOOL]
    assert row.parallel_tool_calls is True


def test_a_graded_row_keeps_fields_of_its_own():
    row = GradedRow.model_validate({"messages": [USER], "answer": {"text": "4"}, "level": 3})
    assert row.item == {"answer": {"text": "4"}, "level": 3}


@pytest.mark.parametrize("weight", [True, 1.0, "1", 2, -1, [1]])
def test_a_weight_is_0_or_1_and_nothing_that_looks_like_it(weight):
    with pytest.raises(ValidationError):
        ChatRow.model_validate({"messages": [USER, ANSWER | {"weight": weight}]})


def test_a_rows_values_cannot_be_changed():
    row = ChatRow.model_validate({"messages": [USER, ANSWER]})
    with pytest.raises(ValidationError, match="frozen"):
        row.tools = []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[1]", "not an object"),
        ('"x"', "not an object"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": 1e999}', "too large"),
        ("[" * 100_000, "nested"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_arguments_are_one_json_object_that_all_readers_take_alike(arguments, words):
    with pytest.raises(ValueError, match=words):
        parsed(arguments)


def test_the_words_of_a_conversation_come_in_order_with_what_is_trained():
    raw = {
        "messages": [
            {"role": "system", "content": "s"},
            USER | {"content": [{"type": "text", "text": "u"}]},
            ANSWER | {"weight": 0},
            USER,
            call('{"a": 1}') | {"content": None, "refusal": None},
            {"role": "tool", "tool_call_id": "1", "content": "r"},
            ANSWER,
        ],
        "tools": [TOOL],
    }
    found = [(part.message_index, part.role, part.text, part.trained) for part in texts(raw)]
    assert found == [
        (None, "tools", json.dumps([TOOL]), False),
        (0, "system", "s", False),
        (1, "user", "u", False),
        (2, "assistant", "a", False),
        (3, "user", "u", False),
        (4, "assistant", "f", True),
        (4, "assistant", '{"a": 1}', True),
        (5, "tool", "r", False),
        (6, "assistant", "a", True),
    ]


@pytest.mark.parametrize(
    ("raw", "words", "trained"),
    [
        ({"prompt": "p", "completion": "c"}, "pc", "c"),
        ({"prompt": [USER], "completion": [ANSWER]}, "ua", "a"),
        ({"prompt": "p", "completion": "c", "label": False}, "pc", "c"),
        ({"prompt": "p", "chosen": "c", "rejected": "r"}, "pcr", "cr"),
        ({"input": {"messages": [USER]}, "preferred_output": [ANSWER], "non_preferred_output": [ANSWER | {"content": "b"}]}, "uab", "ab"),
        ({"messages": [USER], "answer": ["x", {"deep": "y"}], "level": 3}, "uxy", ""),
        ({"text": "t"}, "t", "t"),
    ],
)
def test_every_kind_gives_its_words(raw, words, trained):
    found = list(texts(raw))
    assert "".join(part.text for part in found) == words
    assert "".join(part.text for part in found if part.trained) == trained


@pytest.mark.parametrize(
    ("raw", "asked", "answered"),
    [
        ({"messages": [USER, ANSWER, USER, ANSWER | {"weight": 1}]}, [[USER, ANSWER, USER], None], ANSWER),
        ({"messages": [USER, ANSWER], "tools": [TOOL]}, [[USER], [TOOL]], ANSWER),
        ({"prompt": "p", "completion": "c"}, ["p", None], "c"),
        ({"prompt": "p", "completion": "c", "label": True}, ["p", None, "c"], True),
        ({"prompt": "p", "chosen": "a", "rejected": "b"}, ["p", None], ["a", "b"]),
        ({"input": {"messages": [USER]}, "preferred_output": [ANSWER], "non_preferred_output": []}, [[USER], None], [[ANSWER], []]),
        ({"messages": [USER], "answer": "4"}, [[USER], None], {"answer": "4"}),
        ({"text": "t"}, "t", None),
    ],
)
def test_a_row_splits_into_what_it_asks_and_what_it_answers(raw, asked, answered):
    assert split_input(raw) == (asked, answered)


def test_weights_and_nulls_make_no_other_input():
    one = {"messages": [USER, ANSWER | {"weight": 0}, USER, ANSWER]}
    other = {"messages": [USER | {"name": None}, ANSWER, USER, ANSWER | {"tool_calls": None}]}
    assert split_input(one) == split_input(other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "text", "type", "function", "tool_calls", "messages", "prompt", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["messages", "tools", "functions", "input", "prompt", "completion", "chosen", "preferred_output", "label", "text"]),
        JSON,
        max_size=4,
    )
)
def test_any_object_gives_its_words_and_halves_without_a_crash(raw):
    assert all(isinstance(part.text, str) for part in texts(raw))
    json.dumps(split_input(raw))
