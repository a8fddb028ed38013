"""Held-out rows as cases."""

from __future__ import annotations

import json

import pytest

from anytune.errors import ConfigError, DataError
from anytune.evaluation.cases import drawn, question_key, read_cases

SYSTEM = {"role": "system", "content": "Answer."}


def chat(question, answer, **more):
    return {"messages": [SYSTEM, {"role": "user", "content": question}, {"role": "assistant", "content": answer}], **more}


@pytest.fixture
def written(tmp_path):
    def write(rows, name="test.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


def test_a_chat_row_asks_everything_before_its_last_answer(written):
    (case,) = read_cases(written([chat("2+2?", "4")]))
    assert [message["role"] for message in case.messages] == ["system", "user"]
    assert (case.row, case.reference, case.group) == (1, "4", "")
    assert case.item["reference"] == "4"


def test_a_prompt_with_its_completion_is_asked_as_a_user_s_message(written):
    (case,) = read_cases(written([{"prompt": "2+2?", "completion": "4"}]))
    assert (case.messages, case.reference) == (({"role": "user", "content": "2+2?"},), "4")


def test_tool_calls_are_what_is_right(written):
    call = {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
    row = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "tool_calls": [call]}], "tools": [{"type": "function"}]}
    (case,) = read_cases(written([row]))
    assert (case.reference, case.tool_calls, case.tools) == (None, (call,), ({"type": "function"},))


def test_rows_that_are_equal_are_asked_once(written):
    assert len(read_cases(written([chat("a", "b"), chat("a", "b"), chat("a", "c")]))) == 2


def test_ids_follow_from_what_is_asked_and_answered_and_not_from_the_place(written):
    first = read_cases(written([chat("a", "b"), chat("c", "d")]))
    second = read_cases(written([chat("c", "d"), chat("a", "b")], "other.jsonl"))
    assert {case.id for case in first} == {case.id for case in second}


def test_a_question_s_key_knows_no_instructions(written):
    bare = {"messages": chat("a", "b")["messages"][1:]}
    first, second = read_cases(written([chat("a", "b"), bare]))
    assert first.id != second.id
    assert question_key(first) == question_key(second)


def test_rows_are_drawn_by_hash_and_keep_the_file_s_order(written):
    cases = read_cases(written([chat(str(number), "x") for number in range(50)]))
    some = drawn(cases, 10, 1)
    assert some == drawn(reversed(cases), 10, 1)
    assert [case.row for case in some] == sorted(case.row for case in some)
    assert some != drawn(cases, 10, 2)


def test_groups_come_from_a_path_of_the_answer_or_a_column_that_training_does_not_know(written, tmp_path):
    intents = read_cases(written([chat("a", '{"intent": "x"}')]), group_by="answer.intent")
    assert intents[0].group == "x"
    (tmp_path / "rows.csv").write_text("prompt,completion,user\na,b,ada\nc,d,ben\n")
    assert [case.group for case in read_cases(tmp_path / "rows.csv", group_by="user")] == ["ada", "ben"]


def test_a_row_without_a_group_is_named(written):
    with pytest.raises(ConfigError, match="Row 2 has no value at 'user'"):
        read_cases(written([chat("a", "b", user="ada"), chat("c", "d")]), group_by="user")


@pytest.mark.parametrize(
    "row", [{"prompt": "a", "chosen": "b", "rejected": "c"}, {"text": "a"}, {"prompt": "a", "completion": "b", "label": True}]
)
def test_a_row_that_has_no_right_answer_is_named(written, row):
    with pytest.raises(DataError, match="row 1 asks nothing that has one right answer"):
        read_cases(written([row]))


def test_a_file_without_rows_is_refused(written):
    with pytest.raises(DataError):
        read_cases(written([]))
