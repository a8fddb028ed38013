"""Rows in every format: which one is told, what is read, what is written, and that nothing is lost in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from anytune.data.check.judge import judge
from anytune.data.formats import DIALECTS, FORMATS, Reading, detect, to
from anytune.data.formats.canonical import Unreadable
from anytune.data.formats.registry import from_format
from anytune.data.rows.lessons import blank
from anytune.errors import ConfigError, DataError

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "how-to" / "convert-data.md"
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
ASK = {"role": "user", "content": "Who is Ada?"}
SAY = {"role": "assistant", "content": "A mathematician."}
WORSE = {"role": "assistant", "content": "No idea."}


def call(city="Oslo", key="call_1"):
    return {"id": key, "type": "function", "function": {"name": "weather", "arguments": json.dumps({"city": city})}}


TOOLS = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "tool_calls": [call()]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "assistant", "content": "It rains."},
    ],
    "tools": [TOOL],
}


def read(row):
    """Read one row as its own first rows say."""
    return from_format(row, detect([row]))


def good(row, method=None):
    return [found for found in judge(1, row, method) if found.severity == "error"] == []


# What each format looks like, as its own documentation shows it, and what it is read as.
SAMPLES = {
    "chat": ("anytune", {"messages": [ASK, SAY]}, None),
    "weights": ("anytune", {"messages": [ASK, SAY | {"weight": 0}, ASK, SAY | {"weight": 1}]}, None),
    "prompt": ("anytune", {"prompt": "2+2?", "completion": "4"}, None),
    "conversational prompt": ("anytune", {"prompt": [ASK], "completion": [SAY]}, None),
    "preference": ("anytune", {"prompt": "2+2?", "chosen": "4", "rejected": "5"}, None),
    "unpaired": ("anytune", {"prompt": "2+2?", "completion": "5", "label": False}, None),
    "text": ("anytune", {"text": "Once upon a time."}, None),
    "graded": ("anytune", {"messages": [ASK], "reference": "Lovelace"}, None),
    "openai pair": ("openai-dpo", {"input": {"messages": [ASK]}, "preferred_output": [SAY], "non_preferred_output": [WORSE]}, None),
    "sharegpt": (
        "sharegpt",
        {"id": "7", "conversations": [{"from": "human", "value": "Who is Ada?"}, {"from": "gpt", "value": "A mathematician."}]},
        {"messages": [ASK, SAY]},
    ),
    "sharegpt with a system's key": (
        "sharegpt",
        {
            "conversations": [{"from": "user", "value": "Who is Ada?"}, {"from": "assistant", "value": "A mathematician."}],
            "system": "Brief.",
            "tools": "",
        },
        {"messages": [{"role": "system", "content": "Brief."}, ASK, SAY]},
    ),
    "sharegpt with tools": (
        "sharegpt",
        {
            "conversations": [
                {"from": "system", "value": "Be brief."},
                {"from": "human", "value": "Weather?"},
                {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Oslo"}}'},
                {"from": "observation", "value": "rain"},
                {"from": "gpt", "value": "It rains."},
            ],
            "tools": json.dumps([TOOL["function"]]),
        },
        TOOLS,
    ),
    "sharegpt with roles": ("sharegpt", {"conversations": [ASK, SAY]}, {"messages": [ASK, SAY]}),
    "sharegpt pair": (
        "sharegpt",
        {
            "conversations": [{"from": "human", "value": "Who is Ada?"}],
            "chosen": {"from": "gpt", "value": "A mathematician."},
            "rejected": {"from": "gpt", "value": "No idea."},
        },
        {"prompt": [ASK], "chosen": [SAY], "rejected": [WORSE]},
    ),
    "sharegpt with a label": (
        "sharegpt",
        {"conversations": [{"from": "human", "value": "Who is Ada?"}, {"from": "gpt", "value": "No idea."}], "label": False},
        {"prompt": [ASK], "completion": [WORSE], "label": False},
    ),
    "sharegpt masks": (
        "sharegpt",
        {
            "conversations": [
                {"from": "human", "value": "Who is Ada?"},
                {"from": "gpt", "value": "No idea.", "loss": False},
                {"from": "human", "value": "Who is Ada?"},
                {"from": "gpt", "value": "A mathematician.", "weight": 1},
            ]
        },
        {"messages": [ASK, WORSE | {"weight": 0}, ASK, SAY | {"weight": 1}]},
    ),
    "turns of from and value in TRL's columns": (
        "sharegpt",
        {"prompt": [{"from": "human", "value": "Who is Ada?"}], "completion": [{"from": "gpt", "value": "A mathematician."}]},
        {"prompt": [ASK], "completion": [SAY]},
    ),
    "alpaca": (
        "alpaca",
        {"instruction": "Translate.", "input": "Bonjour", "output": "Hello"},
        {"messages": [{"role": "user", "content": "Translate.\nBonjour"}, {"role": "assistant", "content": "Hello"}]},
    ),
    "alpaca with history": (
        "alpaca",
        {
            "instruction": "Who is Ada?",
            "input": "",
            "output": "A mathematician.",
            "system": "Brief.",
            "history": [["Who is Ada?", "No idea."]],
        },
        {"messages": [{"role": "system", "content": "Brief."}, ASK, WORSE, ASK, SAY]},
    ),
    "alpaca pair": (
        "alpaca",
        {"instruction": "Who is Ada?", "input": "", "chosen": "A mathematician.", "rejected": "No idea."},
        {"prompt": [ASK], "chosen": [SAY], "rejected": [WORSE]},
    ),
    "alpaca with a label": (
        "alpaca",
        {"instruction": "Who is Ada?", "input": "", "output": "No idea.", "kto_tag": False},
        {"prompt": [ASK], "completion": [WORSE], "label": False},
    ),
    "dolly": (
        "alpaca",
        {"instruction": "Who?", "context": "Ada wrote it.", "response": "Ada.", "category": "qa"},
        {"messages": [{"role": "user", "content": "Who?\nAda wrote it."}, {"role": "assistant", "content": "Ada."}]},
    ),
    "question and answer": ("columns", {"question": "2+2?", "answer": "4", "id": 3}, {"prompt": "2+2?", "completion": "4"}),
    "headings of a sheet": ("columns", {"Prompt": "2+2?", "Response": "4"}, {"prompt": "2+2?", "completion": "4"}),
    "input and output": ("columns", {"input": "2+2?", "output": "4"}, {"prompt": "2+2?", "completion": "4"}),
    "orca pair": (
        "columns",
        {"system": "Brief.", "question": "Who is Ada?", "chosen": "A mathematician.", "rejected": "No idea."},
        {"prompt": [{"role": "system", "content": "Brief."}, ASK], "chosen": [SAY], "rejected": [WORSE]},
    ),
    "implicit prompt": ("trl", {"chosen": [ASK, SAY], "rejected": [ASK, WORSE]}, {"prompt": [ASK], "chosen": [SAY], "rejected": [WORSE]}),
    "ultrafeedback": (
        "trl",
        {"prompt": "Who is Ada?", "prompt_id": "7", "chosen": [ASK, SAY], "rejected": [ASK, WORSE], "score_chosen": 8.5},
        {"prompt": [ASK], "chosen": [SAY], "rejected": [WORSE]},
    ),
    "bare prompt": ("trl", {"prompt": [ASK], "reference": "Lovelace"}, {"messages": [ASK], "reference": "Lovelace"}),
    "calls by order": (
        "trl",
        {
            "messages": [
                ASK,
                {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}]},
                {"role": "tool", "name": "weather", "content": "rain"},
                SAY,
            ],
            "tools": [TOOL],
        },
        {
            "messages": [
                ASK,
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}],
                },
                {"role": "tool", "name": "weather", "content": "rain", "tool_call_id": "call_1"},
                SAY,
            ],
            "tools": [TOOL],
        },
    ),
    "messages as JSON text": ("autotrain", {"text": json.dumps([ASK, SAY])}, {"messages": [ASK, SAY]}),
    "tools as JSON text": ("autotrain", TOOLS | {"tools": json.dumps([TOOL])}, TOOLS),
    "turns as JSON text": (
        "autotrain",
        {"conversations": '[{"from": "human", "value": "Who is Ada?"}, {"from": "gpt", "value": "A mathematician."}]'},
        {"messages": [ASK, SAY]},
    ),
    "pairs as JSON text": (
        "autotrain",
        {"chosen": json.dumps([ASK, SAY]), "rejected": json.dumps([ASK, WORSE])},
        {"prompt": [ASK], "chosen": [SAY], "rejected": [WORSE]},
    ),
}


@pytest.mark.parametrize(("name", "row", "wanted"), SAMPLES.values(), ids=SAMPLES)
def test_a_row_is_told_by_its_keys_and_read_as_one_of_anytunes_own(name, row, wanted):
    assert detect([row]) == name
    assert read(row)[0] == (wanted or row)


@pytest.mark.parametrize("row", [wanted or row for _, row, wanted in SAMPLES.values()], ids=SAMPLES)
def test_what_is_read_is_judged_good(row):
    assert [found.code for found in judge(1, row, None) if found.severity == "error"] in ([], ["undeclared-tool"])


@pytest.mark.parametrize(
    "row",
    [
        {"text": "good film", "label": 1},
        {"question": "Who?", "context": "Ada wrote it.", "answer": "Ada"},
        {"question": "2+2?", "answer": 4},
        {"prompt": "a", "answer": "b", "response": "c"},
        {"messages": [ASK, SAY], "id": 7},
        {"prompt": "2+2?", "completion": "4", "label": "true"},
        {"prompt": "2+2?", "completoin": "4"},
        {"prompt": [ASK], "completoin": [SAY]},
        {"rows": []},
        {},
    ],
    ids=",".join,
)
def test_what_could_mean_several_things_is_left_for_the_check_to_name(row):
    assert detect([row]) == "anytune"
    assert read(row) == (row, [])


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"messages": [ASK, SAY], "id": 7, "source": "web"}, {"messages": [ASK, SAY]}),
        ({"messages": [ASK, SAY], "prompt": "Who is Ada?", "prompt_id": "a1"}, {"messages": [ASK, SAY]}),
        ({"prompt": "2+2?", "chosen": "4", "rejected": "5", "score_chosen": 9.5}, {"prompt": "2+2?", "chosen": "4", "rejected": "5"}),
        ({"text": "Once.", "url": "https://example.org", "timestamp": "2020-01-01"}, {"text": "Once."}),
    ],
    ids=["chat", "ultrachat", "scores", "crawl"],
)
def test_columns_that_all_rows_have_and_that_say_where_they_come_from_are_left_out(row, wanted):
    assert detect([row, row]) == "table"
    back, losses = from_format(row, "table")
    assert back == wanted
    assert {loss.what.strip("`") for loss in losses} == row.keys() - wanted.keys()


@pytest.mark.parametrize(
    "rows",
    [
        [{"messages": [ASK, SAY], "id": 7}],
        [{"messages": [ASK, SAY], "id": 7}, {"messages": [ASK, SAY]}],
        [{"messages": [ASK, SAY], "weight": 1}] * 2,
        [{"messages": [ASK, SAY], "prompt": "Another one."}] * 2,
        [{"text": "Good film.", "category": "praise"}] * 2,
    ],
    ids=["one row", "one of two", "not aside", "another prompt", "classes"],
)
def test_a_key_too_many_stays_for_the_check_to_name(rows):
    assert detect(rows) == "anytune"


def test_plain_text_that_is_json_stays_text():
    row = {"text": '[{"name": "Ada"}]'}
    assert read(row) == (row, [])


def test_one_broken_row_does_not_change_what_the_others_are_told_as():
    turns = {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
    assert detect([{"conversation": "?"}, turns, turns]) == "sharegpt"


def test_between_equals_anytunes_own_is_preferred():
    assert detect([{"instruction": "a", "output": "b"}, {"messages": [ASK, SAY]}]) == "anytune"


def test_pythons_text_of_a_list_is_named_and_never_evaluated():
    row = {"messages": "[{'role': 'user', 'content': __import__('os').getpid()}]"}
    assert detect([row]) == "autotrain"
    with pytest.raises(Unreadable, match="Python's text of a list"):
        read(row)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "function_call", "value": "weather(Oslo)"}]}, "bad-arguments"),
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "function_call", "value": '{"arguments": {}}'}]}, "bad-arguments"),
        ({"conversations": [{"from": "human", "value": "a"}, {"value": "b"}]}, "bad-type"),
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "tools": "weather"}, "bad-tool"),
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "tools": '[{"a": NaN}]'}, "bad-tool"),
        ({"instruction": "a", "output": "b", "history": ["c"]}, "bad-type"),
        ({"chosen": [ASK, SAY], "rejected": [{"role": "user", "content": "Another?"}, SAY]}, "bad-value"),
        ({"prompt": "Something else", "chosen": [ASK, SAY], "rejected": [ASK, WORSE]}, "bad-value"),
    ],
)
def test_a_row_that_breaks_its_own_format_is_named_by_a_code(row, code):
    with pytest.raises(Unreadable) as caught:
        read(row)
    assert caught.value.code == code


def test_an_unknown_speaker_keeps_its_word_for_the_check():
    row, _ = read({"conversations": [{"from": "human", "value": "a"}, {"from": "narrator", "value": "b"}, {"from": "gpt", "value": "c"}]})
    assert [found.code for found in judge(1, row, "sft")] == ["unknown-role"]


def test_an_empty_conversation_is_one_for_the_check_to_name():
    row, _ = read({"conversations": []})
    assert [found.code for found in judge(1, row, "sft")] == ["no-messages"]


def test_keys_that_have_no_word_are_listed_as_lost():
    _, losses = read(
        {"id": 7, "lang": "en", "conversations": [{"from": "human", "value": "a", "markdown": "b"}, {"from": "gpt", "value": "c"}]}
    )
    assert {loss.what for loss in losses} == {"`id`", "`lang`", "`markdown`"}
    assert {loss.severity for loss in losses} == {"warning"}


def test_images_beside_the_turns_are_a_loss_that_changes_what_is_learned():
    _, losses = read(
        {"conversations": [{"from": "human", "value": "<image>What?"}, {"from": "gpt", "value": "A cat."}], "images": ["cat.png"]}
    )
    assert [(loss.what, loss.severity) for loss in losses] == [("`images`", "error")]


# What is written.


def grave(losses):
    return [loss.what for loss in losses if loss.severity == "error"]


def test_a_prompt_becomes_a_conversation_for_hosts_and_only_its_completion_is_learned():
    row, losses = to("openai", {"prompt": [ASK, WORSE, ASK], "completion": [SAY]})
    assert row == {"messages": [ASK, WORSE | {"weight": 0}, ASK, SAY]}
    assert grave(losses) == []


def test_pairs_are_written_in_openais_form_and_back():
    pair = {"prompt": [ASK], "chosen": [SAY], "rejected": [WORSE], "tools": [TOOL]}
    row, losses = to("openai", pair)
    assert row == {"input": {"messages": [ASK], "tools": [TOOL]}, "preferred_output": [SAY], "non_preferred_output": [WORSE]}
    assert losses == ()
    assert to("trl", row)[0] == pair


def test_arguments_are_json_text_for_hosts_and_objects_for_templates():
    object_form = {
        "messages": [ASK, {"role": "assistant", "tool_calls": [call() | {"function": {"name": "weather", "arguments": {"city": "Oslo"}}}]}]
    }
    text_form = {"messages": [ASK, {"role": "assistant", "tool_calls": [call()]}]}
    assert to("openai", object_form) == (text_form, ())
    assert to("trl", text_form)[0] == object_form


def test_nulls_of_exported_tables_are_not_sent():
    row = {"messages": [ASK | {"name": None, "tool_calls": None}, SAY | {"weight": None, "tool_calls": []}], "tools": None}
    assert to("openai", row) == ({"messages": [ASK, SAY]}, ())


@pytest.mark.parametrize("dialect", ["trl", "sharegpt", "alpaca", "autotrain"])
def test_a_masked_turn_that_would_be_learned_is_a_grave_loss(dialect):
    _, losses = to(dialect, {"messages": [ASK, WORSE | {"weight": 0}, ASK, SAY]})
    assert grave(losses) == ["weight"]


@pytest.mark.parametrize("dialect", ["trl", "autotrain"])
def test_who_learns_the_questions_too_is_said(dialect):
    _, losses = to(dialect, {"messages": [ASK, WORSE, ASK, SAY]})
    assert [(loss.what, loss.severity) for loss in losses] == [("messages", "warning")]
    assert losses[0].fix


@pytest.mark.parametrize("dialect", ["openai", "azure"])
def test_weights_are_kept_for_hosts(dialect):
    row = {"messages": [ASK, WORSE | {"weight": 0}, ASK, SAY | {"weight": 1}]}
    assert to(dialect, row) == (row, ())


@pytest.mark.parametrize("dialect", ["alpaca", "autotrain"])
def test_tools_are_a_grave_loss_where_there_is_no_word_for_them(dialect):
    _, losses = to(dialect, {"messages": [ASK, SAY], "tools": [TOOL]})
    assert grave(losses) == ["tools"]


@pytest.mark.parametrize("dialect", ["trl", "sharegpt", "alpaca", "autotrain"])
def test_images_are_a_grave_loss_where_there_is_no_word_for_them(dialect):
    image = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
    _, losses = to(dialect, {"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, image]}, SAY]})
    assert "images" in grave(losses)


@pytest.mark.parametrize("dialect", ["openai", "azure", "sharegpt", "alpaca"])
def test_plain_text_is_not_turned_into_a_conversation(dialect):
    row, losses = to(dialect, {"text": "Once upon a time."})
    assert row is None
    assert "text rows" in grave(losses)
    assert losses[0].fix


@pytest.mark.parametrize("dialect", ["openai", "autotrain"])
def test_labelled_rows_are_not_turned_into_something_else(dialect):
    assert to(dialect, {"prompt": "2+2?", "completion": "5", "label": False})[0] is None


def test_the_given_up_form_of_tools_is_written_as_tools():
    row = {
        "messages": [
            ASK,
            {"role": "assistant", "function_call": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
            {"role": "function", "name": "weather", "content": "rain"},
            SAY,
        ],
        "functions": [TOOL["function"]],
    }
    done, losses = to("trl", row)
    assert grave(losses) == []
    assert done["tools"] == [TOOL]
    assert done["messages"][1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": {"city": "Oslo"}}
    assert done["messages"][2]["role"] == "tool"
    assert to("openai", row) == (row, ())


def test_a_graded_row_becomes_a_prompt_with_its_fields_and_back():
    row = {"messages": [ASK], "reference": {"name": "Ada"}}
    done, losses = to("trl", row, method="rft")
    assert done == {"prompt": [ASK], "reference": {"name": "Ada"}}
    assert grave(losses) == []
    assert read(done)[0] == row


def test_answers_of_calls_in_another_order_than_the_calls_are_a_grave_loss_without_ids():
    row = {
        "messages": [
            ASK,
            {"role": "assistant", "tool_calls": [call("Oslo", "a"), call("Rome", "b")]},
            {"role": "tool", "tool_call_id": "b", "content": "sun"},
            {"role": "tool", "tool_call_id": "a", "content": "rain"},
            SAY,
        ],
        "tools": [TOOL],
    }
    assert grave(to("sharegpt", row)[1]) == ["tool_call_id"]


def test_a_row_that_is_none_is_refused_in_words():
    with pytest.raises(DataError, match="not one of anytune's"):
        to("openai", {"messages": 7})


def test_an_unknown_dialect_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="openai"):
        to("opnai", {"messages": [ASK, SAY]})


# What the page says.

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
HELD = {
    "chat": {"messages": [ASK, SAY]},
    "pairs": {"prompt": [ASK], "chosen": [SAY], "rejected": [WORSE]},
    "labelled": {"prompt": [ASK], "completion": [SAY], "label": True},
    "graded": {"messages": [ASK], "reference": "Lovelace"},
    "text": {"text": "Once upon a time."},
    "tools": TOOLS,
    "weight 0": {"messages": [ASK, WORSE | {"weight": 0}, ASK, SAY]},
    "images": {"messages": [{"role": "user", "content": [IMAGE]}, SAY]},
    "refusals": {"messages": [ASK, {"role": "assistant", "refusal": "I won't."}]},
    "names": {"messages": [ASK | {"name": "Bo"}, SAY]},
    "parallel_tool_calls": {"messages": [ASK, SAY], "parallel_tool_calls": False},
}


def held(dialect, row):
    """What the table of the page says of a dialect and a feature."""
    written, losses = to(dialect, row)
    plain = to(dialect, HELD["chat"])[1]
    if written is None or grave(losses):
        return "no"
    return "left out" if any(loss.severity == "warning" for loss in losses if loss not in plain) else "yes"


def test_the_page_says_truly_what_each_format_holds():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| dialect |"))
    heads, _, *body = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[start : start + len(DIALECTS) + 2]]
    said = {cells[0]: dict(zip(heads[1:], cells[1:], strict=True)) for cells in body}
    assert said == {dialect: {name: held(dialect, row) for name, row in HELD.items()} for dialect in DIALECTS}


def test_the_page_names_every_format_that_is_read():
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in (*FORMATS, "autotrain") if f"| `{name}` |" not in page] == []


SNIPS = ROOT.parent / "shared" / "data" / "snips" / "test.jsonl"


@pytest.mark.skipif(not SNIPS.exists(), reason="SNIPS lies beside the project, not in it")
@pytest.mark.parametrize("dialect", ["openai", "azure", "sharegpt", "alpaca"])
def test_real_conversations_go_there_and_back_unchanged(dialect):
    for line in SNIPS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        written, losses = to(dialect, row)
        assert losses == ()
        assert read(written) == (row, [])


# Properties.

words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(lambda text: not blank(text))
names = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
contents = words | st.lists(st.builds(lambda text: {"type": "text", "text": text}, words), min_size=1, max_size=2)
images = st.builds(
    lambda text: [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}], words
)


@st.composite
def turns(draw, *, answered=True):
    """A conversation as the check calls it good: optional system, questions, calls with answers, texts, weights and names."""
    found = []
    if draw(st.booleans()):
        found.append({"role": draw(st.sampled_from(["system", "developer"])), "content": draw(words)})
    key = 0
    for _ in range(draw(st.integers(1, 3))):
        user = {"role": "user", "content": draw(contents | images) if draw(st.booleans()) else draw(words)}
        found.append(user | ({"name": draw(names)} if draw(st.integers(0, 4)) == 0 else {}))
        if draw(st.integers(0, 2)) == 0:
            calls = []
            for _ in range(draw(st.integers(1, 2))):
                key += 1
                arguments = draw(st.dictionaries(words, values, max_size=2))
                said = draw(
                    st.sampled_from([arguments, json.dumps(arguments), json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))])
                )
                calls.append(
                    {
                        "id": draw(st.sampled_from([f"call_{key}", f"x{key}"])),
                        "type": "function",
                        "function": {"name": "any", "arguments": said},
                    }
                )
            found.append({"role": "assistant", **draw(st.sampled_from([{}, {"content": None}, {"content": "Wait."}])), "tool_calls": calls})
            order = calls if draw(st.booleans()) else calls[::-1]
            found += [{"role": "tool", "tool_call_id": one["id"], "content": draw(words)} for one in order]
        found.append({"role": "assistant", "content": draw(words)} | draw(st.sampled_from([{}, {}, {"weight": 0}, {"weight": 1}])))
    found[-1].pop("weight", None)
    return found if answered else found[:-1]


@st.composite
def own_rows(draw):
    """A row of anytune's own, of any kind."""
    tools = {"tools": [{"type": "function", "function": {"name": "any", "parameters": {"type": "object"}}}]}
    kind = draw(st.sampled_from(["chat", "chat", "chat", "prompt", "preference", "unpaired", "openai-dpo", "graded", "text"]))
    if kind == "chat":
        return {"messages": draw(turns())} | tools | draw(st.sampled_from([{}, {"parallel_tool_calls": False}]))
    if kind == "text":
        return {"text": draw(words)}
    if kind == "graded":
        return {"messages": draw(turns(answered=False))} | tools | {"reference": draw(values)}
    plain = draw(st.booleans())
    prompt = draw(words) if plain else draw(turns(answered=False))
    sides = draw(st.lists(words, min_size=2, max_size=2, unique=True))
    if not plain or kind == "openai-dpo":
        sides = [[{"role": "assistant", "content": side}] for side in sides]
    if kind == "openai-dpo":
        asked = [{"role": "user", "content": prompt}] if plain else prompt
        return {"input": {"messages": asked} | tools, "preferred_output": sides[0], "non_preferred_output": sides[1]}
    tools = {} if plain else tools
    if kind == "preference":
        return {"prompt": prompt, "chosen": sides[0], "rejected": sides[1]} | tools
    return {"prompt": prompt, "completion": sides[0]} | tools | ({"label": draw(st.booleans())} if kind == "unpaired" else {})


def same(value):
    """A row without what says nothing: weights of 1 or in a prompt, which of two forms pairs have, arguments as an object instead of text."""
    if isinstance(value, dict) and "preferred_output" in value:
        inner = value["input"]
        value = {"prompt": inner["messages"], "chosen": value["preferred_output"], "rejected": value["non_preferred_output"]}
        value |= {key: inner[key] for key in inner if key != "messages"}
    if isinstance(value, list):
        return [same(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("prompt"), list):  # a prompt is never learned, whatever its weights say
        value = value | {"prompt": [{key: item for key, item in turn.items() if key != "weight"} for turn in value["prompt"]]}
    kept = {key: same(item) for key, item in value.items() if not (key == "weight" and item == 1)}
    if isinstance(kept.get("arguments"), dict) and "name" in kept:
        kept["arguments"] = json.dumps(value["arguments"], ensure_ascii=False)
    return kept


often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@often
@given(own_rows())
def test_the_rows_of_these_properties_are_good(row):
    assert [found for found in judge(1, row, None) if found.severity == "error"] == []


@pytest.mark.parametrize("dialect", DIALECTS)
@often
@given(row=own_rows())
def test_there_and_back_is_the_same_row_or_a_loss_was_listed(dialect, row):
    written, losses = to(dialect, row)
    if written is None:
        assert grave(losses)
        return
    back, _ = read(json.loads(json.dumps(written)))
    if not losses:
        assert same(back) == same(row)


@pytest.mark.parametrize("dialect", DIALECTS)
@often
@given(row=own_rows())
def test_written_twice_is_written_once(dialect, row):
    written, _ = to(dialect, row)
    if written is not None:
        assert to(dialect, read(written)[0])[0] == written


@pytest.mark.parametrize("dialect", DIALECTS)
@often
@given(row=own_rows())
def test_what_was_written_is_read_as_a_good_row(dialect, row):
    assume(good(row))  # two sides that differ by a blank alone are no preference, for instance
    written, losses = to(dialect, row)
    if written is not None and not grave(losses):
        assert good(read(written)[0])


@often
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["user", "human", "gpt", "[]", "[{}]"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "messages",
                        "conversations",
                        "from",
                        "value",
                        "role",
                        "content",
                        "tools",
                        "tool_calls",
                        "function",
                        "name",
                        "arguments",
                        "id",
                        "tool_call_id",
                        "prompt",
                        "chosen",
                        "rejected",
                        "completion",
                        "label",
                        "instruction",
                        "output",
                        "history",
                        "system",
                        "input",
                        "text",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=25,
    ).filter(lambda value: isinstance(value, dict))
)
def test_whatever_a_row_holds_it_is_read_or_refused_in_words(row):
    for name in (detect([row]), *FORMATS, "autotrain"):
        try:
            back, losses = from_format(row, name)
        except Unreadable:
            continue
        assert isinstance(back, dict)
        assert all(loss.why for loss in losses)


def test_columns_that_stand_in_the_way_are_named(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text("question,answer,agent\n2+2?,4,Ann\n")
    (hint,) = Reading(path).findings()
    assert (hint.code, hint.severity) == ("read-as", "info")
    assert "`question` and `answer`" in hint.message
    assert "`agent`" in hint.fix
    path.write_text("name,agent\nx,Ann\n")
    assert Reading(path).findings() == ()
